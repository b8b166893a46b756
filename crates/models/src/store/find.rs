//! Finding a network on this machine.
use super::{Inner, Location, ModelFiles};
use crate::{
    Family, ModelEntry, ModelError, Part, Role, Source, checksum, clean_name,
    error::io_at,
    layout::{self, Found},
    manifest::{self, Manifest},
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::PoisonError,
};

impl Inner {
    pub(super) fn local(&self, name: &str, role: Role) -> Result<ModelFiles, ModelError> {
        let Some(entry) = self.catalogue.find(name) else {
            return self.undeclared(name, role);
        };
        let Some(holder) = self.catalogue.holder(entry, role) else {
            return Err(ModelError::NoRole { name: name.into(), role });
        };
        let sources = |entry: &ModelEntry| {
            let part = entry.part(role).map(|part| part.sources.clone()).unwrap_or_default();
            part.into_iter().chain(entry.sources.clone())
        };
        for source in sources(holder) {
            let Source::File { path } = source else { continue };
            if let Some(found) = layout::find_at(&path, holder.family, role)? {
                let sum = self.check_in_place(&found.model, holder.part(role))?;
                return Ok(model_files(entry, holder, role, found, Some(sum), Location::Own));
            }
        }
        for folder in self.cache_folders(&[name, &entry.name], entry.family, role) {
            match layout::find(&folder, holder.family, role) {
                Ok(Some(found)) => {
                    return Ok(model_files(entry, holder, role, found, None, Location::ImmichCache));
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "passing over an incomplete model in the cache"),
            }
        }
        if let Some((found, sum)) = self.stored(holder, role)? {
            return Ok(model_files(entry, holder, role, found, Some(sum), Location::Store));
        }
        match self.bundled(holder, role) {
            Ok(Some((found, sum))) => {
                return Ok(model_files(entry, holder, role, found, Some(sum), Location::Bundled));
            }
            Ok(None) => {}
            // It cannot be put right in place, but the store's own folder can have another.
            Err(error) => tracing::warn!(%error, "passing over a damaged model that came with the program"),
        }
        Err(ModelError::Missing { name: name.into(), role, offline: self.config.offline })
    }

