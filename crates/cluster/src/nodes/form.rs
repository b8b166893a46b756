//! Bodies of requests.

use std::{collections::hash_map::RandomState, hash::BuildHasher};

use bytes::Bytes;
use hyper::header::HeaderValue;

use crate::nodes::body::ChunkedBody;

/// A body and its type.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) kind: Option<HeaderValue>,
    pub(crate) body: ChunkedBody,
}

impl Content {
    /// No body.
    pub(crate) fn none() -> Self {
        Self { kind: None, body: ChunkedBody::new(Vec::new()) }
    }

    /// A body of JSON.
    pub(crate) fn json(value: &serde_json::Value) -> Self {
        let kind = Some(HeaderValue::from_static("application/json"));
        Self { kind, body: ChunkedBody::new(vec![value.to_string().into()]) }
    }
}

/// A file in a form.
pub(crate) struct File<'a> {
    pub(crate) field: &'static str,
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) bytes: &'a Bytes,
}

/// A form of texts and perhaps a file behind them, whose bytes are not copied.
pub(crate) fn form(texts: &[(&str, &str)], file: Option<&File<'_>>) -> Content {
    let boundary = boundary();
    let mut head = String::new();
    for (field, text) in texts {
        head.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{text}\r\n"
        ));
    }
    let mut pieces = Vec::with_capacity(3);
    if let Some(File { field, name, kind, bytes }) = file {
        head.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
             Content-Type: {kind}\r\n\r\n"
        ));
        pieces.extend([head.into(), Bytes::clone(bytes), format!("\r\n--{boundary}--\r\n").into()]);
    } else {
        head.push_str(&format!("--{boundary}--\r\n"));
        pieces.push(head.into());
    }
    let kind = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}")).ok();
    Content { kind, body: ChunkedBody::new(pieces) }
}

/// Two numbers that nobody can foresee, so that no picture and no sentence can hold the boundary.
fn boundary() -> String {
    let random = RandomState::new();
    format!("viewfinder-{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
}
