//! TIFF's directory, looked at before the `tiff` crate allocates what its entries ask for: up to 256 MiB each, whatever the
//! file's size.

use super::{DecodeError, Format};

/// Tag of a DNG's version.
const DNG_VERSION: u64 = 50_706;
/// Tag and value of a directory that describes a smaller picture than the file is about.
const SMALLER: (u64, u64) = (254, 1);
/// Tag of the directories of larger pictures.
const SUB_DIRECTORIES: u64 = 330;
/// Tag of how samples are to be read, and what it says of a sensor's colour filters and of raw samples without them.
const PHOTOMETRIC: u64 = 262;
const SENSOR: [u64; 2] = [32_803, 34_892];

/// Is this file that looks like TIFF what a camera's sensor saw? Its first directory is at best that of a thumbnail then.
///
/// By the marks of DNG (Adobe's specification, 1.7), CR2, and TIFF/EP (ISO 12234-2), after which other makers' formats are
/// made.
pub fn is_raw(bytes: &[u8]) -> bool {
    let reader = Numbers { bytes, little: bytes.first() == Some(&b'I') };
    if reader.number(2, 2) != Some(42) {
        return false;
    }
    if bytes.get(8..10) == Some(b"CR") {
        return true;
    }
    let (mut smaller, mut larger) = (false, false);
    for Entry { tag, at, .. } in entries(&reader).into_iter().flatten() {
        // A single number of two bytes lies at the beginning of its place, also where there is room for four.
        let value = reader.number(at + 8, 2);
        match tag {
            DNG_VERSION => return true,
            PHOTOMETRIC if value.is_some_and(|value| SENSOR.contains(&value)) => return true,
            SUB_DIRECTORIES => larger = true,
            _ if tag == SMALLER.0 => smaller = reader.number(at + 8, 4) == Some(SMALLER.1),
            _ => {}
        }
    }
    smaller && larger
}

/// Refuses a file whose first directory speaks of more bytes than there are. What is cut off is left to the decoder.
pub(super) fn check(bytes: &[u8]) -> Result<(), DecodeError> {
    let reader = Numbers { bytes, little: bytes.first() == Some(&b'I') };
    let too_large =
        entries(&reader).is_some_and(|mut entries| entries.any(|entry| entry.bytes > bytes.len() as u64));
    if too_large {
        let reason = "its directory speaks of more than the file holds".to_owned();
        return Err(DecodeError::Undecodable { format: Format::Tiff, reason });
    }
    Ok(())
}

/// An entry of a directory.
struct Entry {
    tag: u64,
    /// Where it begins.
    at: usize,
    /// Bytes of its value.
    bytes: u64,
}

/// The entries of the first directory.
fn entries(reader: &Numbers<'_>) -> Option<impl Iterator<Item = Entry>> {
    let big = reader.number(2, 2)? == 43;
    // The directory's place, then a count and entries of tag, type and count; BigTIFF's numbers are wider.
    let (pointer, wide, entry) = if big { (8, 8, 20) } else { (4, 4, 12) };
    let directory = usize::try_from(reader.number(pointer, wide)?).ok()?;
    let counted = if big { 8 } else { 2 };
    let count = reader.number(directory, counted)?;
    let first = directory + counted;
    // As many as the file has room for.
    let count = count.min((reader.bytes.len() / entry) as u64) as usize;
    Some((0..count).map_while(move |index| {
        let at = first + index * entry;
        let values = reader.number(at + 4, wide)?;
        let width = match reader.number(at + 2, 2)? {
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16..=18 => 8,
            _ => 1,
        };
        Some(Entry { tag: reader.number(at, 2)?, at, bytes: values.saturating_mul(width) })
    }))
}

struct Numbers<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl Numbers<'_> {
    /// A number of so many bytes.
    fn number(&self, at: usize, width: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(width)?)?;
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.little { bytes.iter().rev().fold(0, join) } else { bytes.iter().fold(0, join) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_files_are_known_by_their_marks() {
        // Each entry is a tag with one number of two bytes.
        let file = |entries: &[(u16, u16)]| {
            let mut file = b"II*\0\x08\0\0\0".to_vec();
            file.extend((entries.len() as u16).to_le_bytes());
            for (tag, value) in entries {
                file.extend(tag.to_le_bytes());
                file.extend(b"\x03\0\x01\0\0\0");
                file.extend(value.to_le_bytes());
                file.extend([0; 2]);
            }
            file
        };
        for raw in [&[(256, 9), (50_706, 1)][..], &[(262, 32_803)], &[(254, 1), (330, 8)]] {
            assert!(is_raw(&file(raw)), "{raw:?}");
        }
        assert!(is_raw(b"II*\0\x10\0\0\0CR\x02\0"));
        for picture in [&[(256, 9), (262, 2)][..], &[(254, 0), (330, 8)], &[(254, 1)], &[]] {
            assert!(!is_raw(&file(picture)), "{picture:?}");
        }
        for length in 0..file(&[(50_706, 1)]).len() {
            is_raw(&file(&[(50_706, 1)])[..length]);
        }
    }

    #[test]
    fn values_must_fit_into_the_file() {
        // One entry: a colour table (tag 320) of so many 16-bit levels.
        let classic = |count: u32| {
            let mut file = b"II*\0\x08\0\0\0\x01\0\x40\x01\x03\0".to_vec();
            file.extend(count.to_le_bytes());
            file.extend([0; 8]);
            file
        };
        assert!(check(&classic(4)).is_ok());
        assert!(check(&classic(14)).is_err());
        assert!(check(&classic(u32::MAX)).is_err());
        let big = |count: u64| {
            let mut file = b"MM\0\x2b\0\x08\0\0".to_vec();
            file.extend(16_u64.to_be_bytes());
            file.extend(1_u64.to_be_bytes());
            file.extend(b"\x01\x40\0\x03");
            file.extend(count.to_be_bytes());
            file.extend([0; 16]);
            file
        };
        assert!(check(&big(4)).is_ok());
        assert!(check(&big(1 << 62)).is_err());
        for length in 0..big(4).len() {
            assert!(check(&big(4)[..length]).is_ok(), "{length}");
        }
    }
}
