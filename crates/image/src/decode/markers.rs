//! A walk over the markers of a JPEG file: what must be known before its pixels are decoded.

/// What the markers of a JPEG file say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct JpegMarkers {
    /// Width and height from the frame header, if there is one.
    pub(super) size: Option<(u32, u32)>,
    /// How many scans the picture is made of: 1 to 4 for sequential files, about 10 for progressive ones.
    pub(super) scans: usize,
    /// Whether the end-of-image marker is there.
    pub(super) complete: bool,
    /// Bytes up to the end of the last whole segment. A segment that is cut off must not be decoded: libjpeg
    /// would read invented bytes into its tables and give up on the whole picture.
    pub(super) usable: usize,
}

/// Reads the outline. `bytes` starts with the start-of-image marker.
pub(super) fn outline(bytes: &[u8]) -> JpegMarkers {
    walk(bytes, |_| false)
}

/// Width and height from the frame header, without a look at what follows it.
pub(super) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    walk(bytes, |outline| outline.size.is_some()).size
}

/// Reads as much of the outline as it takes.
fn walk(bytes: &[u8], enough: impl Fn(&JpegMarkers) -> bool) -> JpegMarkers {
    let mut outline = JpegMarkers { usable: bytes.len(), ..JpegMarkers::default() };
    let mut at = 2;
    loop {
        // Bytes between segments are skipped, as libjpeg does; fill bytes may stand before a marker.
        let Some(marker_at) = next_marker(bytes, at) else { return outline };
        let marker = bytes[marker_at + 1];
        at = marker_at + 2;
        match marker {
            0xD8 | 0x01 | 0xD0..=0xD7 => continue,
            0xD9 => {
                outline.complete = true;
                return outline;
            }
            _ => {}
        }
        let Some(segment) = segment(bytes, at) else {
            outline.usable = marker_at;
            return outline;
        };
        at += segment.len();
        match marker {
            0xDA => outline.scans += 1,
            // Start of frame, of any coding; C4, C8 and CC in the middle of the range are something else.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) && outline.size.is_none() => {
                if let [_, _, _, h1, h0, w1, w0, ..] = *segment {
                    let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
                    outline.size = Some((side(w1, w0), side(h1, h0)));
                }
            }
            _ => {}
        }
        if enough(&outline) {
            return outline;
        }
    }
}

/// The segment at `at`, its two length bytes included; `None` if it is cut off.
fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]);
    bytes.get(at..at + usize::from(length.max(2)))
}

/// Where the next marker's 0xFF stands, from `at` on. In entropy-coded data 0xFF 0x00 is a plain byte 0xFF.
fn next_marker(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += find_ff(bytes.get(at..)?)?;
        match bytes.get(at + 1)? {
            0x00 => at += 2,
            0xFF => at += 1,
            _ => return Some(at),
        }
    }
}

/// The first 0xFF. In blocks, which the compiler turns into vector compares: most of a file has none.
fn find_ff(bytes: &[u8]) -> Option<usize> {
    const BLOCK: usize = 32;
    let mut skipped = 0;
    for block in bytes.chunks(BLOCK) {
        if block.iter().fold(0, |found, &byte| found | u8::from(byte == 0xFF)) != 0 {
            break;
        }
        skipped += block.len();
    }
    bytes[skipped..].iter().position(|&byte| byte == 0xFF).map(|found| skipped + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: [u8; 12] = [0xFF, 0xC2, 0, 10, 8, 0, 30, 0, 40, 1, 0, 0];
    const SCAN: [u8; 8] = [0xFF, 0xDA, 0, 4, 1, 1, 0x12, 0x34];

    fn file(parts: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8];
        for part in parts {
            bytes.extend_from_slice(part);
        }
        bytes
    }

    #[test]
    fn size_scans_and_end_are_found() {
        let bytes = file(&[&FRAME, &SCAN, &[0xFF, 0x00, 0xFF, 0xD3, 7], &SCAN, &[0xFF, 0xD9, 1, 2]]);
        let expected = JpegMarkers { size: Some((40, 30)), scans: 2, complete: true, usable: bytes.len() };
        assert_eq!(outline(&bytes), expected);
    }

    #[test]
    fn a_cut_segment_is_left_out() {
        let whole = file(&[&FRAME, &SCAN]);
        let bytes = file(&[&FRAME, &SCAN, &[0xFF, 0xC4, 0, 20, 1, 2, 3]]);
        let expected = JpegMarkers { size: Some((40, 30)), scans: 1, complete: false, usable: whole.len() };
        assert_eq!(outline(&bytes), expected);
    }

    #[test]
    fn data_without_end_is_incomplete() {
        let bytes = file(&[&FRAME, &SCAN, &[1; 100], &[0xFF]]);
        let expected = JpegMarkers { size: Some((40, 30)), scans: 1, complete: false, usable: bytes.len() };
        assert_eq!(outline(&bytes), expected);
    }
}
