//! What clients are told when the server behind gives no answer.

use hyper::{
    HeaderMap, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};

use crate::{Body, UpstreamError, full};

const PAGE: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><title>Not available</title>\
    <body style=\"font-family:sans-serif;margin:4rem auto;max-width:32rem;padding:0 1rem\">\
    <h1>The server does not answer</h1>\
    <p>It may be starting, or it was stopped. Please try again in a moment.</p></body></html>\n";

const WORDS: &str =
    "{\"message\":\"The server does not answer\",\"error\":\"Bad Gateway\",\"statusCode\":502}";

/// The answer in place of one that did not come: a page for people, JSON for programs.
pub(crate) fn answer(asked: &HeaderMap, error: &UpstreamError) -> Response<Body> {
    let page = asked.get(ACCEPT).is_some_and(|accept| accept.to_str().is_ok_and(|a| a.contains("text/html")));
    let (kind, text) = if page { ("text/html; charset=utf-8", PAGE) } else { ("application/json", WORDS) };
    let mut response = Response::new(full(text));
    *response.status_mut() = match error {
        UpstreamError::RequestBroke(_) => StatusCode::BAD_REQUEST,
        UpstreamError::Unreachable(_) | UpstreamError::Broken(_) => StatusCode::BAD_GATEWAY,
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
