//! Answers of our own, in Immich's shapes.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY},
};
use serde_json::{Value, json};
use viewfinder_http::proxy::{Body, empty, full};

/// Shorter answers are not worth compressing; Immich's own limit.
const COMPRESS_FROM: usize = 1024;

/// JSON, compressed if the asker likes.
pub(crate) fn json(asked: &HeaderMap, value: &Value) -> Response<Body> {
    let mut bytes = value.to_string().into_bytes();
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    if bytes.len() >= COMPRESS_FROM
        && likes_gzip(asked)
        && let Some(compressed) = gzip(&bytes)
    {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        bytes = compressed;
    }
    response.map(|()| full(bytes))
}

/// A refusal as Immich v2 says it; v3 reads no more than the message.
pub(crate) fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    said(status, json!({"message": message}))
}

/// A refusal with a stable code for programs, beside what Immich says.
pub(crate) fn coded(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    said(status, json!({"message": message, "code": code}))
}

fn said(status: StatusCode, mut body: Value) -> Response<Body> {
    body["error"] = json!(status.canonical_reason().unwrap_or_default());
    body["statusCode"] = json!(status.as_u16());
    let mut response = json(&HeaderMap::new(), &body);
    *response.status_mut() = status;
    response
}

/// Done, and nothing to say.
pub(crate) fn done() -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn likes_gzip(asked: &HeaderMap) -> bool {
    let words = asked.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    words.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let unwanted = matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        name.trim().eq_ignore_ascii_case("gzip") && !unwanted
    })
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn compression_is_for_those_who_like_it() {
        for (accepted, expected) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0, br", false),
            ("identity", false),
        ] {
            let asked = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accepted))]);
            assert_eq!(likes_gzip(&asked), expected, "{accepted}");
        }
        assert!(!likes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_is_compressed_is_whole() {
        let bytes = vec![b'x'; 5000];
        let mut found = Vec::new();
        GzDecoder::new(gzip(&bytes).unwrap().as_slice()).read_to_end(&mut found).unwrap();
        assert_eq!(found, bytes);
    }
}
