//! The file: one entry a line as JSON, the newest state of an entry last.
//!
//! Lines are appended whole. When there are twice as many as entries can be, the file is written anew beside itself and
//! put in its place; the same heals whatever a crash or a full disk left behind.
use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use viewfinder_files::{Links, OpenError, open, private};

use crate::ledger::{entry::Entry, memory::Entries};

/// Most bytes read of a file. A ledger of many thousand entries is far smaller.
const LARGEST: u64 = 64 << 20;
/// A disk that refused is left alone for this long.
const PAUSE: Duration = Duration::from_secs(10);

/// What a file holds.
struct Contents {
    lines: usize,
    /// Lines that are no entries.
    broken: usize,
    /// The last line has its end.
    ended: bool,
}

/// Reads a ledger's file: the entry that failed last first. Lines that are no entries are passed over.
pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Entries::new(usize::MAX);
    load(path, &mut entries)?;
    Ok(entries.newest_first().cloned().collect())
}

fn load(path: &Path, entries: &mut Entries) -> io::Result<Contents> {
    let file = open(path, Links::Followed).map_err(|error| match error {
        OpenError::Io(error) => error,
        _ => io::Error::new(io::ErrorKind::InvalidInput, error),
    })?;
    let mut reader = BufReader::new(file.take(LARGEST));
    let mut contents = Contents { lines: 0, broken: 0, ended: true };
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        contents.lines += 1;
        contents.ended = line.ends_with(b"\n");
        match serde_json::from_slice(&line) {
            Ok(entry) => entries.put(entry),
            Err(_) => contents.broken += 1,
        }
        line.clear();
    }
    Ok(contents)
}

/// A file that follows the ledger.
pub(crate) struct File {
    path: PathBuf,
    /// Lines in it.
    lines: usize,
    /// Lines at which it is written anew.
    most_lines: usize,
    /// It holds everything, and its last line has its end.
    whole: bool,
    /// When the disk refused last, until it takes something again.
    refused: Option<Instant>,
}

impl File {
    /// Reads what is there; none if the file is not a ledger's or cannot be read, which is said.
    pub(crate) fn open(path: PathBuf, entries: &mut Entries) -> Option<Self> {
        let shown = path.display();
        let contents = match load(&path, entries) {
            Ok(contents) => contents,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Contents { lines: 0, broken: 0, ended: true }
            }
            Err(error) => {
                tracing::warn!("the ledger of failures is kept in memory only: {shown}: {error}");
                return None;
            }
        };
        if contents.lines > 0 && contents.broken == contents.lines {
            tracing::warn!(
                "{shown} is no ledger of failures and stays as it is; they are kept in memory only"
            );
            return None;
        }
        if contents.broken > 0 {
            tracing::warn!("{} broken lines in {shown} are passed over", contents.broken);
        }
        // The least, so that a ledger of few entries is not written anew every time.
        let most_lines = entries.capacity().saturating_mul(2).max(64);
        private::narrow(&path);
        let whole = contents.broken == 0 && contents.ended;
        Some(Self { lines: contents.lines, most_lines, whole, refused: None, path })
    }

    /// Writes an entry's new state, or all of them (`all`, newest first) where that is needed.
    pub(crate) fn append(&mut self, entry: &Entry, all: impl FnOnce() -> Vec<Entry>, now: Instant) {
        if self.refused.is_some_and(|at| now.saturating_duration_since(at) < PAUSE) {
            self.whole = false;
            return;
        }
        let written = if self.whole && self.lines < self.most_lines {
            self.add(entry).map(|()| self.lines + 1)
        } else {
            let all = all();
            self.replace(&all).map(|()| all.len())
        };
        match written {
            Ok(lines) => {
                (self.lines, self.whole) = (lines, true);
                if self.refused.take().is_some() {
                    tracing::info!("failures are written to {} again", self.path.display());
                }
            }
            Err(error) => {
                self.whole = false;
                if self.refused.replace(now).is_none() {
                    tracing::warn!(
                        "failures cannot be written to {} and are kept in memory: {error}",
                        self.path.display()
                    );
                }
            }
        }
    }

    fn add(&self, entry: &Entry) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            private::create_folder(folder)?;
        }
        private::append(&self.path)?.write_all(&line(entry)?)
    }

    fn replace(&self, newest_first: &[Entry]) -> io::Result<()> {
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        let beside = PathBuf::from(name);
        let written = write_whole(&beside, newest_first).and_then(|()| {
            // A file that is mounted by itself cannot be replaced, only filled.
            fs::rename(&beside, &self.path).or_else(|_| fs::copy(&beside, &self.path).map(drop))
        });
        // What could not take its place is of no use; where it did, there is nothing to remove.
        let _ = fs::remove_file(&beside);
        written
    }
}

fn write_whole(path: &Path, newest_first: &[Entry]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        private::create_folder(folder)?;
    }
    let mut text = Vec::new();
    for entry in newest_first.iter().rev() {
        text.extend(line(entry)?);
    }
    let mut file = private::create(path)?;
    file.write_all(&text)?;
    file.sync_all()
}

fn line(entry: &Entry) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::ledger::entry::{Failed, Picture};

    fn failed() -> Failed {
        Failed { task: "ocr", model: "m".into(), code: "c", message: "m".into(), engine: "e".into() }
    }

    #[test]
    fn the_file_is_for_its_owner_alone_however_it_is_written() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/failures.jsonl");
        let entry = Entry::new(&failed(), &Picture::of(&[1]), None);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let write = || {
            let mut file = File::open(path.clone(), &mut Entries::new(9)).unwrap();
            file.append(&entry, || vec![entry.clone()], Instant::now());
        };
        write();
        assert_eq!([mode(&path), mode(path.parent().unwrap())], [0o600, 0o700]);
        for content in [&b"{"[..], b""] {
            // Half a line is healed by another file in its place.
            let whole = [&fs::read(&path).unwrap(), content].concat();
            fs::write(&path, whole).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            write();
            assert_eq!(mode(&path), 0o600);
        }
        fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(File::open(path.clone(), &mut Entries::new(9)).is_none(), "a pipe is not waited for");
    }

    #[test]
    fn a_full_disk_is_left_alone_for_a_while_and_then_gets_everything() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failures.jsonl");
        // Takes nothing, as a full disk does.
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let entries: Vec<_> = [1, 2, 3].map(|byte| Entry::new(&failed(), &Picture::of(&[byte]), None)).into();
        let mut file = File { path: path.clone(), lines: 0, most_lines: 64, whole: true, refused: None };
        let begin = Instant::now();
        file.append(&entries[0], Vec::new, begin);
        assert!(file.refused.is_some() && !file.whole);
        let all = || entries.iter().rev().cloned().collect();
        file.append(&entries[1], || unreachable!("the disk is left alone"), begin + PAUSE / 2);
        assert!(path.is_symlink());
        // The new file takes the place of the full one.
        file.append(&entries[2], all, begin + PAUSE);
        assert!(file.refused.is_none() && file.whole);
        assert_eq!(read(&path).unwrap(), all());
    }
}
