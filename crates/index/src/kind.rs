//! What a file is, and so who can decode it.
use std::path::Path;

use viewfinder_image::is_raw;

use crate::content::{HEAD, of_content};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// A picture that Viewfinder decodes itself.
    Picture,
    /// HEIC, HEIF or AVIF.
    Heif,
    /// What a camera's sensor saw.
    Raw,
    /// A video.
    Video,
}

const PICTURES: [&str; 11] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "dib", "tif", "tiff"];
const HEIFS: [&str; 4] = ["heic", "heif", "hif", "avif"];
/// The formats that LibRaw knows under an extension of their own.
const RAWS: [&str; 25] = [
    "3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "iiq", "kdc", "mef", "mos", "mrw", "nef",
    "nrw", "orf", "pef", "raf", "rw2", "rwl", "sr2", "srf", "srw", "x3f",
];
const VIDEOS: [&str; 13] =
    ["3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "webm", "wmv"];

impl FileKind {
    /// By the name alone; none for files that are no media.
    pub fn of_name(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        let extension = extension.as_str();
        let lists: [(&[&str], Self); 4] =
            [(&PICTURES, Self::Picture), (&HEIFS, Self::Heif), (&RAWS, Self::Raw), (&VIDEOS, Self::Video)];
        lists.into_iter().find(|(list, _)| list.contains(&extension)).map(|(_, kind)| kind)
    }

    /// By the name and the first bytes: phones and messengers save HEIC as `.jpg` and the reverse, and only names tell the
    /// RAW formats, which look like TIFF inside. A file that looks like nothing is what its name says.
    pub fn of_file(path: &Path, head: &[u8]) -> Option<Self> {
        let named = Self::of_name(path);
        if matches!(named, Some(Self::Raw | Self::Video)) {
            return named;
        }
        of_content(head).or(named)
    }

    /// By the content alone, of a whole file that comes without a name.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        match of_content(&bytes[..bytes.len().min(HEAD)]) {
            Some(Self::Picture) if is_raw(bytes) => Some(Self::Raw),
            kind => kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_wins_over_the_name_but_for_raw_and_video() {
        let kind = |name: &str, head: &[u8]| FileKind::of_file(Path::new(name), head);
        let jpeg = b"\xFF\xD8\xFF\xE0\0\x10JFIF";
        let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
        let tiff = b"II\x2A\0\x08\0\0\0";
        assert_eq!(kind("a.jpg", jpeg), Some(FileKind::Picture));
        assert_eq!(kind("a.JPG", heic), Some(FileKind::Heif));
        assert_eq!(kind("a.heic", jpeg), Some(FileKind::Picture));
        assert_eq!(kind("a.nef", tiff), Some(FileKind::Raw));
        assert_eq!(kind("a.tif", tiff), Some(FileKind::Picture));
        assert_eq!(kind("a.mov", b"\0\0\0\x14ftypqt  "), Some(FileKind::Video));
        assert_eq!(kind("IMG_0001", heic), Some(FileKind::Heif));
        assert_eq!(kind("a.png", b"no picture"), Some(FileKind::Picture));
        assert_eq!(kind("a.txt", b"words"), None);
        assert_eq!(kind("a.jpg", b""), Some(FileKind::Picture));
    }
}
