//! The page's files.
use axum::{
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};

/// Only what this server sent may run or be shown, and nobody may frame it. Styles of single elements are set by the
/// script: text lies over pictures.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, type and contents of each file.
pub(crate) const FILES: [(&str, &str, &str); 9] = [
    ("/photos", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/photos/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/photos/main.js", JAVASCRIPT, include_str!("page/main.js")),
    ("/photos/api.js", JAVASCRIPT, include_str!("page/api.js")),
    ("/photos/dom.js", JAVASCRIPT, include_str!("page/dom.js")),
    ("/photos/grid.js", JAVASCRIPT, include_str!("page/grid.js")),
    ("/photos/overlay.js", JAVASCRIPT, include_str!("page/overlay.js")),
    ("/photos/viewer.js", JAVASCRIPT, include_str!("page/viewer.js")),
    ("/photos/words.js", JAVASCRIPT, include_str!("page/words.js")),
];

/// One file.
pub(crate) fn file(content_type: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}
