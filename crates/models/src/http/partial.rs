//! The unfinished copy of a file.
use crate::manifest;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The unfinished copy of a file, and a note saying what may continue it.
pub(super) struct Partial {
    pub(super) data: PathBuf,
    note: PathBuf,
}

impl Partial {
    pub(super) fn of(dest: &Path) -> Self {
        let with = |ending: &str| {
            let mut name = dest.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self { data: with(".part"), note: with(".part.txt") }
    }

    pub(super) fn len(&self) -> u64 {
        fs::metadata(&self.data).map_or(0, |metadata| metadata.len())
    }

    /// What allows a continuation: the same sum (then any source will do), or the same tag from the same kind of server.
    pub(super) fn resumable(&self, sha256: Option<&str>) -> Option<String> {
        let note = fs::read_to_string(&self.note).ok()?;
        match sha256 {
            Some(sum) => (note == format!("sha256:{sum}")).then_some(note),
            None => note.starts_with("etag:").then_some(note),
        }
    }

    /// Starts from the first byte.
    pub(super) fn begin(&self, sha256: Option<&str>, etag: Option<&str>) -> io::Result<()> {
        self.discard();
        let note = match (sha256, etag) {
            (Some(sum), _) => format!("sha256:{sum}"),
            // A weak tag does not promise the same bytes.
            (None, Some(tag)) if tag.starts_with('"') => format!("etag:{tag}"),
            _ => return Ok(()),
        };
        fs::write(&self.note, note)
    }

    pub(super) fn discard(&self) {
        let _ = fs::remove_file(&self.note);
        let _ = fs::remove_file(&self.data);
    }

    pub(super) fn land(&self, dest: &Path) -> io::Result<()> {
        let _ = fs::remove_file(&self.note);
        fs::rename(&self.data, dest)?;
        if let Some(folder) = dest.parent() {
            manifest::sync_folder(folder);
        }
        Ok(())
    }
}