    /// The store's own folder, and that of what came with the program.
    pub(super) fn roots(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.config.root.as_path()).chain(self.config.bundled.as_deref())
    }

    /// A model that only a cache in Immich's layout knows.
    fn undeclared(&self, name: &str, role: Role) -> Result<ModelFiles, ModelError> {
        let candidates: &[Family] = match role {
            Role::Visual | Role::Textual => &[Family::OpenClip],
            Role::Classification => &[Family::PaddleOcr],
            Role::Detection | Role::Recognition => &[Family::PaddleOcr, Family::InsightFace],
        };
        let mut known = false;
        for family in candidates {
            for folder in self.cache_folders(&[name], *family, role) {
                let family = match role {
                    Role::Visual | Role::Textual => layout::guess_clip_family(&folder, &clean_name(name)),
                    _ => *family,
                };
                known |= folder.is_dir();
                if let Some(found) = layout::find(&folder, family, role)? {
                    return Ok(ModelFiles {
                        name: name.to_owned(),
                        role,
                        family,
                        width: config_width(&found),
                        model: found.model,
                        extra: found.extra,
                        input_size: None,
                        sha256: None,
                        location: Location::ImmichCache,
                    });
                }
            }
        }
        Err(if known {
            ModelError::NoRole { name: name.into(), role }
        } else {
            ModelError::Unknown { name: name.into() }
        })
    }

    /// Folders that Immich would use for these names. Its OCR detectors are shared by all languages, so there only the
    /// part after `__` counts.
    pub(super) fn cache_folders(&self, names: &[&str], family: Family, role: Role) -> Vec<PathBuf> {
        let Some(task) = family.immich_task() else { return Vec::new() };
        let mut folders = Vec::new();
        for cache in &self.config.immich_caches {
            for name in names {
                let clean = clean_name(name);
                let shared = family == Family::PaddleOcr && role == Role::Detection;
                let name = match clean.split_once("__") {
                    Some((_, rest)) if shared => rest,
                    _ => &clean,
                };
                let folder = cache.join(task).join(name);
                if !name.is_empty() && !folders.contains(&folder) {
                    folders.push(folder);
                }
            }
        }
        folders
    }

    /// A network in the store's own folder, with the sum of its ONNX file.
    fn stored(&self, holder: &ModelEntry, role: Role) -> Result<Option<(Found, String)>, ModelError> {
        let model_folder = self.config.root.join(&holder.name);
        let folder = model_folder.join(role.as_str());
        let manifest = Manifest::read(&folder);
        if let Some(manifest) = &manifest {
            manifest.check(&folder, false)?;
        }
        let Some(found) = layout::find(&model_folder, holder.family, role)? else { return Ok(None) };
        if let Some(record) = manifest.as_ref().and_then(|manifest| manifest.files.get("model.onnx")) {
            check_sum(&found.model, holder.part(role), &record.sha256)?;
            return Ok(Some((found, record.sha256.clone())));
        }
        // Put there by hand.
        let sum = self.check_in_place(&found.model, holder.part(role))?;
        if found.model.starts_with(&folder)
            && let Err(error) = record_folder(&folder)
        {
            tracing::debug!(%error, "the store cannot be written");
        }
        Ok(Some((found, sum)))
    }

    /// A network in the folder of what came with the program, where nothing is written.
    fn bundled(&self, holder: &ModelEntry, role: Role) -> Result<Option<(Found, String)>, ModelError> {
        let Some(root) = &self.config.bundled else { return Ok(None) };
        let model_folder = root.join(&holder.name);
        let Some(found) = layout::find(&model_folder, holder.family, role)? else { return Ok(None) };
        let folder = model_folder.join(role.as_str());
        let manifest = Manifest::read(&folder);
        let sum =
            match manifest.as_ref().and_then(|manifest| manifest.files.get("model.onnx").zip(Some(manifest)))
            {
                Some((record, manifest)) => {
                    manifest.looked_at(&folder, false)?;
                    check_sum(&found.model, holder.part(role), &record.sha256)?;
                    record.sha256.clone()
                }
                None => self.check_in_place(&found.model, holder.part(role))?,
            };
        Ok(Some((found, sum)))
    }

    /// Sums a file that is used in place, once as long as it does not change, and compares where the sum is known.
    fn check_in_place(&self, path: &Path, part: Option<&Part>) -> Result<String, ModelError> {
        let metadata = fs::metadata(path).map_err(io_at(path))?;
        let key = (path.to_owned(), metadata.len(), metadata.modified().ok());
        let known = self.sums.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let sum = match known {
            Some(sum) => sum,
            None => checksum::of_file(path).map_err(io_at(path))?,
        };
        check_sum(path, part, &sum)?;
        self.sums.lock().unwrap_or_else(PoisonError::into_inner).insert(key, sum.clone());
        Ok(sum)
    }
}

fn model_files(
    entry: &ModelEntry,
    holder: &ModelEntry,
    role: Role,
    found: Found,
    sha256: Option<String>,
    location: Location,
) -> ModelFiles {
    ModelFiles {
        name: entry.name.clone(),
        role,
        family: entry.family,
        width: entry.width.or_else(|| config_width(&found)),
        input_size: holder.part(role).and_then(|part| part.input),
        model: found.model,
        extra: found.extra,
        sha256,
        location,
    }
}

/// The vector width that `OpenCLIP`'s settings state.
fn config_width(found: &Found) -> Option<usize> {
    let bytes = fs::read(found.extra.get("config.json")?).ok()?;
    let config: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    usize::try_from(config.get("embed_dim")?.as_u64()?).ok()
}

pub(super) fn check_sum(path: &Path, part: Option<&Part>, found: &str) -> Result<(), ModelError> {
    match part.and_then(|part| part.sha256.as_deref()) {
        Some(expected) if expected != found => {
            Err(ModelError::Corrupt { path: path.into(), expected: expected.into(), found: found.into() })
        }
        _ => Ok(()),
    }
}

/// Writes down what somebody put into a folder by hand.
pub(super) fn record_folder(folder: &Path) -> Result<(), ModelError> {
    let mut manifest = Manifest::default();
    for item in fs::read_dir(folder).map_err(io_at(folder))?.filter_map(Result::ok) {
        let Ok(name) = item.file_name().into_string() else { continue };
        let unfinished = name.starts_with('.') || name.contains(".part") || name == manifest::FILE;
        if !unfinished && item.path().is_file() {
            let sum = checksum::of_file(&item.path()).map_err(io_at(item.path()))?;
            manifest.record(folder, &name, sum)?;
        }
    }
    manifest.write(folder)
}
