//! Parsers of this crate that are private, for `crates/fuzz`.
use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;

use crate::{multipart::Form, routes};

/// A part of a form: its name, a file's name, its bytes.
pub type Part<'a> = (&'a str, Option<&'a str>, Bytes);

/// The parts of a form; none if it is refused. Texts are looked at too.
pub fn form<T>(content_type: HeaderValue, body: &Bytes, look: impl FnOnce(Vec<Part<'_>>) -> T) -> Option<T> {
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]);
    let form = Form::parse(&headers, body).ok()?;
    let parts: Vec<Part<'_>> = form.parts().collect();
    for (name, ..) in &parts {
        // Whether it is text is the caller's to know.
        let _ = (form.text(name), form.texts(name), form.file(name), form.bytes(name));
    }
    Some(look(parts))
}

/// The sentence that MT Photos asks for; none if it is refused.
pub fn sentence(body: &[u8]) -> Option<String> {
    routes::sentence(body)
}
