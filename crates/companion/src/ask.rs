//! Requests to Immich in a caller's name, and requests small enough to be read.

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::Body as _,
    header::{
        ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderName,
        HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
        TRANSFER_ENCODING,
    },
    http::request::Parts,
};
use serde_json::Value;
use viewfinder_proxy::{Body, Proxy, Visitor, empty, full};

use crate::bounded::gather;

/// The most bytes of a request that is read here. A search with thousands of people in its filter has less.
const REQUEST_BYTES: usize = 1 << 20;
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

/// A request whose body was read.
pub(crate) struct Read {
    pub(crate) parts: Parts,
    pub(crate) bytes: Bytes,
}

impl Read {
    /// Reads a request with a body of JSON, if it is a small one; gives it back otherwise.
    ///
    /// # Errors
    /// The request as it came, with the whole of its body, which may only now be seen to be long or to break off.
    pub(crate) async fn json(request: Request<Body>) -> Result<Self, Request<Body>> {
        let headers = request.headers();
        let is_long = request.body().size_hint().lower() > REQUEST_BYTES as u64;
        if !is_json(headers) || is_long || headers.contains_key(CONTENT_ENCODING) {
            return Err(request);
        }
        let (mut parts, body) = request.into_parts();
        let read = gather(body, REQUEST_BYTES).await;
        // Its body was asked for by reading it here.
        parts.headers.remove(EXPECT);
        match read {
            Ok(bytes) => {
                // What came in chunks is one piece now.
                if parts.headers.remove(TRANSFER_ENCODING).is_some() || !bytes.is_empty() {
                    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
                }
                Ok(Self { parts, bytes })
            }
            Err(unread) => Err(Request::from_parts(parts, unread.body)),
        }
    }

    /// The request as it came.
    pub(crate) fn again(&self) -> Request<Body> {
        Request::from_parts(self.parts.clone(), full(self.bytes.clone()))
    }

    /// The body as an object.
    pub(crate) fn object(&self) -> Option<serde_json::Map<String, Value>> {
        match serde_json::from_slice(&self.bytes) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        }
    }
}

/// Is this JSON to Immich, in the charset that it has here too? It reads other ones otherwise, and other types not at all.
fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else { return false };
    let mut parts = kind.to_str().unwrap_or_default().split(';').map(str::trim);
    let is_utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) && parts.all(is_utf8)
}

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
    fn only_json_that_immich_reads_alike_is_read() {
        for (kinds, expected) in [
            (&["application/json"][..], true),
            (&[" Application/JSON ; Charset=\"UTF-8\""], true),
            (&["application/json; charset=utf-8; boundary=x"], true),
            (&["application/json;charset=utf-16"], false),
            (&["application/json; charset=latin1"], false),
            (&["application/jsonx"], false),
            (&["application/json-patch+json"], false),
            (&["application/ld+json"], false),
            (&["text/plain; application/json"], false),
            (&["application/json", "application/json"], false),
            (&[], false),
        ] {
            let headers = kinds.iter().map(|kind| (CONTENT_TYPE, HeaderValue::from_static(kind)));
            assert_eq!(is_json(&headers.collect()), expected, "{kinds:?}");
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
