//! From the configuration to what the crates below want.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Deserialize as _;
use viewfinder_engine::{Engine, EngineConfig};
use viewfinder_image::Limits;
use viewfinder_models::{ModelEntry, Part, Role, Source, Store, StoreConfig};
use viewfinder_vision::ocr::{Options, Profile};

use crate::config::{Config, Loaded, OcrProfile};
use crate::failure::Failure;
use crate::progress::Report;

/// The program's part of the user's data folder.
pub(crate) fn data_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let data = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home.map(|home| home.join("Library/Application Support"))
    } else {
        variable("XDG_DATA_HOME").or_else(|| home.map(|home| home.join(".local/share")))
    };
    data.map(|data| data.join("viewfinder"))
}

/// Where models are kept unless the configuration says otherwise.
pub(crate) fn default_store_root() -> Option<PathBuf> {
    data_folder().map(|data| data.join("models"))
}

/// What the model store wants to know.
pub(crate) fn store_config(loaded: &Loaded) -> Result<StoreConfig, Failure> {
    let config = &loaded.config;
    let root = config.store_root.clone().or_else(default_store_root).ok_or_else(|| {
        Failure::Environment(anyhow!(
            "there is no home folder to keep models in; set store.root or VIEWFINDER_MODELS"
        ))
    })?;
    let base = loaded.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let mut extra_models = Vec::new();
    for table in &config.models {
        let mut entry = ModelEntry::deserialize(toml::Value::Table(table.clone()))
            .context("[[models]] in the configuration")
            .map_err(Failure::Usage)?;
        anchor(&mut entry, base);
        extra_models.push(entry);
    }
    Ok(StoreConfig {
        offline: config.store_offline,
        immich_caches: config.store_immich_caches.clone(),
        hf_endpoint: config.store_hf_endpoint.clone(),
        hf_token: config.store_hf_token.as_ref().map(|token| token.reveal().to_owned()),
        modelscope_endpoint: config.store_modelscope_endpoint.clone(),
        github_endpoint: config.store_github_endpoint.clone(),
        extra_models,
        ..StoreConfig::new(root)
    })
}

/// Makes the relative paths of an entry relative to the configuration file's folder.
fn anchor(entry: &mut ModelEntry, base: &Path) {
    let parts: [&mut Option<Part>; 5] = [
        &mut entry.detection,
        &mut entry.classification,
        &mut entry.recognition,
        &mut entry.visual,
        &mut entry.textual,
    ];
    let of_parts = parts.into_iter().flatten().flat_map(|part| part.sources.iter_mut());
    for source in entry.sources.iter_mut().chain(of_parts) {
        if let Source::File { path } = source {
            *path = base.join(&*path);
        }
    }
}

/// The model store.
pub(crate) fn store(loaded: &Loaded) -> Result<Store, Failure> {
    Store::open(store_config(loaded)?).map_err(Failure::from)
}

/// What the engine wants to know.
pub(crate) fn engine_config(loaded: &Loaded) -> Result<EngineConfig, Failure> {
    let config = &loaded.config;
    Ok(EngineConfig {
        library: config.engine_library.clone(),
        device: config.engine_device,
        device_id: config.engine_device_id,
        cpu_fallback: config.engine_cpu_fallback,
        workers: config.engine_workers,
        threads: config.engine_threads,
        queue: config.engine_queue,
        queue_wait: config.engine_queue_wait.unwrap_or(Duration::ZERO),
        model_ttl: config.engine_model_ttl,
        aliases: config.aliases.clone(),
        limits: limits(config),
        max_face_batch: config.engine_max_face_batch,
        ..EngineConfig::new(store_config(loaded)?)
    })
}

/// How large pictures may be.
pub(crate) fn limits(config: &Config) -> Limits {
    Limits {
        max_bytes: config.limits_max_bytes,
        max_pixels: config.limits_max_pixels,
        max_side: config.limits_max_side,
    }
}

impl From<OcrProfile> for Profile {
    fn from(profile: OcrProfile) -> Self {
        match profile {
            OcrProfile::RapidOcr => Self::RapidOcr,
            OcrProfile::Immich => Self::Immich,
            OcrProfile::Viewfinder => Self::Viewfinder,
        }
    }
}

/// A profile with its usual thresholds; Immich's are the defaults of its server.
pub(crate) fn ocr_options(profile: OcrProfile) -> Options {
    match profile {
        OcrProfile::RapidOcr => Options::rapidocr(),
        OcrProfile::Immich => Options::immich(0.5, 0.8, 736),
        OcrProfile::Viewfinder => Options::viewfinder(),
    }
}

/// The model that embeds sentences.
pub(crate) fn sentence_model(config: &Config) -> &str {
    config.clip_text_model.as_deref().unwrap_or(&config.clip_model)
}

/// The configured models, in the spelling of the catalogue of models, which is recorded with what they find.
pub(crate) fn index_models(config: &Config, engine: &Engine) -> viewfinder_index::Models {
    let name = |name: &str| {
        let name = config.aliases.get(name).map_or(name, String::as_str);
        engine.store().catalogue().find(name).map_or(name, |entry| entry.name.as_str()).to_owned()
    };
    viewfinder_index::Models {
        ocr: name(&config.ocr_model),
        clip: name(&config.clip_model),
        faces: name(&config.faces_model),
        face_min_score: config.faces_min_score,
    }
}

/// Refuses to search the pictures of one model with the sentences of another, unless they are precisions of the same and
/// agree.
pub(crate) fn check_sentence_model(config: &Config, store: &Store) -> Result<(), Failure> {
    store
        .may_search(
            &config.clip_model,
            sentence_model(config),
            Role::Textual,
            f64::from(config.clip_least_cosine),
        )
        .context("clip.model and clip.text_model")
        .map_err(Failure::Usage)
}

/// An engine for a command that a person waits for: downloads are shown to that person.
pub(crate) fn engine(loaded: &Loaded) -> Result<Engine, Failure> {
    let config = EngineConfig {
        progress: Arc::new(Report::new()),
        // A command ends before any model has been idle for long.
        model_ttl: None,
        ..engine_config(loaded)?
    };
    Ok(Engine::new(config)?)
}
