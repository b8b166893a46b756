//! Finding a network's files in an existing folder.
use crate::{Family, ModelError, Role};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The graph and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) model: PathBuf,
    pub(crate) extra: BTreeMap<String, PathBuf>,
}

/// Files that may stand beside a graph, by the name the pipelines ask for.
const EXTRAS: [&str; 4] = ["config.json", "preprocess_cfg.json", "tokenizer.json", "tokenizer_config.json"];

/// What a network cannot be used without.
pub(crate) fn required(family: Family, role: Role) -> &'static [&'static str] {
    match (family, role) {
        (Family::OpenClip | Family::MClip | Family::Nllb, Role::Visual) => &["preprocess_cfg.json"],
        (Family::OpenClip | Family::MClip | Family::Nllb, Role::Textual) => {
            &["tokenizer.json", "tokenizer_config.json", "config.json"]
        }
        _ => &[],
    }
}

/// Looks below a model's folder for `<role>/model.onnx`, or for Chinese-CLIP's exported names.
pub(crate) fn find(folder: &Path, family: Family, role: Role) -> Result<Option<Found>, ModelError> {
    let role_folder = folder.join(role.as_str());
    let model = role_folder.join("model.onnx");
    if !is_filled(&model) {
        return Ok(if family == Family::ChineseClip { exported(folder, "", role) } else { None });
    }
    let mut extra = BTreeMap::new();
    for name in EXTRAS {
        // Immich keeps config.json one level up, for both networks.
        for parent in [role_folder.as_path(), folder] {
            let path = parent.join(name);
            if is_filled(&path) {
                extra.insert(name.to_owned(), path);
                break;
            }
        }
    }
    match required(family, role).iter().find(|name| !extra.contains_key(**name)) {
        Some(missing) => Err(ModelError::Incomplete { folder: role_folder, missing: (*missing).to_owned() }),
        None => Ok(Some(Found { model, extra })),
    }
}

/// Finds files the user pointed at: a folder, one ONNX file, or the prefix of Chinese-CLIP's exported files.
pub(crate) fn find_at(path: &Path, family: Family, role: Role) -> Result<Option<Found>, ModelError> {
    if path.is_dir() {
        return find(path, family, role);
    }
    if is_filled(path) {
        return Ok(Some(Found { model: path.to_owned(), extra: BTreeMap::new() }));
    }
    match (family, path.parent(), path.file_name().and_then(|name| name.to_str())) {
        (Family::ChineseClip, Some(folder), Some(prefix)) => Ok(exported(folder, prefix, role)),
        _ => Ok(None),
    }
}

/// Chinese-CLIP's exporter writes `<prefix>.img.fp32.onnx` and `<prefix>.txt.fp32.onnx`, or `fp16`.
fn exported(folder: &Path, prefix: &str, role: Role) -> Option<Found> {
    let side = match role {
        Role::Visual => "img",
        Role::Textual => "txt",
        _ => return None,
    };
    let names: Vec<String> =
        fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    ["fp32", "fp16"].into_iter().find_map(|precision| {
        let ending = format!(".{side}.{precision}.onnx");
        let fits = |name: &&String| match name.strip_suffix(&ending) {
            Some(stem) => prefix.is_empty() || stem == prefix,
            None => false,
        };
        let model = folder.join(names.iter().filter(fits).min()?);
        is_filled(&model).then(|| Found { model, extra: BTreeMap::new() })
    })
}

/// The family of a model that nobody declared, from the files Immich's layout gives it.
pub(crate) fn guess_clip_family(folder: &Path, name: &str) -> Family {
    if name.starts_with("nllb") {
        Family::Nllb
    } else if folder.join("textual/tokenizer.json").is_file()
        || folder.join("visual/preprocess_cfg.json").is_file()
    {
        Family::OpenClip
    } else {
        Family::ChineseClip
    }
}

fn is_filled(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0)
}
