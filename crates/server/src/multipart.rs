//! `multipart/form-data` over a body that is already in memory: parts are slices of it, nothing is copied.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use bytes::Bytes;
use memchr::memmem;

use crate::failure::Failure;

/// Largest part that is no file, or is read as text; as in the services whose protocols we speak.
const FIELD_BYTES: usize = 1 << 20;
/// Largest head of a part.
const HEAD_BYTES: usize = 16 << 10;
/// Most parts in a form.
const PARTS: usize = 100;

/// A form. Where a name occurs twice, the last part counts.
#[derive(Debug, Default)]
pub(crate) struct Form {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    name: String,
    /// Present for files, if only as an empty string.
    file_name: Option<String>,
    bytes: Bytes,
}

impl Form {
    /// Reads a form. A body of another type is a form without parts.
    pub(crate) fn parse(headers: &HeaderMap, body: &Bytes) -> Result<Self, Failure> {
        let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let content_type = String::from_utf8_lossy(content_type);
        let (kind, parameters) = content_type.split_once(';').unwrap_or((&content_type, ""));
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return Ok(Self::default());
        }
        let boundary = parameter(parameters, "boundary").filter(|boundary| !boundary.is_empty());
        let boundary = boundary.ok_or_else(|| malformed("Missing boundary in multipart."))?;
        let parts = split(&boundary, body).ok_or_else(|| malformed("There was an error parsing the body"))?;
        if parts.iter().any(|part| part.file_name.is_none() && part.bytes.len() > FIELD_BYTES) {
            return Err(too_long());
        }
        Ok(Self { parts })
    }

    fn last(&self, name: &str) -> Option<&Part> {
        self.parts.iter().rev().find(|part| part.name == name)
    }

    /// The bytes of a part.
    pub(crate) fn bytes(&self, name: &str) -> Option<Bytes> {
        self.last(name).map(|part| part.bytes.clone())
    }

    /// The bytes and the name of a file.
    pub(crate) fn file(&self, name: &str) -> Option<(Bytes, &str)> {
        let part = self.last(name)?;
        Some((part.bytes.clone(), part.file_name.as_deref()?))
    }

    /// The text of a part; an empty one counts as absent.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        self.last(name).map(Part::text).transpose().map(|text| text.filter(|text| !text.is_empty()))
    }

    /// Every part: its name, a file's name, its bytes.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&str, Option<&str>, Bytes)> {
        self.parts.iter().map(|part| (&*part.name, part.file_name.as_deref(), part.bytes.clone()))
    }

    /// The texts of all parts of a name, in order.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<&str>, Failure> {
        self.parts.iter().filter(|part| part.name == name).map(Part::text).collect()
    }
}

impl Part {
    /// A name of a file does not make it longer than a text may be.
    fn text(&self) -> Result<&str, Failure> {
        if self.bytes.len() > FIELD_BYTES {
            return Err(too_long());
        }
        std::str::from_utf8(&self.bytes).map_err(|_| {
            Failure::caller(
                StatusCode::UNPROCESSABLE_ENTITY,
                "request_malformed",
                format!("part {:?} is not UTF-8", shortened(&self.name)),
            )
        })
    }
}

fn too_long() -> Failure {
    malformed(format!("Part exceeded maximum size of {}KB.", FIELD_BYTES / 1024))
}

/// Names come back in messages.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

fn malformed(message: impl Into<String>) -> Failure {
    Failure::caller(StatusCode::BAD_REQUEST, "request_malformed", message)
}

/// All parts, if the body is well-formed up to its closing delimiter.
fn split(boundary: &str, body: &Bytes) -> Option<Vec<Part>> {
    let delimiter = format!("\r\n--{boundary}");
    let delimiter = memmem::Finder::new(delimiter.as_bytes());
    let mut parts = Vec::new();
    // The first delimiter may stand at the very beginning, without its line break.
    let mut at = if body.starts_with(&delimiter.needle()[2..]) {
        delimiter.needle().len() - 2
    } else {
        delimiter.find(body)? + delimiter.needle().len()
    };
    loop {
        let rest = &body[at..];
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        at += line_end(rest)?;
        let head = &body[at..body.len().min(at + HEAD_BYTES)];
        let head_length = if head.starts_with(b"\r\n") { 0 } else { memmem::find(head, b"\r\n\r\n")? + 2 };
        let head = std::str::from_utf8(&head[..head_length]).ok()?;
        let content = at + head_length + 2;
        let end = content + content_length(&delimiter, body.get(content..)?)?;
        if parts.len() == PARTS {
            return None;
        }
        parts.push(part(head, body.slice(content..end))?);
        at = end + delimiter.needle().len();
    }
}

