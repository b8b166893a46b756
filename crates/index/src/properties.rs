//! What a file holds and says of itself, read once.
use std::{
    fs::{File, Metadata},
    io::{self, Cursor, Read, Seek as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use viewfinder_catalog::{ContentHash, FileRecord, Properties};
use viewfinder_files::{Links, OpenError, open};
use viewfinder_image::header;

use crate::{
    FileKind, Tools,
    content::{HEAD, of_content},
    exif_time,
    tools::Subject,
    walk::FileStamp,
};

/// Bytes read at a time from files that are not held as a whole.
const PIECE: usize = 1 << 20;
/// Bytes from which on a file's holes are looked at.
#[cfg(unix)]
const HOLES_FROM: u64 = 64 << 30;

/// The hash of a file's content.
pub(crate) fn hash(content: &[u8]) -> ContentHash {
    Sha256::digest(content).into()
}

/// The first bytes of a file, which is at its beginning before and after.
pub(crate) fn head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    file.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(head)
}

/// Reads a file: its hash, its size in pixels, when it was taken. `None` if it changed meanwhile, as somebody is still writing it,
/// or if asked to stop.
///
/// Pictures of at most `max_bytes` are read in one go; larger files, and those that other programs decode, in pieces, and
/// their size in pixels is left to the analysis.
pub(crate) fn describe(
    path: &str,
    stamp: FileStamp,
    tools: &Tools,
    max_bytes: u64,
    links: Links,
    stop: &CancellationToken,
) -> io::Result<Option<(FileRecord, Properties)>> {
    let place = Path::new(path);
    let mut file = match open(place, links) {
        Ok(file) => file,
        Err(OpenError::Io(error)) => return Err(error),
        // It was a file when it was walked.
        Err(OpenError::NotRegular | OpenError::Link) => return Ok(None),
    };
    let head = head(&mut file)?;
    let kind = FileKind::of_file(place, &head);
    let (hash, mut properties) = if kind == Some(FileKind::Picture) && stamp.size <= max_bytes {
        let mut content = Vec::new();
        file.by_ref().take(max_bytes).read_to_end(&mut content)?;
        (hash(&content), of_picture(&content))
    } else {
        let Some(hash) = hash_in_pieces(&mut file, stop)? else { return Ok(None) };
        let taken_ms = match kind {
            Some(FileKind::Video) if of_content(&head).is_some() => {
                tools.video(Subject::new(place, &file)).and_then(|video| video.taken_ms)
            }
            Some(FileKind::Video) => None,
            _ => exif_time::read_file(&file).and_then(|exif| exif_time::taken_ms(&exif)),
        };
        (hash, Properties { taken_ms, ..Properties::default() })
    };
    if FileStamp::of(&file.metadata()?) != stamp {
        return Ok(None);
    }
    properties.taken_ms = properties.taken_ms.or(Some(stamp.modified_ns / 1_000_000));
    let FileStamp { size, modified_ns } = stamp;
    Ok(Some((FileRecord { path: path.to_owned(), size, modified_ns, hash }, properties)))
}

fn of_picture(content: &[u8]) -> Properties {
    let size = header(content).ok().map(|header| header.size(true));
    let side = |at: usize| size.and_then(|size| u32::try_from(size[at]).ok());
    let exif = exif_time::read(&mut Cursor::new(content));
    Properties { width: side(0), height: side(1), taken_ms: exif.and_then(|exif| exif_time::taken_ms(&exif)) }
}

/// The hash of a file from where it is to its end; it is at its beginning afterwards. `None` if asked to stop.
///
/// A file of nothing but holes takes no room and may be as large as the file system can say: it is refused, as reading it takes days.
pub(crate) fn hash_in_pieces(file: &mut File, stop: &CancellationToken) -> io::Result<Option<ContentHash>> {
    if is_mostly_holes(&file.metadata()?) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is large and holds almost nothing but holes",
        ));
    }
    let mut piece = vec![0; PIECE];
    let mut hash = Sha256::new();
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            file.rewind()?;
            return Ok(Some(hash.finalize().into()));
        }
        if stop.is_cancelled() {
            return Ok(None);
        }
        hash.update(&piece[..read]);
    }
}

/// Does less than a hundredth of a large file lie on the disk? A file system that packs what it keeps makes no video so small.
#[cfg(unix)]
fn is_mostly_holes(about: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    about.len() > HOLES_FROM && about.blocks().saturating_mul(512) < about.len() / 100
}

#[cfg(not(unix))]
fn is_mostly_holes(_: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashing_ends_when_asked_to_stop() {
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(3 * PIECE as u64).unwrap();
        let stop = CancellationToken::new();
        let zeros = vec![0; 3 * PIECE];
        assert_eq!(hash_in_pieces(&mut file, &stop).unwrap(), Some(hash(&zeros)));
        stop.cancel();
        assert_eq!(hash_in_pieces(&mut file, &stop).unwrap(), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_large_file_of_holes_is_not_read() {
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(1 << 40).unwrap();
        assert!(hash_in_pieces(&mut file, &CancellationToken::new()).is_err());
    }
}
