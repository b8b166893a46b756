//! Bytes as letters, as Immich writes checksums and cursors.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes from either alphabet, the usual one or that of addresses, with or without padding; none for anything else.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let letters = text.trim_end_matches('=').as_bytes();
    if letters.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(letters.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0);
    for letter in letters {
        let usual = match letter {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        };
        let value = LETTERS.iter().position(|known| *known == usual)?;
        bits = (bits << 6) | value as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    // What is left over is padding, which has no value.
    (bits == 0).then_some(bytes)
}

/// In the alphabet of addresses, without padding.
pub(crate) fn encode_for_address(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let bits =
            part.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - part.len()));
        for place in 0..=part.len() {
            let letter = LETTERS[((bits >> (18 - 6 * place)) & 63) as usize];
            text.push(match letter {
                b'+' => '-',
                b'/' => '_',
                other => char::from(other),
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples of RFC 4648, and of its alphabets' last letters.
    #[test]
    fn the_examples_of_the_standard() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
            assert_eq!(encode_for_address(bytes.as_bytes()), text.trim_end_matches('='));
        }
        assert_eq!(decode("-_+/").as_deref(), Some(&[0xfb, 0xff, 0xbf][..]));
        assert_eq!(encode_for_address(&[0xfb, 0xff, 0xbf]), "-_-_");
        for wrong in ["Z", "Zg===g", "Zm9v!", "Zh", "Zm9vY"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
