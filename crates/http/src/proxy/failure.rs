//! What clients are told when there is no answer of the server behind.

use hyper::{
    HeaderMap, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};

use crate::proxy::{Body, UpstreamError, full};

const PAGE: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><title>Not available</title>\
    <body style=\"font-family:sans-serif;margin:4rem auto;max-width:32rem;padding:0 1rem\">\
    <h1>The server does not answer</h1>\
    <p>It may be starting, or it was stopped. Please try again in a moment.</p></body></html>\n";

/// The answer in place of one that did not come: a page for people, JSON for programs.
pub(crate) fn answer(asked: &HeaderMap, error: &UpstreamError) -> Response<Body> {
    if let UpstreamError::RequestBroke(_) = error {
        return refusal(StatusCode::BAD_REQUEST, "The request did not come whole");
    }
    if asked.get(ACCEPT).is_some_and(|accept| accept.to_str().is_ok_and(|a| a.contains("text/html"))) {
        return response(StatusCode::BAD_GATEWAY, "text/html; charset=utf-8", PAGE.to_owned());
    }
    refusal(StatusCode::BAD_GATEWAY, "The server does not answer")
}

/// A status and its reason, in the shape of Immich's errors.
pub(crate) fn refusal(status: StatusCode, message: &'static str) -> Response<Body> {
    let (error, code) = (status.canonical_reason().unwrap_or_default(), status.as_u16());
    let words = format!(r#"{{"message":"{message}","error":"{error}","statusCode":{code}}}"#);
    response(status, "application/json", words)
}

fn response(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
