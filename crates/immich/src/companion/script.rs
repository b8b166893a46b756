//! The script for Immich's page.

use hyper::{
    HeaderMap, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH},
};
use sha2::{Digest as _, Sha256};
use viewfinder_http::proxy::{Body, empty, full};

use crate::library::{Capabilities, Capability};

/// Where it is. Immich has nothing that begins so.
pub(crate) const PATH: &str = "/_viewfinder/companion.js";

/// Each file has one job; together they are one function, so that nothing of theirs is seen by the page.
const TEXT: &str = concat!(
    "(() => {\n'use strict';\n",
    include_str!("page/base.js"),
    include_str!("page/words.js"),
    include_str!("page/notes.js"),
    include_str!("page/menus.js"),
    include_str!("page/selection.js"),
    include_str!("page/jobs.js"),
    include_str!("page/text.js"),
    include_str!("page/marks.js"),
    include_str!("page/anchors.js"),
    include_str!("page/start.js"),
    "})();\n"
);

/// The tag that loads it, and tells it what can be done again.
pub(crate) fn tag(capabilities: &Capabilities) -> String {
    let names: Vec<&str> = [("ocr", Capability::RedoText), ("clip", Capability::RedoVectors)]
        .into_iter()
        .filter(|kind| capabilities.has(kind.1))
        .map(|kind| kind.0)
        .collect();
    format!("<script src=\"{PATH}\" data-again=\"{}\" defer></script>", names.join(" "))
}

/// Sends it, unless the browser has it.
pub(crate) fn answer(asked: &HeaderMap) -> Response<Body> {
    let sum: [u8; 32] = Sha256::digest(TEXT).into();
    let mark = format!("\"{:032x}\"", u128::from_be_bytes(*sum.first_chunk().unwrap_or(&[0; 16])));
    let known = asked.get_all(IF_NONE_MATCH).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.split(',').any(|one| one.trim().trim_start_matches("W/") == mark))
    });
    let mut response = Response::new(if known { empty() } else { full(TEXT) });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    // Asked for again with each page, so that an update is seen at once.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(mark) = HeaderValue::from_str(&mark) {
        headers.insert(ETAG, mark);
    }
    response
}
