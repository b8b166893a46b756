//! A file opened, and judged by what was opened.
//!
//! A path that is checked first and opened later may lead elsewhere by then. So it is opened first, in a way that harms nothing whatever
//! lies there, and then the open file is asked what it is.
use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// Which links may be on the way to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// None, in any part of its path.
    #[default]
    Refused,
    /// Any.
    Followed,
}

/// Why a file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A folder, a pipe, a socket or a device.
    #[error("it is no regular file")]
    NotRegular,
    /// A part of its path is a link.
    #[error("a link leads elsewhere")]
    Link,
    /// The system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Opens a regular file for reading. Without links followed, the path must be absolute and as the system itself would write it, as paths of
/// walked folders are.
pub fn open(path: &Path, links: Links) -> Result<File, OpenError> {
    let file = try_open(path, links)?;
    // A pipe without a writer and a device are open by now, and nothing was read of them.
    if !file.metadata()?.is_file() {
        return Err(OpenError::NotRegular);
    }
    if links == Links::Refused && real_path(&file, path)? != path {
        return Err(OpenError::Link);
    }
    Ok(file)
}

#[cfg(unix)]
fn try_open(path: &Path, links: Links) -> Result<File, OpenError> {
    use std::{os::unix::fs::OpenOptionsExt as _, thread::sleep, time::Duration};
    /// Samba lets go of a file that a client has for itself when somebody else opens it, but not at once.
    const TRIES: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(50);

    let no_links = if links == Links::Refused { libc::O_NOFOLLOW } else { 0 };
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(no_links | libc::O_NONBLOCK);
    for _ in 1..TRIES {
        match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(PAUSE),
            opened => return opened.map_err(explain),
        }
    }
    options.open(path).map_err(explain)
}

#[cfg(unix)]
fn explain(error: io::Error) -> OpenError {
    match error.raw_os_error() {
        Some(libc::ELOOP) => OpenError::Link,
        // A socket, or a device without its driver.
        Some(libc::ENXIO) => OpenError::NotRegular,
        _ => OpenError::Io(error),
    }
}

#[cfg(not(unix))]
fn try_open(path: &Path, _: Links) -> Result<File, OpenError> {
    Ok(OpenOptions::new().read(true).open(path)?)
}

/// Where an open file really lies. Other systems than Linux are asked where its path leads now, which leaves a moment in between.
fn real_path(file: &File, path: &Path) -> io::Result<PathBuf> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd as _;
        let told = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        // Without /proc, as in a bare chroot, as elsewhere.
        if let Ok(real) = told {
            return Ok(real);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
    path.canonicalize()
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, io::Read as _, os::unix::fs::symlink, process::Command};

    use super::*;

    #[test]
    fn only_regular_files_are_opened_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::write(root.join("file"), "content").unwrap();
        assert!(Command::new("mkfifo").arg(root.join("pipe")).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        symlink("/dev/zero", root.join("zero")).unwrap();
        symlink("pipe", root.join("to-pipe")).unwrap();
        for links in [Links::Refused, Links::Followed] {
            let mut text = String::new();
            open(&root.join("file"), links).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "content");
            for name in ["pipe", "socket", "."] {
                let error = open(&root.join(name), links).unwrap_err();
                assert!(matches!(error, OpenError::NotRegular), "{name}: {error:?}");
            }
            let gone = open(&root.join("gone"), links).unwrap_err();
            assert!(
                matches!(&gone, OpenError::Io(error) if error.kind() == io::ErrorKind::NotFound),
                "{gone:?}"
            );
        }
        for name in ["zero", "to-pipe"] {
            let error = open(&root.join(name), Links::Followed).unwrap_err();
            assert!(matches!(error, OpenError::NotRegular), "{name}: {error:?}");
        }
    }

    #[test]
    fn a_link_in_any_part_of_the_path_is_followed_only_where_wanted() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = folder.path().canonicalize().unwrap();
        fs::write(outside.path().join("x.jpg"), "secret").unwrap();
        symlink(outside.path().join("x.jpg"), root.join("file.jpg")).unwrap();
        symlink(outside.path(), root.join("folder")).unwrap();
        for name in ["file.jpg", "folder/x.jpg"] {
            let error = open(&root.join(name), Links::Refused).unwrap_err();
            assert!(matches!(error, OpenError::Link), "{name}: {error:?}");
            open(&root.join(name), Links::Followed).unwrap();
        }
    }
}
