//! Parsers of this crate that are private, for `crates/fuzz`.
use std::path::{Path, PathBuf};

use crate::archive::{self, ArchiveMember};

/// Takes every file out of an archive into a folder, numbered; answers where they lie.
pub fn unpack(archive: &Path, into: &Path) -> Result<Vec<PathBuf>, String> {
    let mut count = 0;
    let found = archive::extract_matching(archive, |_| {
        count += 1;
        Some(into.join(count.to_string()))
    })?;
    Ok(found.into_iter().map(|file| file.dest).collect())
}

/// Takes one file out of an archive.
pub fn take(archive: &Path, member: &str, dest: &Path) -> Result<(), String> {
    let wanted = ArchiveMember { member: member.to_owned(), dest: dest.to_owned(), sha256: None };
    archive::extract(archive, &[wanted]).map(drop)
}
