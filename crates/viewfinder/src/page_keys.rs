//! Keys that open the page of photos for others, made on request: each in a file of its own in the data folder, which only its
//! owner may read, named as the key is. A server looks there again, so that a new key works at once and a removed one no more.
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use uuid::Uuid;
use viewfinder_files::private;
use viewfinder_server::Key;

use crate::keys;
use crate::token::write_private;
use crate::wiring::data_folder;

/// The folder in the user's data folder.
const FOLDER: &str = "keys";
/// Keys there may be: each is compared with what strangers show.
const MOST: usize = 100;
/// Letters of a key's name.
const LONGEST_NAME: usize = 64;
/// For how long what was read is believed.
const FRESH: Duration = Duration::from_secs(1);

/// The folder of a user's keys.
#[derive(Clone, Debug)]
pub(crate) struct PageKeys(PathBuf);

impl PageKeys {
    /// That of this user.
    pub(crate) fn of_this_user() -> anyhow::Result<Self> {
        data_folder().map(|data| Self(data.join(FOLDER))).context("there is no home folder")
    }

    /// Makes a key, by this name or by the next number, and tells both.
    pub(crate) fn make(&self, name: Option<&str>) -> anyhow::Result<(String, String)> {
        let known = self.names()?;
        ensure!(known.len() < MOST, "there are {MOST} keys already; `viewfinder key remove` takes one away");
        let next = || (1..=MOST).map(|number| format!("key-{number}")).find(|name| !known.contains(name));
        let name = name.map(str::to_owned).or_else(next).unwrap_or_default();
        check(&name)?;
        private::create_folder(&self.0).with_context(|| self.0.display().to_string())?;
        private::narrow(&self.0);
        // 122 random bits; nobody has to type more of it than need be.
        let key = Uuid::new_v4().simple().to_string();
        match write_private(&self.0.join(&name), &key) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                anyhow::bail!("there is a key named {name}; `viewfinder key remove {name}` takes it away")
            }
            written => written.with_context(|| format!("cannot keep the key in {}", self.0.display()))?,
        }
        Ok((name, key))
    }

    /// Takes a key away. False where there is none of this name.
    pub(crate) fn remove(&self, name: &str) -> anyhow::Result<bool> {
        check(name)?;
        match fs::remove_file(self.0.join(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| self.0.join(name).display().to_string()),
        }
    }

    /// The names, in order.
    pub(crate) fn names(&self) -> anyhow::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| self.0.display().to_string())?,
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| check(name).is_ok()).take(MOST).collect();
        names.sort();
        Ok(names)
    }

    /// What tells the keys as they are now, give or take a second.
    pub(crate) fn teller(self) -> Arc<dyn Fn() -> Arc<[Key]> + Send + Sync> {
        let read: Mutex<Option<(Instant, Arc<[Key]>)>> = Mutex::default();
        Arc::new(move || {
            let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
            match &*read {
                Some((when, keys)) if when.elapsed() < FRESH => Arc::clone(keys),
                _ => {
                    let keys = self.read();
                    *read = Some((Instant::now(), Arc::clone(&keys)));
                    keys
                }
            }
        })
    }

    /// The keys themselves. A file that cannot be read, or holds no key, opens nothing.
    fn read(&self) -> Arc<[Key]> {
        let names = self.names().unwrap_or_else(|error| {
            tracing::debug!(error = %format!("{error:#}"), "keys cannot be listed");
            Vec::new()
        });
        names.iter().filter_map(|name| key_in(&self.0.join(name))).collect()
    }
}

fn key_in(path: &Path) -> Option<Key> {
    private::narrow(path);
    Key::new(&keys::from_file(path).ok()?).ok()
}

/// A name is a file's, on every system, and stands in a command.
fn check(name: &str) -> anyhow::Result<()> {
    let fit = name.chars().all(|letter| letter.is_alphanumeric() || letter == '-' || letter == '_');
    ensure!(
        fit && !name.is_empty() && !name.starts_with('-') && name.chars().count() <= LONGEST_NAME,
        "the name of a key has letters, digits, - and _, up to {LONGEST_NAME}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_by_name_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let keys = PageKeys(folder.path().join("data/keys"));
        assert_eq!(keys.names().unwrap(), [""; 0]);
        let (first, one) = keys.make(None).unwrap();
        let (phone, other) = keys.make(Some("手机")).unwrap();
        assert_eq!((first.as_str(), phone.as_str()), ("key-1", "手机"));
        assert!(one.len() == 32 && one != other);
        assert_eq!(keys.make(None).unwrap().0, "key-2");
        let again = keys.make(Some("手机")).unwrap_err().to_string();
        assert!(again.contains("key remove 手机"), "{again}");
        assert_eq!(keys.read().len(), 3);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&keys.0), mode(&keys.0.join("手机"))), (0o700, 0o600));
        }
        assert!(keys.remove("手机").unwrap() && !keys.remove("手机").unwrap());
        assert_eq!(keys.names().unwrap(), ["key-1", "key-2"]);
        fs::write(keys.0.join("empty"), "").unwrap();
        assert_eq!(keys.read().len(), 2, "an empty file opens nothing");
    }

    #[test]
    fn names_lead_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let keys = PageKeys(folder.path().join("keys"));
        for name in ["", "..", "a/b", "a b", "-f", "a.b", &"x".repeat(65)] {
            assert!(keys.make(Some(name)).is_err() && keys.remove(name).is_err(), "{name}");
        }
    }
}
