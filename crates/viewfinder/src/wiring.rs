//! From the configuration to what the crates below want.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Deserialize as _;
use viewfinder_core::ocr::{Options, Profile};
use viewfinder_engine::{Engine, EngineConfig, OnRequest};
use viewfinder_files::private;
use viewfinder_image::Limits;
use viewfinder_index::{Files, Links, Tools};
use viewfinder_models::{ModelEntry, Part, Role, Source, Store, StoreConfig, program_folder};

use crate::config::{Config, FetchOnRequest, Loaded, OcrProfile};
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

/// Takes the rights of others from the data folder, as former versions made it.
pub(crate) fn narrow_data_folder() {
    if let Some(data) = data_folder() {
        private::narrow(&data);
    }
}

/// Where models are kept unless the configuration says otherwise.
pub(crate) fn default_store_root() -> Option<PathBuf> {
    data_folder().map(|data| data.join("models"))
}

/// The models that came with the program, in a folder beside it.
fn bundled_store(root: &Path) -> Option<PathBuf> {
    let folder = program_folder()?.join("models");
    (folder.is_dir() && folder != root).then_some(folder)
}

/// What the model store wants to know.
pub(crate) fn store_config(loaded: &Loaded) -> Result<StoreConfig, Failure> {
    let config = &loaded.config;
    if config.store.root.is_none() {
        // Whoever comes first makes the folder, and models, which are no secret, would leave it open to all.
        data_folder().map(|data| private::create_folder(&data));
    }
    let root = config.store.root.clone().or_else(default_store_root).ok_or_else(|| {
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
        offline: config.store.offline,
        immich_caches: config.store.immich_caches.clone(),
        bundled: bundled_store(&root),
        hf_endpoint: config.store.hf_endpoint.clone(),
        hf_token: config.store.hf_token.as_ref().map(|token| token.reveal().to_owned()),
        modelscope_endpoint: config.store.modelscope_endpoint.clone(),
        github_endpoint: config.store.github_endpoint.clone(),
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
        library: config.engine.library.clone(),
        device: config.engine.device,
        device_id: config.engine.device_id,
        cpu_fallback: config.engine.cpu_fallback,
        workers: config.engine.workers,
        threads: config.engine.threads,
        queue: config.engine.queue,
        queue_wait: config.engine.queue_wait.unwrap_or(Duration::ZERO),
        model_ttl: config.engine.model_ttl,
        model_bytes: config.engine.model_bytes.map(|bytes| bytes as u64),
        aliases: config.aliases.clone(),
        limits: limits(config),
        max_face_batch: config.engine.max_face_batch,
        ..EngineConfig::new(store_config(loaded)?)
    })
}

/// As [`engine_config`], for an engine that strangers ask.
pub(crate) fn serving_engine_config(loaded: &Loaded) -> Result<EngineConfig, Failure> {
    let on_request = match loaded.config.store.on_request {
        FetchOnRequest::Any => OnRequest::Any,
        FetchOnRequest::Known => OnRequest::Known(known_models(&loaded.config)),
    };
    Ok(EngineConfig { on_request, ..engine_config(loaded)? })
}

/// What Immich asks for until its administrator chooses something else (its server's defaults, v2.5 to v2.7).
const IMMICH_DEFAULTS: [&str; 3] = ["ViT-B-32__openai", "buffalo_l", "PP-OCRv5_mobile"];

/// The models that the owner of this server has named, and Immich's.
fn known_models(config: &Config) -> Vec<String> {
    let named = [&config.ocr.model, &config.faces.model, &config.clip.model];
    let own = config.models.iter().filter_map(|table| table.get("name")?.as_str());
    let routes = config.routes.keys().filter_map(|route| route.split_once(':')).map(|(_, model)| model);
    named
        .into_iter()
        .chain(&config.clip.text_model)
        .chain(config.aliases.values())
        .chain(config.engine.preload.iter().map(|preload| &preload.model))
        .map(String::as_str)
        .chain(own)
        .chain(routes)
        .chain(IMMICH_DEFAULTS)
        .map(str::to_owned)
        .collect()
}

/// How large pictures may be.
pub(crate) fn limits(config: &Config) -> Limits {
    Limits {
        max_bytes: config.limits.max_bytes,
        max_pixels: config.limits.max_pixels,
        max_side: config.limits.max_side,
    }
}

/// The files of indexed folders.
pub(crate) fn files(config: &Config, tools: Tools) -> Files {
    Files { tools, max_bytes: config.limits.max_bytes, links: links(config) }
}

/// Links that lead out of indexed folders.
pub(crate) fn links(config: &Config) -> Links {
    if config.index.follow_links { Links::Followed } else { Links::Refused }
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
    config.clip.text_model.as_deref().unwrap_or(&config.clip.model)
}

/// The configured models, in the spelling of the catalogue of models, which is recorded with what they find.
pub(crate) fn index_models(config: &Config, engine: &Engine) -> viewfinder_index::Models {
    let name = |name: &str| {
        let name = config.aliases.get(name).map_or(name, String::as_str);
        engine.store().catalogue().find(name).map_or(name, |entry| entry.name.as_str()).to_owned()
    };
    viewfinder_index::Models {
        ocr: name(&config.ocr.model),
        clip: name(&config.clip.model),
        faces: name(&config.faces.model),
        face_min_score: config.faces.min_score,
    }
}

/// Refuses to search the pictures of one model with the sentences of another, unless they are precisions of the same and
/// agree.
pub(crate) fn check_sentence_model(config: &Config, store: &Store) -> Result<(), Failure> {
    store
        .may_search(
            &config.clip.model,
            sentence_model(config),
            Role::Textual,
            f64::from(config.clip.least_cosine),
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

#[cfg(test)]
mod tests {
    use viewfinder_models::Catalogue;

    use super::*;

    #[test]
    fn what_the_owner_and_a_stock_immich_ask_for_is_known() {
        let mut config = Config::default();
        config.clip.text_model = Some("cn-clip/ViT-B-16@int8".into());
        config.engine.preload = vec!["RN50__openai:visual".parse().unwrap()];
        config.aliases.insert("ViT-L-14__openai".into(), "cn-clip/ViT-L-14".into());
        config.routes.insert("clip.visual:RN101__openai".into(), "local".into());
        let known = known_models(&config);
        let catalogue = Catalogue::new(Vec::new()).unwrap();
        for name in &known {
            assert!(catalogue.find(name).is_some(), "{name}");
        }
        let expected = [
            "PP-OCRv6_small",
            "buffalo_l",
            "cn-clip/ViT-B-16",
            "cn-clip/ViT-B-16@int8",
            "cn-clip/ViT-L-14",
            "RN50__openai",
            "RN101__openai",
            "ViT-B-32__openai",
            "PP-OCRv5_mobile",
        ];
        for name in expected {
            assert!(known.iter().any(|known| known == name), "{name} is not in {known:?}");
        }
        assert!(!known.iter().any(|name| name == "ViT-L-14__openai"));
    }
}
