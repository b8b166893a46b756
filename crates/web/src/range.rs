//! Which part of a file a request asks for (RFC 9110, sections 13 and 14).
use axum::http::{HeaderMap, HeaderName, Method, header};

/// What to answer with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Nothing: whoever asks has it.
    Unchanged,
    /// Everything.
    Whole,
    /// From one byte to another, both included.
    Some {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
    /// The file ends before.
    Beyond,
}

/// The part of a file of `size` bytes, known by `tag`. Where the request is unclear, or asks for several parts, it is answered
/// with everything, as is allowed.
pub(crate) fn part(method: &Method, asked: &HeaderMap, tag: &str, size: u64) -> Part {
    let text = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    let is_it = |known: &str| known.trim().trim_start_matches("W/") == tag;
    if text(header::IF_NONE_MATCH).is_some_and(|known| known.split(',').any(is_it)) {
        return Part::Unchanged;
    }
    // A part of an older file is of no use beside the rest of this one.
    let fits = text(header::IF_RANGE).is_none_or(|older| older == tag);
    let ranged = *method == Method::GET && fits;
    text(header::RANGE).filter(|_| ranged).map_or(Part::Whole, |range| one(range, size))
}

fn one(range: &str, size: u64) -> Part {
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    if !(from.bytes().chain(to.bytes())).all(|digit| digit.is_ascii_digit()) {
        return Part::Whole;
    }
    let (from, to) = (number(from), number(to));
    let last = size.saturating_sub(1);
    match (from, to) {
        (None, None) => Part::Whole,
        (Some(first), Some(to)) if to < first => Part::Whole,
        (None, Some(count)) if count > 0 && size > 0 => {
            Part::Some { first: size.saturating_sub(count), last }
        }
        (Some(first), to) if first < size => Part::Some { first, last: to.unwrap_or(last).min(last) },
        _ => Part::Beyond,
    }
}

/// One end, which may be missing. What is too long for a number lies beyond every file.
fn number(digits: &str) -> Option<u64> {
    (!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(HeaderName, &'static str)]) -> Part {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        part(&Method::GET, &headers, "\"a\"", 100)
    }

    #[test]
    fn one_part_is_understood_and_anything_else_is_everything() {
        let some = |first, last| Part::Some { first, last };
        for (range, expected) in [
            ("bytes=0-9", some(0, 9)),
            ("bytes=90-", some(90, 99)),
            ("bytes=-10", some(90, 99)),
            ("bytes=-1000", some(0, 99)),
            ("bytes=0-1000", some(0, 99)),
            ("bytes=99-99", some(99, 99)),
            ("bytes=100-", Part::Beyond),
            ("bytes=100-200", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=0-99999999999999999999", some(0, 99)),
            ("bytes=99999999999999999999-", Part::Beyond),
            ("bytes=9-0", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes=", Part::Whole),
            ("lines=1-2", Part::Whole),
        ] {
            assert_eq!(of(&[(header::RANGE, range)]), expected, "{range}");
        }
        let empty =
            part(&Method::GET, &HeaderMap::from_iter([(header::RANGE, "bytes=0-".parse().unwrap())]), "", 0);
        assert_eq!(empty, Part::Beyond);
    }

    #[test]
    fn a_part_is_only_of_the_file_that_is_meant() {
        let range = (header::RANGE, "bytes=0-9");
        let part = Part::Some { first: 0, last: 9 };
        assert_eq!(of(&[range.clone(), (header::IF_RANGE, "\"a\"")]), part);
        for older in ["\"b\"", "W/\"a\"", "Mon, 30 Nov 2026 22:00:00 GMT"] {
            assert_eq!(of(&[range.clone(), (header::IF_RANGE, older)]), Part::Whole, "{older}");
        }
        for known in ["\"a\"", "\"b\", W/\"a\""] {
            assert_eq!(of(&[range.clone(), (header::IF_NONE_MATCH, known)]), Part::Unchanged, "{known}");
        }
        assert_eq!(of(&[range, (header::IF_NONE_MATCH, "\"b\"")]), part);
    }
}