/// Bytes until the next delimiter. What merely begins like one belongs to the content.
fn content_length(delimiter: &memmem::Finder<'_>, content: &[u8]) -> Option<usize> {
    delimiter.find_iter(content).find(|found| {
        let rest = &content[found + delimiter.needle().len()..];
        rest.starts_with(b"--") || line_end(rest).is_some()
    })
}

/// Length of the white space and line break that end a delimiter's line.
fn line_end(rest: &[u8]) -> Option<usize> {
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    rest[blanks..].starts_with(b"\r\n").then_some(blanks + 2)
}

fn part(head: &str, bytes: Bytes) -> Option<Part> {
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let (kind, parameters) = disposition.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let file_name = parameter(parameters, "filename").or_else(|| parameter(parameters, "filename*"));
    Some(Part { name: parameter(parameters, "name")?, file_name, bytes })
}

/// A parameter of a header: `a=b; c="d;\"e"`.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let (value, next) = if let Some(quoted) = after.trim_start().strip_prefix('"') {
            unquote(quoted)?
        } else {
            let (value, next) = after.split_once(';').unwrap_or((after, ""));
            (value.trim().to_owned(), next)
        };
        if name.trim().trim_start_matches(';').trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = next;
    }
    None
}

/// What stands before the closing quote, and what follows it.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            // A backslash is also a plain character of Windows paths, so it escapes nothing but a quote.
            '\\' if matches!(characters.peek(), Some((_, '"'))) => {}
            _ => {
                value.push(character);
                continue;
            }
        }
        if let Some((_, escaped)) = characters.next() {
            value.push(escaped);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(content_type: &str, body: &[u8]) -> Result<Form, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        Form::parse(&headers, &Bytes::copy_from_slice(body))
    }

    const TYPE: &str = "multipart/form-data; boundary=xyz";

    #[test]
    fn parts_are_found_in_any_dress() {
        let body =
            b"preamble\r\n--xyz \t\r\nCONTENT-DISPOSITION:form-data;name=\"a\"\r\n\r\none\r\n--xyz\r\n\
            X-Other: 1\r\nContent-Disposition: form-data; filename=\"p;\\\"q\\u.jpg\"; name=image\r\n\
            Content-Type: image/jpeg\r\n\r\n\r\n--xyzzy\r\n--xyz?\r\n--xyz\r\n\
            Content-Disposition: form-data; name=\"a\"\r\n\r\ntwo\r\n--xyz--\r\nepilogue";
        let form = parse("Multipart/Form-Data; charset=utf-8; boundary=\"xyz\"", body).unwrap();
        assert_eq!(form.text("a").unwrap(), Some("two"));
        assert_eq!(form.texts("a").unwrap(), ["one", "two"]);
        let (bytes, name) = form.file("image").unwrap();
        assert_eq!(&bytes[..], b"\r\n--xyzzy\r\n--xyz?");
        assert_eq!(name, "p;\"q\\u.jpg");
        assert!(form.file("a").is_none());
        assert!(form.bytes("b").is_none());
    }

    #[test]
    fn an_empty_form_and_empty_parts() {
        assert!(parse(TYPE, b"--xyz--").unwrap().parts.is_empty());
        let body = b"--xyz\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\n\r\n--xyz--";
        let form = parse(TYPE, body).unwrap();
        assert_eq!(form.text("t").unwrap(), None);
        assert_eq!(form.bytes("t").unwrap().len(), 0);
    }

    #[test]
    fn what_is_cut_off_is_refused_at_every_length() {
        let body =
            b"--xyz\r\nContent-Disposition: form-data; name=\"t\"; filename=\"\"\r\n\r\nbytes\r\n--xyz--";
        assert!(parse(TYPE, body).is_ok());
        for length in 0..body.len() {
            let failure = parse(TYPE, &body[..length]).unwrap_err();
            assert_eq!(failure.status, StatusCode::BAD_REQUEST);
            assert_eq!(failure.message, "There was an error parsing the body");
        }
    }

    #[test]
    fn broken_heads_are_refused() {
        for head in [
            "",
            "X: y",
            "Content-Disposition: form-data",
            "Content-Disposition: attachment; name=\"t\"",
            "Content-Disposition: form-data; name=\"t",
            "Content-Disposition form-data; name=\"t\"",
        ] {
            let body = format!("--xyz\r\n{head}\r\n\r\nbytes\r\n--xyz--");
            assert!(parse(TYPE, body.as_bytes()).is_err(), "{head}");
        }
        let long = format!("--xyz\r\nX: {}\r\n\r\n\r\n--xyz--", "y".repeat(HEAD_BYTES));
        assert!(parse(TYPE, long.as_bytes()).is_err());
    }

    #[test]
    fn limits_and_types() {
        assert!(parse("application/json", b"{}").unwrap().parts.is_empty());
        assert_eq!(parse("multipart/form-data", b"").unwrap_err().message, "Missing boundary in multipart.");
        let field = |extra: &str, size| {
            let bytes = "x".repeat(size);
            format!("--xyz\r\nContent-Disposition: form-data; name=\"t\"{extra}\r\n\r\n{bytes}\r\n--xyz--")
        };
        assert!(parse(TYPE, field("", FIELD_BYTES).as_bytes()).is_ok());
        let failure = parse(TYPE, field("", FIELD_BYTES + 1).as_bytes()).unwrap_err();
        assert_eq!(failure.message, "Part exceeded maximum size of 1024KB.");
        let file = parse(TYPE, field("; filename=\"f\"", FIELD_BYTES + 1).as_bytes()).unwrap();
        assert_eq!(file.bytes("t").unwrap().len(), FIELD_BYTES + 1);
        // As a text it is as long as any.
        assert_eq!(file.text("t").unwrap_err().message, "Part exceeded maximum size of 1024KB.");
        assert!(file.texts("t").is_err());
        let many =
            "--xyz\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\n\r\n".repeat(PARTS + 1) + "--xyz--";
        assert!(parse(TYPE, many.as_bytes()).is_err());
    }

    #[test]
    fn text_must_be_text() {
        let body = b"--xyz\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\n\xff\xfe\r\n--xyz--";
        assert_eq!(
            parse(TYPE, body).unwrap().text("t").unwrap_err().status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(
            pieces in prop::collection::vec(prop_oneof![
                Just(b"--xyz".to_vec()), Just(b"\r\n".to_vec()), Just(b"--".to_vec()),
                Just(b"Content-Disposition: form-data; name=\"a\"".to_vec()), Just(b"\"\\\";=".to_vec()),
                prop::collection::vec(any::<u8>(), 0..6),
            ], 0..24),
        ) {
            let _ = parse(TYPE, &pieces.concat());
        }

        #[test]
        fn any_content_reads_back(
            contents in prop::collection::vec(prop::collection::vec(
                prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'x')], 0..64), 0..4),
        ) {
            let mut body = Vec::new();
            for (at, content) in contents.iter().enumerate() {
                let head = format!("--=_b0undary'=\r\nContent-Disposition: form-data; name=\"p{at}\"; filename=\"f\"\r\n\r\n");
                body.extend_from_slice(head.as_bytes());
                body.extend_from_slice(content);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"--=_b0undary'=--\r\n");
            let form = parse("multipart/form-data; boundary=\"=_b0undary'=\"", &body).unwrap();
            prop_assert_eq!(form.parts.len(), contents.len());
            for (at, content) in contents.iter().enumerate() {
                prop_assert_eq!(&form.bytes(&format!("p{at}")).unwrap()[..], &content[..]);
            }
        }
    }
}
