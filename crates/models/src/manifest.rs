//! What a folder of the store holds, and whether it still does.
use crate::{ModelError, checksum, error::io_at};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// The file that marks a folder as complete.
pub(crate) const FILE: &str = "manifest.json";

/// Sizes and sums of the files in one folder.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) files: BTreeMap<String, Record>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// Time of last change in nanoseconds since 1970: while size and time stay, the sum is not computed again.
    pub(crate) modified_ns: u64,
}

impl Manifest {
    /// The folder's manifest; none if there is none that can be read.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let bytes = fs::read(folder.join(FILE)).ok()?;
        serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(folder = %folder.display(), %error, "unreadable manifest"))
            .ok()
    }

    /// Notes a file with a sum that was just computed.
    pub(crate) fn record(&mut self, folder: &Path, name: &str, sha256: String) -> Result<(), ModelError> {
        let path = folder.join(name);
        let (bytes, modified_ns) = stamp(&path).map_err(io_at(path))?;
        self.files.insert(name.to_owned(), Record { bytes, sha256, modified_ns });
        Ok(())
    }

    /// Replaces the folder's manifest in one step.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), ModelError> {
        let file =
            tempfile::Builder::new().prefix(".manifest-").tempfile_in(folder).map_err(io_at(folder))?;
        serde_json::to_writer_pretty(&file, self).map_err(|error| io_at(folder)(error.into()))?;
        file.as_file().sync_all().map_err(io_at(folder))?;
        share(file.path()).map_err(io_at(folder))?;
        let path = folder.join(FILE);
        file.persist(&path).map_err(|error| io_at(path)(error.error))?;
        sync_folder(folder);
        Ok(())
    }

    /// Are all files there, unchanged? `thorough` sums every file; otherwise only those whose size or time changed.
    pub(crate) fn check(&self, folder: &Path, thorough: bool) -> Result<(), ModelError> {
        let fresh = self.looked_at(folder, thorough)?;
        if fresh.files != self.files {
            // Only spares the next check its work; the folder may be read-only.
            let _ = fresh.write(folder);
        }
        Ok(())
    }

    /// The same look, which writes nothing: the manifest as it should be by now.
    pub(crate) fn looked_at(&self, folder: &Path, thorough: bool) -> Result<Self, ModelError> {
        let mut fresh = self.clone();
        for (name, record) in &self.files {
            let path = folder.join(name);
            let (bytes, modified_ns) = match stamp(&path) {
                Ok(stamp) => stamp,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(ModelError::Incomplete { folder: folder.into(), missing: name.clone() });
                }
                Err(error) => return Err(io_at(path)(error)),
            };
            if !thorough && bytes == record.bytes && modified_ns == record.modified_ns {
                continue;
            }
            let found = checksum::of_file(&path).map_err(io_at(&path))?;
            if found != record.sha256 {
                return Err(ModelError::Corrupt { path, expected: record.sha256.clone(), found });
            }
            fresh.files.insert(name.clone(), Record { modified_ns, ..record.clone() });
        }
        Ok(fresh)
    }
}

/// Size and time of change of a file.
fn stamp(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let ns = modified.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos());
    Ok((metadata.len(), u64::try_from(ns).unwrap_or(0)))
}

/// Gives a temporary file the usual permissions, so that other users of a shared store can read it.
pub(crate) fn share(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Makes renames in a folder survive a power cut, where the system can.
pub(crate) fn sync_folder(folder: &Path) {
    if let Ok(handle) = fs::File::open(folder) {
        let _ = handle.sync_all();
    }
}
