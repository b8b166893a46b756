//! TIFF's directory, looked at before the `tiff` crate allocates what its entries ask for: up to 256 MiB each, whatever the
//! file's size.

use super::{DecodeError, Format};

/// Refuses a file whose first directory speaks of more bytes than there are. What is cut off is left to the decoder.
pub(super) fn check(bytes: &[u8]) -> Result<(), DecodeError> {
    let reader = Numbers { bytes, little: bytes.first() == Some(&b'I') };
    let too_large = entries(&reader)
        .is_some_and(|mut entries| entries.any(|bytes_of_value| bytes_of_value > bytes.len() as u64));
    if too_large {
        let reason = "its directory speaks of more than the file holds".to_owned();
        return Err(DecodeError::Undecodable { format: Format::Tiff, reason });
    }
    Ok(())
}

/// The bytes of each entry's value.
fn entries(reader: &Numbers<'_>) -> Option<impl Iterator<Item = u64>> {
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
        Some(values.saturating_mul(width))
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
