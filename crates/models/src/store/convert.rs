//! Making networks out of checkpoints, and taking made networks in.
use super::{ARCHIVES, Inner, find::record_folder, lock_name};
use crate::{
    Family, ModelEntry, ModelError, Progress, Role, Source, Step, checksum,
    error::io_at,
    http::{Download, Expected, Trouble},
    lock::Lock,
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use viewfinder_convert::{
    ConvertError,
    checkpoint::{Checkpoint, Weights},
    chinese_clip::{Architecture, Conversion, Origin},
    onnx::OnnxError,
};

/// What became of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The published size it is, in the catalogue's words; none for others.
    pub name: Option<String>,
    /// Length of its vectors.
    pub width: usize,
    /// The ONNX files.
    pub files: Vec<PathBuf>,
}

impl Inner {
    /// Fetches a checkpoint and makes a network of it, and with it the model's others that are missing. The caller holds
    /// the network's lock.
    pub(super) fn try_checkpoint(
        &self,
        source: &Source,
        holder: &ModelEntry,
        role: Role,
        impatient: bool,
        progress: &dyn Progress,
    ) -> Result<(), Trouble> {
        let key = source.to_string().replace(['/', ':', ' '], "!");
        let _lock = Lock::wait(&self.config.root, &key).map_err(|error| error.to_string())?;
        let fetched = self.config.root.join(ARCHIVES).join(&key);
        if let Source::File { path } = source {
            let sha256 = checksum::of_file(path).map_err(|error| error.to_string())?;
            let made = self.convert_missing(path, source, sha256, holder, role, progress);
            return Ok(made.map_err(|error| error.to_string())?);
        }
        let one_file = !matches!(source, Source::GitHub { member: Some(_), .. });
        let (url, bearer) =
            self.address(source).filter(|_| one_file).ok_or("a checkpoint is one file".to_owned())?;
        // Another thread may have left it for the network that this one wants.
        let sha256 = if let Ok(sha256) = checksum::of_file(&fetched) {
            sha256
        } else {
            let label = format!("{} weights", holder.name);
            let unknown = Expected::default();
            let file = Download { url: &url, bearer, expected: &unknown, dest: &fetched, label: &label };
            self.client.download(file, impatient, progress)?
        };
        let result = self.convert_missing(&fetched, source, sha256, holder, role, progress);
        let missing =
            |role: &Role| matches!(self.local(&holder.name, *role), Err(ModelError::Missing { .. }));
        let still_wanted = match &result {
            Ok(()) => holder.roles().iter().any(missing),
            // A full disk is not the checkpoint's fault, and it was long in coming.
            Err(error) => matches!(error, ModelError::Io { .. }),
        };
        if !still_wanted {
            let _ = fs::remove_file(&fetched);
        }
        Ok(result.map_err(|error| error.to_string())?)
    }

    /// Makes the network for `role`, and those for other roles that are missing and that nobody else is making.
    fn convert_missing(
        &self,
        checkpoint: &Path,
        source: &Source,
        sha256: String,
        holder: &ModelEntry,
        role: Role,
        progress: &dyn Progress,
    ) -> Result<(), ModelError> {
        let origin = Origin { source: source.to_string(), sha256 };
        let weights = open(checkpoint)?;
        let architecture = Architecture::of(&weights, holder.text_heads)?;
        if let Some(width) = holder.width.filter(|width| *width != architecture.embedding) {
            let found = architecture.embedding;
            return Err(ModelError::Conversion(format!("its vectors have {found} numbers, not {width}")));
        }
        let make = |role: Role| -> Result<TempDir, ModelError> {
            let work = self.work_folder()?;
            let label = format!("{} {role}", holder.name);
            write(&weights, &architecture, &origin, role, work.path(), &label, progress)?;
            Ok(work)
        };
        let mut made = vec![(role, make(role)?, None)];
        for other in holder.roles().into_iter().filter(|other| *other != role) {
            let lock = Lock::try_take(&self.config.root, &lock_name(holder, other));
            let missing = matches!(self.local(&holder.name, other), Err(ModelError::Missing { .. }));
            if lock.is_some() && missing {
                made.push((other, make(other)?, lock));
            }
        }
        // Only now: a checkpoint of which one half is damaged is not to be trusted with the other.
        made.into_iter().try_for_each(|(role, work, _lock)| self.take_in(work, holder, role))
    }

