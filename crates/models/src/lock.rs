//! One download of a file at a time, across processes.
use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
};

/// Held while files of one kind are written. The operating system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    // None where the file system knows no locks: unique temporary names and renames still keep files whole there.
    _file: Option<File>,
}

impl Lock {
    /// Waits for the lock called `name` below `root`.
    pub(crate) fn wait(root: &Path, name: &str) -> io::Result<Self> {
        let file = open(root, name)?;
        match file.lock() {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Self { _file: None }),
            Err(error) => Err(error),
        }
    }

    /// The same; says so first if somebody else holds it.
    pub(crate) fn wait_telling(root: &Path, name: &str, busy: impl FnOnce()) -> io::Result<Self> {
        if let Some(lock) = Self::try_take(root, name) {
            return Ok(lock);
        }
        busy();
        Self::wait(root, name)
    }

    /// Takes the lock if nobody holds it.
    pub(crate) fn try_take(root: &Path, name: &str) -> Option<Self> {
        let file = open(root, name).ok()?;
        match file.try_lock() {
            Ok(()) => Some(Self { _file: Some(file) }),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Some(Self { _file: None })
            }
            Err(_) => None,
        }
    }
}

fn open(root: &Path, name: &str) -> io::Result<File> {
    let folder = root.join(".locks");
    fs::create_dir_all(&folder)?;
    File::options().create(true).truncate(false).write(true).open(folder.join(name.replace('/', "!")))
}
