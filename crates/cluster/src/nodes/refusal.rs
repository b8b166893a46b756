//! How peers say no.

use std::time::Duration;

use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use serde_json::Value;
use viewfinder_core::{ErrorCode, TaskError};
use viewfinder_image::header;

use crate::nodes::{NodeError, Secret};

/// What was asked about.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// This picture, which may be to blame.
    Picture(&'a Bytes),
    /// Something else.
    Other,
}

/// The header in which a Viewfinder tells its code beside each protocol's own words.
const CODE_HEADER: &str = "x-viewfinder-code";

/// Longest message, in characters.
const LONGEST: usize = 200;
/// Longest wait that a peer can ask for.
const LONGEST_WAIT: u64 = 3600;

/// What services of both protocols say with status 400 or 422 about the form of a request, and not about a picture.
const ABOUT_THE_FORM: [&str; 8] = [
    "Invalid request format",
    "Task ",
    "Either image or text",
    "The request asks",
    "Missing boundary",
    "There was an error parsing the body",
    "Part exceeded",
    "Field required",
];

/// What MT Photos' services, and the libraries they quote, say of pictures that they cannot decode.
const UNDECODABLE: [&str; 6] = [
    "'NoneType' object has no attribute 'shape'",
    "cannot identify image file",
    "is not a valid image format",
    "image file is truncated",
    "!buf.empty()",
    "!_src.empty()",
];

/// Reads refusals.
pub(crate) struct Refusal<'a> {
    /// Taken out of whatever the peer says, for a peer can repeat what it was sent.
    pub(crate) key: Option<&'a Secret>,
    /// Do peers of this kind ask for keys?
    pub(crate) checks_keys: bool,
}

impl Refusal<'_> {
    /// A status other than 2xx.
    pub(crate) fn read(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        subject: Subject<'_>,
    ) -> NodeError {
        if self.checks_keys && is_about_the_key(status, body) {
            return NodeError::Key { given: self.key.is_some() };
        }
        let code = code_from_headers(headers);
        let busy = match code {
            Some(code) => matches!(code, ErrorCode::Busy | ErrorCode::Stopping),
            None => matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE),
        };
        if busy {
            return NodeError::Busy { retry_after: retry_after(headers) };
        }
        let said = said(headers, body);
        let code = code.or_else(|| match subject {
            Subject::Picture(picture) => error_code(status, said.as_deref(), picture),
            Subject::Other => None,
        });
        let message = match said {
            Some(said) => self.clean(&said),
            None => status.canonical_reason().unwrap_or("no reason given").to_owned(),
        };
        NodeError::Refused { status: status.as_u16(), code, message }
    }

    /// MT Photos' way of saying no: status 200 and a message.
    pub(crate) fn handled(&self, said: &str, told: Option<ErrorCode>, picture: Option<&Bytes>) -> NodeError {
        let undecodable = || {
            let picture = picture?;
            if said == viewfinder_wire::mt_photos::OUT_OF_RANGE {
                return Some(ErrorCode::ImageTooLarge);
            }
            if UNDECODABLE.iter().any(|known| said.contains(known)) {
                return Some(ErrorCode::ImageUndecodable);
            }
            picture_error(picture)
        };
        let message = if said.trim().is_empty() { "no reason given".to_owned() } else { self.clean(said) };
        NodeError::Refused { status: 200, code: told.or_else(undecodable), message }
    }

    fn clean(&self, said: &str) -> String {
        match self.key {
            Some(key) => line(&said.replace(key.reveal(), "***")),
            None => line(said),
        }
    }
}

/// Both protocols say 401 to a wrong key; MT Photos' services call a missing one a malformed request.
fn is_about_the_key(status: StatusCode, body: &[u8]) -> bool {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => true,
        StatusCode::UNPROCESSABLE_ENTITY => {
            let body: Option<Value> = serde_json::from_slice(body).ok();
            let place = body.as_ref().and_then(|body| body.pointer("/detail/0/loc/1"));
            place.is_some_and(|place| place == "api-key")
        }
        _ => false,
    }
}

/// The code of a Viewfinder.
pub(crate) fn code_from_headers(headers: &HeaderMap) -> Option<ErrorCode> {
    let told = headers.get(CODE_HEADER)?.to_str().ok()?;
    ErrorCode::ALL.iter().copied().find(|code| code.as_str() == told)
}

/// What is wrong with a picture whose header cannot be read; nothing, if it can.
fn picture_error(picture: &Bytes) -> Option<ErrorCode> {
    header(picture).err().map(|error| TaskError::from(error).code)
}

/// One short line without control characters.
pub(crate) fn line(text: &str) -> String {
    let words: Vec<_> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let text = words.join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What is wrong with the picture, if the refusal is about it.
fn error_code(status: StatusCode, said: Option<&str>, picture: &Bytes) -> Option<ErrorCode> {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Some(ErrorCode::ImageTooManyBytes),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some(ErrorCode::ImageUndecodable),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            let said = said?;
            if ABOUT_THE_FORM.iter().any(|start| said.starts_with(start)) {
                None
            } else if said.contains("zero width or height") {
                Some(ErrorCode::ImageZeroSize)
            } else {
                Some(ErrorCode::ImageUndecodable)
            }
        }
        // Immich's service crashes over an undecodable picture as it does over its own trouble.
        StatusCode::INTERNAL_SERVER_ERROR => picture_error(picture),
        _ => None,
    }
}

/// When to come back. A date instead of seconds is rare and not worth a calendar.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST_WAIT)))
}

/// The reason given, in any of the shapes that services of these protocols give it. Pages for browsers have none.
fn said(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let json: Option<Value> = serde_json::from_str(text).ok();
    let said = if let Some(json) = json {
        let places = ["/detail/0/msg", "/detail", "/error/message", "/error", "/message", "/msg"];
        places.iter().find_map(|place| json.pointer(place)?.as_str().map(str::to_owned))
    } else {
        let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        kind.starts_with(b"text/plain").then(|| text.to_owned())
    };
    said.filter(|said| !said.trim().is_empty())
}