    pub(super) fn convert(
        &self,
        checkpoint: &Path,
        out: Option<&Path>,
        text_heads: Option<usize>,
        progress: &dyn Progress,
    ) -> Result<Converted, ModelError> {
        let named = |error: ModelError| match error {
            ModelError::Conversion(reason) => {
                ModelError::Conversion(format!("{}: {reason}", checkpoint.display()))
            }
            other => other,
        };
        let weights = open(checkpoint).map_err(named)?;
        let architecture = Architecture::of(&weights, text_heads).map_err(|error| named(error.into()))?;
        let name = architecture.size().map(|size| format!("cn-clip/{size}"));
        let entry = name.as_deref().and_then(|name| self.catalogue.find(name));
        if out.is_none() && entry.is_none() {
            return Err(ModelError::Conversion(format!(
                "{} is none of the published sizes, so the store has no name for it: say where to with --out",
                checkpoint.display()
            )));
        }
        let sha256 = checksum::of_file(checkpoint).map_err(io_at(checkpoint))?;
        let source = checkpoint.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let origin = Origin { source, sha256 };
        let mut files = Vec::new();
        for role in Family::ChineseClip.roles().iter().copied() {
            let label = format!("{} {role}", name.as_deref().unwrap_or(&origin.source));
            let work = match out {
                Some(out) => {
                    fs::create_dir_all(out).map_err(io_at(out))?;
                    tempfile::Builder::new().prefix(".make-").tempdir_in(out).map_err(io_at(out))?
                }
                None => self.work_folder()?,
            };
            write(&weights, &architecture, &origin, role, work.path(), &label, progress).map_err(named)?;
            if let Some(out) = out {
                let folder = out.join(role.as_str());
                replace(work, &folder)?;
                files.push(folder.join("model.onnx"));
            } else if let Some(entry) = entry {
                let root = &self.config.root;
                let _lock = Lock::wait(root, &lock_name(entry, role)).map_err(io_at(root))?;
                self.take_in(work, entry, role)?;
                files.push(self.local(&entry.name, role)?.model);
            }
        }
        Ok(Converted { name, width: architecture.embedding, files })
    }

    /// A folder on the store's disk for something unfinished.
    pub(super) fn work_folder(&self) -> Result<TempDir, ModelError> {
        let archives = self.config.root.join(ARCHIVES);
        fs::create_dir_all(&archives).map_err(io_at(&archives))?;
        tempfile::Builder::new().prefix("make-").tempdir_in(&archives).map_err(io_at(&archives))
    }

    /// Makes a finished folder a network of the store. The caller holds the network's lock.
    pub(super) fn take_in(&self, made: TempDir, entry: &ModelEntry, role: Role) -> Result<(), ModelError> {
        record_folder(made.path())?;
        replace(made, &self.config.root.join(&entry.name).join(role.as_str()))
    }
}

/// Writes one network into a folder.
fn write(
    weights: &Weights,
    architecture: &Architecture,
    origin: &Origin,
    role: Role,
    folder: &Path,
    label: &str,
    progress: &dyn Progress,
) -> Result<(), ModelError> {
    progress.begin(Step::Convert, label, None);
    let conversion = Conversion { weights, architecture, origin, progress: &|bytes| progress.advance(bytes) };
    let path = folder.join("model.onnx");
    let result = match role {
        Role::Textual => conversion.write_textual(&path),
        _ => conversion.write_visual(&path),
    };
    match &result {
        Ok(()) => progress.end(Ok(())),
        Err(error) => progress.end(Err(&error.to_string())),
    }
    Ok(result?)
}

fn open(checkpoint: &Path) -> Result<Weights, ModelError> {
    let weights = Checkpoint::open(checkpoint).and_then(Weights::new);
    Ok(weights.map_err(ConvertError::from)?)
}

/// Puts a finished folder in the place of another. Should the process end in between, there is none, and it is made again.
fn replace(made: TempDir, folder: &Path) -> Result<(), ModelError> {
    share_folder(made.path()).map_err(io_at(made.path()))?;
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(io_at(parent))?;
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io_at(folder)(error)),
        _ => {}
    }
    fs::rename(made.path(), folder).map_err(io_at(folder))?;
    // It is not where it was made any more.
    let _ = made.keep();
    Ok(())
}

/// Gives a temporary folder the usual permissions, so that other users of a shared store can read it.
fn share_folder(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

impl From<ConvertError> for ModelError {
    fn from(error: ConvertError) -> Self {
        match error {
            ConvertError::Onnx(OnnxError::Io { path, source }) => Self::Io { path, source },
            other => Self::Conversion(other.to_string()),
        }
    }
}
