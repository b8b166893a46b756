//! Requests whose bodies are read here, and what strangers can make of that.
//!
//! Everybody may send a body, and JSON takes a hundred times its length in memory. So a small and plain one is read at once;
//! before any other, Immich is asked whether it knows the sender, and few of those are read at a time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Body as _,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderValue, TRANSFER_ENCODING},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};
use viewfinder_http::proxy::{Body, Visitor, empty, full};

use crate::{
    client::gather,
    companion::{
        Companion, judge,
        places::{Place, Places, UserLimiter},
        reply,
    },
};

/// The most bytes of a request that is read here. A search with thousands of people in its filter has less.
const REQUEST_BYTES: usize = 1 << 20;
/// The most values in it: as many ids as fit.
const VALUES: usize = 30_000;
/// What is read of anybody: pages' and apps' searches have less than a tenth of it.
const SMALL_BYTES: usize = 16 << 10;
const SMALL_VALUES: usize = 256;
/// Requests at once, of those and of others. A small one takes up to 0.1 MB with its copies, another one 30 MB.
const SMALL_AT_ONCE: usize = 128;
const LARGE: UserLimiter = UserLimiter { all: 6, of_user: 2, waiting: 4 };
/// So long one may take to come: Immich, which has a time of its own, is not asked before, and others wait for room.
const BODY_TIME: Duration = Duration::from_secs(15);

/// Room for requests that are read.
pub(crate) struct RequestAdmission {
    small: Arc<Semaphore>,
    large: Places,
}

impl RequestAdmission {
    pub(crate) fn new() -> Self {
        Self { small: Arc::new(Semaphore::new(SMALL_AT_ONCE)), large: Places::new(LARGE) }
    }
}

/// A request whose body was read; it keeps its room until it is dropped.
pub(crate) struct Read {
    pub(crate) parts: Parts,
    pub(crate) bytes: Bytes,
    _room: Taken,
}

/// The room of one request.
enum Taken {
    Small { _permit: OwnedSemaphorePermit },
    Large { _place: Place },
}

/// A request that was not read, or not to its end.
pub(crate) struct Unread {
    pub(crate) why: Why,
    /// As it came, with the whole of its body, which may only now be seen to be long or to break off.
    pub(crate) request: Request<Body>,
}

/// Why a request is not read here.
pub(crate) enum Why {
    /// It is no JSON, or too much of it.
    Unfit,
    /// Immich does not know who sent it, and says so like this.
    Stranger(Box<Response<Body>>),
    /// There was no room in time.
    Full,
    /// It did not come in time. What came of it is lost.
    Slow,
}

impl Unread {
    /// Has Immich answer it, where it can.
    pub(crate) async fn forward(self, companion: &Companion, visitor: &Visitor) -> Response<Body> {
        match self.why {
            Why::Slow => slow(),
            _ => companion.client.proxy().forward(self.request, visitor).await,
        }
    }
}

/// The answer to whoever sends a body too slowly.
pub(crate) fn slow() -> Response<Body> {
    reply::coded(StatusCode::REQUEST_TIMEOUT, "slow_request", "the request did not come in time")
}

impl Read {
    /// Reads a request with a body of JSON, if it is not too long; gives it back otherwise.
    ///
    /// # Errors
    /// Why it is not read.
    pub(crate) async fn json(
        companion: &Companion,
        request: Request<Body>,
        visitor: &Visitor,
    ) -> Result<Self, Unread> {
        let announced = request.body().size_hint();
        let unfit = !is_json(request.headers())
            || announced.lower() > REQUEST_BYTES as u64
            || request.headers().contains_key(CONTENT_ENCODING);
        if unfit {
            return Err(Unread { why: Why::Unfit, request });
        }
        let (mut parts, mut body) = request.into_parts();
        if announced.lower() <= SMALL_BYTES as u64 {
            let Ok(read) = timeout(BODY_TIME, whole(&mut parts, body, SMALL_BYTES)).await else {
                return Err(unread(Why::Slow, parts, empty()));
            };
            body = match read {
                Ok(bytes) if values(&bytes) <= SMALL_VALUES => {
                    return Self::beside(&companion.admission.small, companion.time, parts, bytes).await;
                }
                Ok(bytes) => full(bytes),
                Err(body) => body,
            };
        }
        Self::known(companion, parts, body, visitor).await
    }

