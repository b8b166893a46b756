//! What a file holds and says of itself, read once.
use std::{
    fs::{self, File},
    io::{self, Cursor, Read},
    path::Path,
};

use sha2::{Digest as _, Sha256};
use viewfinder_catalog::{ContentHash, FileRecord, Properties};
use viewfinder_image::header;

use crate::{
    FileKind, Tools, exif_time,
    tools::Subject,
    walk::{Stamp, head},
};

/// Bytes read at a time from files that are not held as a whole.
const PIECE: usize = 1 << 20;

/// The hash of a file's content.
pub(crate) fn hash(content: &[u8]) -> ContentHash {
    Sha256::digest(content).into()
}

/// Reads a file: its hash, its size in pixels, when it was taken. `None` if it changed meanwhile: somebody is still writing it.
///
/// Pictures of at most `max_bytes` are read in one go; larger files, and those that other programs decode, in pieces, and
/// their size in pixels is left to the analysis.
pub(crate) fn describe(
    path: &str,
    stamp: Stamp,
    tools: &Tools,
    max_bytes: u64,
) -> io::Result<Option<(FileRecord, Properties)>> {
    let file = Path::new(path);
    let kind = FileKind::of_file(file, &head(file)?);
    let (hash, mut properties) = if kind == Some(FileKind::Picture) && stamp.size <= max_bytes {
        let content = fs::read(file)?;
        (hash(&content), of_picture(&content))
    } else {
        let hash = hash_in_pieces(file)?;
        let taken_ms = match kind {
            Some(FileKind::Video) => {
                tools.video(Subject::new(file, &File::open(file)?)).and_then(|video| video.taken_ms)
            }
            _ => exif_time::read_file(&File::open(file)?).and_then(|exif| exif_time::taken_ms(&exif)),
        };
        (hash, Properties { taken_ms, ..Properties::default() })
    };
    if Stamp::of(&fs::metadata(file)?) != stamp {
        return Ok(None);
    }
    properties.taken_ms = properties.taken_ms.or(Some(stamp.modified_ns / 1_000_000));
    let Stamp { size, modified_ns } = stamp;
    Ok(Some((FileRecord { path: path.to_owned(), size, modified_ns, hash }, properties)))
}

fn of_picture(content: &[u8]) -> Properties {
    let size = header(content).ok().map(|header| header.size(true));
    let side = |at: usize| size.and_then(|size| u32::try_from(size[at]).ok());
    let exif = exif_time::read(&mut Cursor::new(content));
    Properties { width: side(0), height: side(1), taken_ms: exif.and_then(|exif| exif_time::taken_ms(&exif)) }
}

fn hash_in_pieces(path: &Path) -> io::Result<ContentHash> {
    let mut file = File::open(path)?;
    let mut piece = vec![0; PIECE];
    let mut hash = Sha256::new();
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&piece[..read]);
    }
}
