//! Questions to one Immich, over the connections by which requests are passed on to it: in the name of whoever sent a request, or
//! with a key. Answers come whole, and none is longer than it may be.

mod bounded;

use std::{sync::Arc, time::Duration};

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
use tokio::time::timeout;
use viewfinder_http::proxy::{Body, ConfigError, Proxy, ProxyConfig, Visitor, empty, full};

pub(crate) use bounded::gather;

/// The most bytes of an answer to somebody's question; previews are the largest, with a megabyte or two.
const ANSWER_BYTES: usize = 32 << 20;
/// The most bytes of an answer to a key: lists have a thousand pictures on a page.
const KEY_ANSWER_BYTES: usize = 64 << 20;
/// Longest time for an answer to a key, from the connection to its last byte.
const KEY_TIME: Duration = Duration::from_secs(60);

/// Where Immich tells its version to everybody.
pub(crate) const VERSION: &str = "/api/server/version";

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

/// The way to an Immich. Copies share its connections.
#[derive(Clone)]
pub struct Client {
    proxy: Arc<Proxy>,
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

    /// What it says if it is the answer to [`VERSION`].
    pub(crate) fn version(&self) -> Option<String> {
        let version = self.json()?;
        let number = |name: &str| version.get(name).and_then(Value::as_u64);
        Some(format!("v{}.{}.{}", number("major")?, number("minor")?, number("patch")?))
    }

    /// Passed on to the caller as it is.
    pub(crate) fn relay(self) -> Response<Body> {
        let mut response = Response::new(full(self.bytes));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

impl Client {
    /// Prepares connections; none is made yet.
    ///
    /// # Errors
    /// As those of [`Proxy::new`].
    pub fn new(config: &ProxyConfig) -> Result<Self, ConfigError> {
        Ok(Self { proxy: Arc::new(Proxy::new(config)?) })
    }

    /// Passes requests on as they are.
    pub(crate) fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Asks Immich something as the sender of a request: with all of its headers and its query, where credentials may be.
    ///
    /// # Errors
    /// One line, if there is no whole answer.
    pub(crate) async fn as_sender(
        &self,
        visitor: &Visitor,
        parts: &Parts,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let mut headers = parts.headers.clone();
        for name in &OWN {
            headers.remove(name);
        }
        let request = question(method, with_path(&parts.uri, path), headers, body);
        let response = self.proxy.pass(request, visitor).await.map_err(|error| error.to_string())?;
        whole(response, ANSWER_BYTES).await
    }

    /// Immich's version as it writes it itself, `v3.2.2`, asked as nobody in particular.
    ///
    /// # Errors
    /// One line, if there is no such answer within `time`.
    pub async fn version(&self, time: Duration) -> Result<String, String> {
        let path = Uri::from_static(VERSION);
        let answer = async {
            let request = question(Method::GET, path, HeaderMap::new(), None);
            let response = self.proxy.ask(request).await.map_err(|error| error.to_string())?;
            whole(response, ANSWER_BYTES).await
        };
        let answer =
            timeout(time, answer).await.unwrap_or_else(|_| Err(format!("no answer within {time:?}")))?;
        answer.version().ok_or_else(|| "what answers there is no Immich".to_owned())
    }

    /// Asks Immich something as the owner of an API key.
    ///
    /// # Errors
    /// One line without the key, if there is no whole answer in time.
    pub(crate) async fn with_key(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let mut key = HeaderValue::from_str(key).map_err(|_| "the API key is no text for a header")?;
        key.set_sensitive(true);
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-api-key"), key)]);
        let request = question(method, path.parse().unwrap_or_default(), headers, body);
        let answer = async {
            let response = self.proxy.ask(request).await.map_err(|error| error.to_string())?;
            whole(response, KEY_ANSWER_BYTES).await
        };
        timeout(KEY_TIME, answer).await.unwrap_or_else(|_| Err(format!("no answer within {KEY_TIME:?}")))
    }
}

/// A request that wants a plain answer.
fn question(method: Method, uri: Uri, headers: HeaderMap, body: Option<&Value>) -> Request<Body> {
    let mut request = Request::new(body.map_or_else(empty, |body| full(body.to_string())));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    request
}

/// Reads an answer of at most so many bytes.
async fn whole(response: Response<Body>, most: usize) -> Result<Answer, String> {
    let (head, body) = response.into_parts();
    let bytes = gather(body, most).await.map_err(|unread| unread.why)?;
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
}
