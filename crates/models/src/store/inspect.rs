//! What is here, and whether it is sound.
use super::{Inner, Location, check_sum};
use crate::{
    Family, ModelEntry, ModelError, Role, Source, checksum, error::io_at, layout, manifest::Manifest,
};
use std::{fs, path::PathBuf};

/// A model and which of its networks are here.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ModelStatus {
    /// Its name.
    pub name: String,
    /// How it is used.
    pub family: Family,
    /// Length of its vectors.
    pub width: Option<usize>,
    /// Licence of the weights.
    pub licence: Option<String>,
    /// Something to know before using it.
    pub note: Option<String>,
    /// Its networks; empty for the ONNX Runtime library, which `library` describes.
    pub roles: Vec<RoleStatus>,
    /// The library's path, if this entry is the runtime and it is here.
    pub library: Option<PathBuf>,
}

/// Is a network here?
#[derive(Clone, Debug, serde::Serialize)]
pub struct RoleStatus {
    /// Which network.
    pub role: Role,
    /// How much of it is here.
    pub state: State,
    /// Bytes on disk; of an absent one, the size to expect where known.
    pub bytes: Option<u64>,
    /// Where it was found.
    pub location: Option<Location>,
    /// Its ONNX file.
    pub path: Option<PathBuf>,
}

/// How much of a network is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Complete.
    Present,
    /// An unfinished download, or files that do not belong together.
    Partial,
    /// Nothing.
    Absent,
}

/// What a check of one network found.
#[derive(Debug)]
pub struct CheckResult {
    /// The model.
    pub name: String,
    /// The network; none for the ONNX Runtime library.
    pub role: Option<Role>,
    /// The folder or file checked.
    pub path: PathBuf,
    /// The outcome.
    pub verdict: Verdict,
}

/// The outcome of a check.
#[derive(Debug)]
pub enum Verdict {
    /// Every sum is right.
    Good,
    /// The file has no known sum; this one was found.
    Unknown(String),
    /// Something is wrong.
    Bad(ModelError),
}

impl Inner {
    /// Models that only a cache in Immich's layout knows.
    pub(super) fn undeclared_models(&self) -> Vec<ModelStatus> {
        let mut out: Vec<ModelStatus> = Vec::new();
        for (cache, task) in self
            .config
            .immich_caches
            .iter()
            .flat_map(|cache| ["ocr", "facial-recognition", "clip"].map(|task| (cache, task)))
        {
            let Ok(folders) = fs::read_dir(cache.join(task)) else { continue };
            let mut names: Vec<String> =
                folders.filter_map(|folder| folder.ok()?.file_name().into_string().ok()).collect();
            names.sort();
            for name in names {
                if self.catalogue.find(&name).is_some() || out.iter().any(|known| known.name == name) {
                    continue;
                }
                let found: Vec<_> =
                    Role::ALL.into_iter().filter_map(|role| self.local(&name, role).ok()).collect();
                let Some(first) = found.first() else { continue };
                out.push(ModelStatus {
                    name,
                    family: first.family,
                    width: first.width,
                    licence: None,
                    note: None,
                    library: None,
                    roles: found
                        .into_iter()
                        .map(|files| RoleStatus {
                            role: files.role,
                            state: State::Present,
                            bytes: fs::metadata(&files.model).ok().map(|metadata| metadata.len()),
                            location: Some(files.location),
                            path: Some(files.model),
                        })
                        .collect(),
                });
            }
        }
        out
    }

    pub(super) fn status(&self, entry: &ModelEntry, role: Role) -> RoleStatus {
        let part = self.catalogue.holder(entry, role).and_then(|holder| holder.part(role));
        let mut status = RoleStatus {
            role,
            state: State::Absent,
            bytes: part.and_then(|part| part.bytes),
            location: None,
            path: None,
        };
        let Some(holder) = self.catalogue.holder(entry, role) else { return status };
        let own_folder = self.config.root.join(&holder.name).join(role.as_str());
        let in_store = || {
            for (root, location) in self.roots().zip([Location::Store, Location::Bundled]) {
                if let Some(found) = layout::find(&root.join(&holder.name), holder.family, role)? {
                    return Ok::<_, ModelError>(Some((found, location)));
                }
            }
            Ok(None)
        };
        let own =
            part.iter().flat_map(|part| &part.sources).chain(&holder.sources).find_map(
                |source| match source {
                    Source::File { path } => layout::find_at(path, holder.family, role).ok().flatten(),
                    _ => None,
                },
            );
        let found = own.map(|found| (found, Location::Own)).or_else(|| {
            let mut folders = self.cache_folders(&[&entry.name], entry.family, role).into_iter();
            let cached = folders.find_map(|folder| layout::find(&folder, holder.family, role).ok().flatten());
            cached.map(|found| (found, Location::ImmichCache))
        });
        match found.map_or_else(in_store, |found| Ok(Some(found))) {
            Ok(Some((found, location))) => {
                status.state = State::Present;
                if matches!(location, Location::Store | Location::Bundled)
                    && let Some(folder) = found.model.parent()
                    && let Some(manifest) = Manifest::read(folder)
                {
                    let size = |name: &String| fs::metadata(folder.join(name)).map_or(0, |m| m.len());
                    if manifest.files.iter().any(|(name, record)| size(name) != record.bytes) {
                        status.state = State::Partial;
                    }
                    status.bytes = Some(manifest.files.keys().map(size).sum());
                } else {
                    status.bytes = fs::metadata(&found.model).ok().map(|metadata| metadata.len());
                }
                status.location = Some(location);
                status.path = Some(found.model);
            }
            Ok(None) => {
                if own_folder.read_dir().is_ok_and(|mut files| files.next().is_some()) {
                    status.state = State::Partial;
                }
            }
            Err(_) => status.state = State::Partial,
        }
        status
    }

    pub(super) fn verify(&self, holder: &ModelEntry, role: Role) -> Option<CheckResult> {
        let status = self.status(holder, role);
        let path = status.path.clone()?;
        let part = holder.part(role);
        let folder = path.parent().unwrap_or(&path);
        let ours = matches!(status.location, Some(Location::Store | Location::Bundled));
        let verdict = match Manifest::read(folder).filter(|_| ours) {
            Some(manifest) => manifest
                .looked_at(folder, true)
                .and_then(|_| match manifest.files.get("model.onnx") {
                    Some(record) => check_sum(&path, part, &record.sha256),
                    None => Ok(()),
                })
                .map_or_else(Verdict::Bad, |()| Verdict::Good),
            None => match checksum::of_file(&path) {
                Err(error) => Verdict::Bad(io_at(&path)(error)),
                // Immich rewrites the graphs in its cache, so their sums say nothing.
                Ok(sum) if status.location == Some(Location::ImmichCache) => Verdict::Unknown(sum),
                Ok(sum) => match (part.and_then(|part| part.sha256.as_ref()), check_sum(&path, part, &sum)) {
                    (_, Err(error)) => Verdict::Bad(error),
                    (Some(_), Ok(())) => Verdict::Good,
                    (None, Ok(())) => Verdict::Unknown(sum),
                },
            },
        };
        Some(CheckResult { name: holder.name.clone(), role: Some(role), path, verdict })
    }
}