    /// A request that was read, once there is room for what it says.
    async fn beside(
        places: &Arc<Semaphore>,
        time: Duration,
        parts: Parts,
        bytes: Bytes,
    ) -> Result<Self, Unread> {
        match timeout(time, Arc::clone(places).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Self { parts, bytes, _room: Taken::Small { _permit: permit } }),
            _ => Err(unread(Why::Full, parts, full(bytes))),
        }
    }

    /// Reads a long request, or one of many values, of somebody whom Immich knows.
    async fn known(
        companion: &Companion,
        mut parts: Parts,
        body: Body,
        visitor: &Visitor,
    ) -> Result<Self, Unread> {
        let user = match judge::user(companion, &parts, visitor).await {
            Ok(user) => user,
            Err(refusal) => return Err(unread(Why::Stranger(Box::new(refusal)), parts, body)),
        };
        let Ok(Some(place)) = timeout(companion.time, companion.admission.large.take(user)).await else {
            return Err(unread(Why::Full, parts, body));
        };
        match timeout(BODY_TIME, whole(&mut parts, body, REQUEST_BYTES)).await {
            Ok(Ok(bytes)) if values(&bytes) <= VALUES => {
                Ok(Self { parts, bytes, _room: Taken::Large { _place: place } })
            }
            Ok(Ok(bytes)) => Err(unread(Why::Unfit, parts, full(bytes))),
            Ok(Err(body)) => Err(unread(Why::Unfit, parts, body)),
            Err(_) => Err(unread(Why::Slow, parts, empty())),
        }
    }

    /// The request as it came.
    pub(crate) fn again(&self) -> Request<Body> {
        Request::from_parts(self.parts.clone(), full(self.bytes.clone()))
    }

    /// The body as an object.
    pub(crate) async fn object(&self) -> Option<Map<String, Value>> {
        self.parse().await
    }

    /// What is known of the body, if it is an object. A long one is read where nobody waits for the thread.
    pub(crate) async fn parse<T: DeserializeOwned + Send + 'static>(&self) -> Option<T> {
        // A list of values would pass for the fields of a struct.
        if self.bytes.trim_ascii_start().first() != Some(&b'{') {
            return None;
        }
        if self.bytes.len() <= SMALL_BYTES {
            return serde_json::from_slice(&self.bytes).ok();
        }
        let bytes = self.bytes.clone();
        spawn_blocking(move || serde_json::from_slice(&bytes).ok()).await.unwrap_or_default()
    }
}

fn unread(why: Why, parts: Parts, body: Body) -> Unread {
    Unread { why, request: Request::from_parts(parts, body) }
}

/// Reads a body to its end, and says in the head that it was; gives it back otherwise.
async fn whole(parts: &mut Parts, body: Body, most: usize) -> Result<Bytes, Body> {
    let read = gather(body, most).await;
    // Its body was asked for by reading it here.
    parts.headers.remove(EXPECT);
    let bytes = read.map_err(|unread| unread.body)?;
    // What came in chunks is one piece now.
    if parts.headers.remove(TRANSFER_ENCODING).is_some() || !bytes.is_empty() {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    Ok(bytes)
}

/// No fewer than the values that JSON has, and often the same.
fn values(json: &[u8]) -> usize {
    json.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count()
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn values_are_never_more_than_counted() {
        for json in [r#"{"a":[1,{"b":[]},"x,[{"],"c":null}"#, "[]", "7", "[[],[],{}]"] {
            fn count(value: &Value) -> usize {
                match value {
                    Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
                    Value::Object(fields) => 1 + fields.values().map(count).sum::<usize>(),
                    _ => 1,
                }
            }
            // The last value of each list has no comma behind it; its list has a bracket.
            assert!(values(json.as_bytes()) + 1 >= count(&serde_json::from_str(json).unwrap()), "{json}");
        }
    }
}
