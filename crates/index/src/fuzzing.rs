//! Parsers of this crate that are private, for `crates/fuzz`.
use std::{io::Cursor, path::Path};

use tokio_util::sync::CancellationToken;
use viewfinder_files::Links;

use crate::{Problems, exif_time, walk::walk};

/// When a picture was taken, by its EXIF data, in milliseconds since 1970.
pub fn taken_ms(picture: &[u8]) -> Option<i64> {
    exif_time::taken_ms(&exif_time::read(&mut Cursor::new(picture))?)
}

/// The pictures and videos below a folder, as far as its rules let them through.
pub fn found(folder: &Path) -> Vec<String> {
    let roots = [folder.to_owned()];
    let walked =
        walk(folder, &[], &roots, Links::Refused, &CancellationToken::new(), &mut Problems::default());
    walked.map_or_else(Vec::new, |walked| walked.files.into_keys().collect())
}
