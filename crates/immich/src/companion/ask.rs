//! Requests to Immich in a caller's name.

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    header::{
        ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName,
        HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
    },
    http::request::Parts,
};
use serde_json::Value;
use viewfinder_http::proxy::{Body, Proxy, Visitor, empty, full};

use crate::companion::bounded::gather;

/// The most bytes of an answer to a question of our own; previews are the largest, with a megabyte or two.
const ANSWER_BYTES: usize = 32 << 20;

/// Headers that describe a request's body or ask for part of an answer, which another request must not inherit.
const OWN: [HeaderName; 10] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    EXPECT,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    RANGE,
];

/// Does a shared link stand in place of a user?
pub(crate) fn is_of_shared_link(parts: &Parts) -> bool {
    let header = ["x-immich-share-key", "x-immich-share-slug"];
    let query = parts.uri.query().unwrap_or_default();
    header.iter().any(|name| parts.headers.contains_key(*name))
        || query.split('&').any(|pair| matches!(pair.split('=').next(), Some("key" | "slug")))
}

/// An answer of Immich to a question of ours, whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answer {
    /// The answer's JSON, if it is a good one.
    pub(crate) fn json(&self) -> Option<Value> {
        (self.status == StatusCode::OK).then(|| serde_json::from_slice(&self.bytes).ok()).flatten()
    }

    /// Passed on to the caller as it is.
    pub(crate) fn relay(self) -> Response<Body> {
        let mut response = Response::new(full(self.bytes));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// Asks Immich something as the sender of a request: with all of its headers and its query, where credentials may be.
///
/// # Errors
/// One line, if there is no whole answer.
pub(crate) async fn as_sender(
    proxy: &Proxy,
    visitor: &Visitor,
    parts: &Parts,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Answer, String> {
    let mut request = Request::new(body.map_or_else(empty, |body| full(body.to_string())));
    *request.method_mut() = method;
    *request.uri_mut() = with_path(&parts.uri, path);
    let mut headers = parts.headers.clone();
    for name in &OWN {
        headers.remove(name);
    }
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    *request.headers_mut() = headers;
    let response = proxy.pass(request, visitor).await.map_err(|error| error.to_string())?;
    whole(response).await
}

/// Reads an answer.
pub(crate) async fn whole(response: Response<Body>) -> Result<Answer, String> {
    let (head, body) = response.into_parts();
    let bytes = gather(body, ANSWER_BYTES).await.map_err(|unread| unread.why)?;
    Ok(Answer { status: head.status, headers: head.headers, bytes })
}

/// Another path, perhaps with a query of its own, with the query that there is.
pub(crate) fn with_path(uri: &Uri, path: &str) -> Uri {
    let joint = if path.contains('?') { '&' } else { '?' };
    let target = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}{joint}{query}"));
    // Both parts come from URIs.
    target.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_kept_behind_a_paths_own() {
        for (uri, path, expected) in [
            ("/a?k=v&w", "/b", "/b?k=v&w"),
            ("/a?k=v", "/b?size=preview", "/b?size=preview&k=v"),
            ("/a", "/b?size=preview", "/b?size=preview"),
        ] {
            assert_eq!(with_path(&uri.parse().unwrap(), path).to_string(), expected);
        }
    }

    #[test]
    fn shared_links_are_recognised_by_all_that_carry_them() {
        let of = |uri: &str, header: Option<&str>| {
            let mut request = Request::new(());
            *request.uri_mut() = uri.parse().unwrap();
            if let Some(name) = header {
                request
                    .headers_mut()
                    .insert(HeaderName::try_from(name).unwrap(), HeaderValue::from_static("x"));
            }
            is_of_shared_link(&request.into_parts().0)
        };
        assert!(of("/api/search/metadata?key=abc", None));
        assert!(of("/api/search/metadata?a=b&slug=abc", None));
        assert!(of("/api/search/metadata", Some("x-immich-share-key")));
        assert!(of("/api/search/metadata", Some("X-Immich-Share-Slug")));
        assert!(!of("/api/search/metadata?apiKey=abc&sessionKey=d", Some("x-api-key")));
    }
}
