//! Files and folders that only their owner may look into, from the first byte on.
//!
//! Where the system has no such rights, as on Windows, folders of users are private by themselves.
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    path::Path,
};

/// Makes a folder, and those above it that are missing. One that is there stays as it is.
pub fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a file anew, or empties the one that is there.
pub fn create(path: &Path) -> io::Result<File> {
    let file = options().create(true).truncate(true).open(path)?;
    narrow_open(&file, path);
    Ok(file)
}

/// Makes a file that is not there yet.
pub fn create_new(path: &Path) -> io::Result<File> {
    options().create_new(true).open(path)
}

/// Opens a file to write behind what it holds, and makes it if it is missing.
pub fn append(path: &Path) -> io::Result<File> {
    let mut options = options();
    options.append(true).create(true).open(path)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Takes the rights of others from a file or folder of ours, if it is there, and says so in the log. Only for what Viewfinder itself has
/// made: what a user points at may be for others, too.
pub fn narrow(path: &Path) {
    match fs::metadata(path) {
        Ok(found) => narrowed(path, &found, |rights| fs::set_permissions(path, rights)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::debug!(%error, path = %path.display(), "whether others may read it is not known");
        }
    }
}

/// The same for many things at once, with one line for all of them.
pub fn narrow_all<'a>(what: &str, paths: impl IntoIterator<Item = &'a Path>) {
    let narrow = |path: &&Path| {
        let Ok(found) = fs::symlink_metadata(path) else { return false };
        is_wide(&found) && !found.is_symlink() && fs::set_permissions(path, tight(&found)).is_ok()
    };
    let count = paths.into_iter().filter(narrow).count();
    if count > 0 {
        tracing::warn!("others could read {count} {what}; now only you can");
    }
}

fn narrow_open(file: &File, path: &Path) {
    if let Ok(found) = file.metadata() {
        narrowed(path, &found, |rights| file.set_permissions(rights));
    }
}

fn narrowed(path: &Path, found: &fs::Metadata, set: impl FnOnce(fs::Permissions) -> io::Result<()>) {
    if !is_wide(found) {
        return;
    }
    let shown = path.display();
    match set(tight(found)) {
        Err(error) => tracing::warn!("others may read {shown}: {error}"),
        // File systems without rights of their own take it and forget it.
        Ok(()) if fs::metadata(path).is_ok_and(|found| is_wide(&found)) => {
            tracing::warn!("others may read {shown}: its disk keeps no rights");
        }
        Ok(()) => tracing::warn!("others could read {shown}; now only you can"),
    }
}

/// May anybody but the owner do anything with it? Not for pipes and devices, such as /dev/null.
#[cfg(unix)]
fn is_wide(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    (found.is_file() || found.is_dir()) && found.permissions().mode() & 0o077 != 0
}

#[cfg(unix)]
fn tight(found: &fs::Metadata) -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::Permissions::from_mode(found.permissions().mode() & 0o7700)
}

#[cfg(not(unix))]
fn is_wide(_: &fs::Metadata) -> bool {
    false
}

#[cfg(not(unix))]
fn tight(found: &fs::Metadata) -> fs::Permissions {
    found.permissions()
}

#[cfg(all(test, unix))]
mod tests {
    use std::{io::Write as _, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn widen(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_made_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        create_folder(&inner).unwrap();
        assert_eq!([mode(&inner), mode(inner.parent().unwrap())], [0o700; 2]);
        let file = inner.join("file");
        for make in [create_new, create, append] {
            make(&file).unwrap().write_all(b"secret").unwrap();
            assert_eq!(mode(&file), 0o600);
        }
        assert_eq!(fs::read(&file).unwrap(), b"secretsecret");
        assert_eq!(create_new(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        widen(&file, 0o644);
        create(&file).unwrap();
        assert_eq!(mode(&file), 0o600, "an old file is not filled with others looking on");
    }

    #[test]
    fn what_is_wide_is_narrowed_and_what_is_missing_stays_missing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        narrow(&file);
        assert!(!file.exists());
        fs::write(&file, "").unwrap();
        widen(&file, 0o664);
        widen(folder.path(), 0o755);
        narrow(&file);
        narrow(folder.path());
        assert_eq!([mode(&file), mode(folder.path())], [0o600, 0o700]);
        // Somebody took the right to write from themselves, and keeps it so.
        widen(&file, 0o444);
        narrow_all("files", [file.as_path()]);
        assert_eq!(mode(&file), 0o400);
        create_folder(folder.path()).unwrap();
    }
}
