//! Sources that failed a short while ago, remembered across processes, so that nobody waits for them twice.
use crate::manifest;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// For so long.
const REMEMBERED: Duration = Duration::from_mins(10);
/// The file's name in the store's folder.
const FILE: &str = "failed-sources.json";
/// More was not written by us.
const LARGEST: u64 = 1 << 20;

/// What is known of a source that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FailedSource {
    /// Seconds since 1970.
    at: u64,
    /// In one line.
    pub(crate) reason: String,
    /// It delivers, but hardly anything.
    #[serde(default)]
    pub(crate) crawls: bool,
}

impl FailedSource {
    /// How long ago that was, in words.
    pub(crate) fn ago(&self) -> String {
        match now().saturating_sub(self.at) / 60 {
            0 => "less than a minute ago".to_owned(),
            1 => "a minute ago".to_owned(),
            minutes => format!("{minutes} minutes ago"),
        }
    }
}

/// The memory of a store. Without a place to write to, it is that of the process.
#[derive(Debug)]
pub(crate) struct FailedSources {
    file: PathBuf,
    own: Mutex<Known>,
}

type Known = BTreeMap<String, FailedSource>;

impl FailedSources {
    pub(crate) fn of(root: &Path) -> Self {
        Self { file: root.join(FILE), own: Mutex::default() }
    }

    /// Everything that failed in the last minutes, by address or source.
    pub(crate) fn known(&self) -> Known {
        let mut known = self.read();
        known.extend(self.own.lock().unwrap_or_else(PoisonError::into_inner).clone());
        known.retain(|_, source| is_fresh(source.at));
        known
    }

    /// Remembers a failure.
    pub(crate) fn note(&self, key: &str, reason: &str, crawls: bool) {
        let failed = FailedSource { at: now(), reason: reason.to_owned(), crawls };
        self.own.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), failed);
        self.write(&self.known());
    }

    /// It delivers again.
    pub(crate) fn forget(&self, key: &str) {
        let mut known = self.known();
        if known.remove(key).is_some() {
            self.own.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            self.write(&known);
        }
    }

    /// Forgets everything.
    pub(crate) fn forget_all(&self) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).clear();
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::debug!(%error, "the memory of failed sources cannot be removed");
            }
            _ => {}
        }
    }

    /// What is written down; nothing if it cannot be read, whatever stands there.
    fn read(&self) -> Known {
        if !fs::metadata(&self.file).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LARGEST) {
            return Known::new();
        }
        let text = fs::read(&self.file).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Replaces the file in one step. Of two processes at a time one loses what it had to add, and finds it out anew.
    fn write(&self, known: &Known) {
        let written = || -> io::Result<()> {
            let folder = self.file.parent().unwrap_or(Path::new("."));
            let file = tempfile::Builder::new().prefix(".failed-").tempfile_in(folder)?;
            serde_json::to_writer_pretty(&file, known)?;
            manifest::share(file.path())?;
            file.persist(&self.file).map_err(|error| error.error)?;
            Ok(())
        };
        if let Err(error) = written() {
            tracing::debug!(%error, "the memory of failed sources cannot be written");
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Is it so short a while ago? What lies in the future was written with a wrong clock.
fn is_fresh(at: u64) -> bool {
    now().checked_sub(at).is_some_and(|age| age < REMEMBERED.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_knows_what_this_one_found_out() {
        let folder = tempfile::tempdir().unwrap();
        let memory = FailedSources::of(folder.path());
        memory.note("https://hub", "silent", false);
        memory.note("https://slow", "3 kB a second", true);
        let known = FailedSources::of(folder.path()).known();
        assert_eq!(known["https://hub"].reason, "silent");
        assert_eq!(known["https://hub"].ago(), "less than a minute ago");
        assert!(known["https://slow"].crawls);
        FailedSources::of(folder.path()).forget("https://hub");
        assert_eq!(FailedSources::of(folder.path()).known().len(), 1);
        memory.forget_all();
        assert!(FailedSources::of(folder.path()).known().is_empty());
    }

    #[test]
    fn what_is_old_from_the_future_or_broken_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let memory = FailedSources::of(folder.path());
        let entry = |at: u64| format!(r#"{{"at": {at}, "reason": "x"}}"#);
        let text = format!(
            r#"{{"old": {}, "future": {}, "fresh": {}}}"#,
            entry(now() - 601),
            entry(now() + 60),
            entry(now() - 60)
        );
        fs::write(folder.path().join(FILE), text).unwrap();
        assert_eq!(memory.known().into_keys().collect::<Vec<_>>(), ["fresh"]);
        for broken in ["", "[]", "{\"a\": 1}", "{\"fresh\": {\"at\"", "\0\u{1}"] {
            fs::write(folder.path().join(FILE), broken).unwrap();
            assert!(memory.known().is_empty(), "{broken}");
        }
        memory.note("again", "y", false);
        assert_eq!(FailedSources::of(folder.path()).known().len(), 1);
    }

    #[test]
    fn without_a_place_to_write_to_the_process_remembers() {
        let memory = FailedSources::of(Path::new("/nowhere/at/all"));
        memory.note("https://hub", "silent", false);
        assert_eq!(memory.known().len(), 1);
    }
}
