//! The token that opens the page of photos, kept in a file that only its owner may read.
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use uuid::Uuid;
use viewfinder_files::private;

use crate::keys;
use crate::wiring::data_folder;

/// The file in the user's data folder.
const FILE: &str = "token";

/// The token, kept from the first start on. Without a data folder, or where it cannot be written, one for this run alone.
pub(crate) fn of_this_server() -> String {
    let kept = file().context("there is no home folder").and_then(|path| keep(&path));
    kept.unwrap_or_else(|error| {
        tracing::warn!(error = %format!("{error:#}"), "the token of the page of photos is good for this run only");
        made()
    })
}

/// The token of the server that was started last, as text.
pub(crate) fn kept() -> anyhow::Result<String> {
    let path = file().context("there is no home folder")?;
    keys::from_file(&path)
        .context("no server of this user has made a token yet; start one with `viewfinder serve`")
}

/// The page of photos at an address, opened by a key or the token. It stands behind a `#`, which browsers send to nobody: not to
/// logs of proxies, and not to other pages.
pub(crate) fn page(address: SocketAddr, key: &str) -> String {
    format!("{}#key={key}", bare_page(address))
}

/// The same, for whoever brings a key.
pub(crate) fn bare_page(address: SocketAddr) -> String {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip == Ipv4Addr::UNSPECIFIED || ip.is_loopback() => "localhost".to_owned(),
        IpAddr::V6(ip) if ip == Ipv6Addr::UNSPECIFIED || ip.is_loopback() => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    format!("http://{host}:{}/photos", address.port())
}

/// A page that leads to an address, in a file that only its owner may read: the token must not stand on a command line, which everybody on the
/// machine can see.
pub(crate) fn redirect(address: &str) -> anyhow::Result<PathBuf> {
    let path = data_folder().context("there is no home folder")?.join("open.html");
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| path.display().to_string());
        }
        _ => {}
    }
    let page = format!(
        "<!doctype html><meta http-equiv=\"refresh\" content=\"0; url={address}\"><title>Viewfinder</title>"
    );
    write_private(&path, &page).with_context(|| path.display().to_string())?;
    Ok(path)
}

fn file() -> Option<PathBuf> {
    data_folder().map(|data| data.join(FILE))
}

/// 244 random bits.
fn made() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

fn keep(path: &Path) -> anyhow::Result<String> {
    match fs::symlink_metadata(path) {
        Ok(found) => {
            anyhow::ensure!(found.is_file(), "{} is no regular file", path.display());
            private::narrow(path);
            if found.len() > 0 {
                return keys::from_file(path);
            }
            // A disk was full when it was made.
            fs::remove_file(path).with_context(|| path.display().to_string())?;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    }
    if let Some(folder) = path.parent() {
        private::create_folder(folder).with_context(|| folder.display().to_string())?;
    }
    // Whole or not at all, and the first of two servers that start together makes it.
    let part = path.with_extension(Uuid::new_v4().simple().to_string());
    let linked = write_private(&part, &made()).and_then(|()| fs::hard_link(&part, path));
    let removed = fs::remove_file(&part);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(error).with_context(|| path.display().to_string())
        }
        _ => {
            removed.with_context(|| part.display().to_string())?;
            keys::from_file(path)
        }
    }
}

/// Makes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = private::create_new(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/token");
        let first = keep(&path).unwrap();
        assert_eq!(keep(&path).unwrap(), first);
        assert_eq!(first.len(), 64);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(), 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            keep(&path).unwrap();
            assert_eq!(mode(), 0o600);
            fs::write(&path, "").unwrap();
            assert_ne!(keep(&path).unwrap(), first, "an empty file is none");
            assert_eq!((mode(), fs::read_dir(path.parent().unwrap()).unwrap().count()), (0o600, 1));
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            assert!(keep(&link).is_err(), "what a link leads to is not ours");
        }
    }

    #[test]
    fn the_page_has_a_name_that_a_browser_here_can_open() {
        for (address, host) in [
            ("[::]:3003", "localhost:3003"),
            ("0.0.0.0:80", "localhost:80"),
            ("127.0.0.1:1", "localhost:1"),
            ("192.168.1.5:3003", "192.168.1.5:3003"),
            ("[fd00::1]:3003", "[fd00::1]:3003"),
        ] {
            assert_eq!(page(address.parse().unwrap(), "t"), format!("http://{host}/photos#key=t"));
        }
    }
}
