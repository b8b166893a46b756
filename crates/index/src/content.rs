//! What the first bytes of a file tell of it.
use viewfinder_image::Format;

use crate::FileKind;

/// Bytes at the start of a file that tell what it is: two packets of a transport stream and the beginning of the third.
pub(crate) const HEAD: usize = 400;

/// Beginnings of RAW formats that are not TIFF, or not quite.
const RAWS: [&[u8]; 8] = [
    b"IIRO",                 // Olympus
    b"IIRS",                 // Olympus
    b"MMOR",                 // Olympus
    b"IIU\0",                // Panasonic, Leica
    b"FUJIFILMCCD-RAW",      // Fujifilm
    b"II\x1A\0\0\0HEAPCCDR", // Canon, older
    b"\0MRM",                // Minolta
    b"FOVb",                 // Sigma
];
/// Beginnings of containers of videos.
const VIDEOS: [&[u8]; 3] = [
    b"\x1A\x45\xDF\xA3",                 // Matroska and WebM
    b"FLV\x01",                          // Flash
    b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", // Windows Media
];
/// Boxes with which ISO media and `QuickTime` files begin that have no brand.
const BOXES: [&[u8]; 8] = [b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof"];

/// What a file is by its content alone. RAW formats that are TIFF inside look like pictures.
pub(crate) fn of_content(head: &[u8]) -> Option<FileKind> {
    match Format::sniff(head) {
        // Two letters alone may begin any text.
        Some(Format::Bmp) if !is_bitmap(head) => {}
        Some(_) => return Some(FileKind::Picture),
        None => {}
    }
    let begins = |starts: &[&[u8]]| starts.iter().any(|start| head.starts_with(start));
    if begins(&RAWS) {
        return Some(FileKind::Raw);
    }
    if begins(&VIDEOS) || is_avi(head) || is_mpeg(head) {
        return Some(FileKind::Video);
    }
    of_box(head)
}

/// The size of the header behind the file's own is a small number.
fn is_bitmap(head: &[u8]) -> bool {
    matches!(head.get(14..18), Some([12..=124, 0, 0, 0]))
}

fn is_avi(head: &[u8]) -> bool {
    head.starts_with(b"RIFF") && head.get(8..12) == Some(b"AVI ")
}

/// A program stream or a bare one of video begins with a start code; packets of a transport stream, with or without a time of four bytes
/// in front, each begin with the letter G.
fn is_mpeg(head: &[u8]) -> bool {
    let packets = |first: usize, size: usize| {
        [first, first + size, first + 2 * size].into_iter().all(|at| head.get(at) == Some(&b'G'))
    };
    matches!(head, [0, 0, 1, 0xB0..=0xBF, ..]) || packets(0, 188) || packets(4, 192)
}

/// By the first box of an ISO media file, and its brand.
fn of_box(head: &[u8]) -> Option<FileKind> {
    let name = head.get(4..8)?;
    if name != b"ftyp" {
        return BOXES.contains(&name).then_some(FileKind::Video);
    }
    match head.get(8..12)? {
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" | b"avif" | b"avis" => {
            Some(FileKind::Heif)
        }
        b"crx " => Some(FileKind::Raw),
        _ => Some(FileKind::Video),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_beginnings() {
        let stream = |first: usize, size: usize| {
            let mut head = vec![0x80; HEAD];
            for at in [0, 1, 2] {
                head[first + at * size] = b'G';
            }
            head
        };
        for (head, kind) in [
            (&b"\xFF\xD8\xFF\xE0"[..], FileKind::Picture),
            (b"BM\x36\x10\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", FileKind::Picture),
            (b"II\x2A\0\x08\0\0\0", FileKind::Picture),
            (b"\0\0\0\x18ftypavif\0\0\0\0", FileKind::Heif),
            (b"\0\0\0\x18ftypcrx \0\0\0\x01", FileKind::Raw),
            (b"IIU\0\x18\0\0\0", FileKind::Raw),
            (b"FUJIFILMCCD-RAW 0201", FileKind::Raw),
            (b"\0\0\0\x14ftypqt  ", FileKind::Video),
            (b"\0\0\0\x08wide\0\0\0\0mdat", FileKind::Video),
            (b"\x1A\x45\xDF\xA3\x01", FileKind::Video),
            (b"RIFF\0\0\0\0AVI LIST", FileKind::Video),
            (b"\0\0\x01\xBA\x44", FileKind::Video),
            (&stream(0, 188), FileKind::Video),
            (&stream(4, 192), FileKind::Video),
        ] {
            assert_eq!(of_content(head), Some(kind), "{}", head.escape_ascii());
        }
    }

    #[test]
    fn text_and_data_are_none_of_them() {
        for head in [
            &b""[..],
            b"root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n",
            b"api_key = \"secret\"\n[companion]\n",
            b"BMW is a maker of cars and of motorcycles",
            b"GIF, the format of pictures",
            b"Good morning",
            b"#EXTM3U\nfile:///etc/passwd\n",
            b"-----BEGIN PRIVATE KEY-----\n",
            b"SQLite format 3\0\x10\0\x01\x01\0",
            b"\x7FELF\x02\x01\x01\0",
            b"RIFF\0\0\0\0WAVEfmt ",
        ] {
            assert_eq!(of_content(head), None, "{}", head.escape_ascii());
        }
    }
}
