//! Keys that requests to an address must carry.
//!
//! `/ping` wants none, so that whoever watches over the server needs no secret, and neither do the page's style and
//! script, which hold nothing but what is published. The page itself comes as a refusal that can ask for the key.

use std::{fmt, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::Response,
};
use subtle::ConstantTimeEq;

use crate::{body::discard, failure::Failure, routes};

/// Paths that want no key.
const OPEN: [&str; 3] = ["/ping", "/ui/style.css", "/ui/script.js"];

/// A key, which is never shown.
#[derive(Clone)]
pub struct Key(Arc<str>);

/// What cannot be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is made of visible ASCII characters, without spaces")]
pub struct BadKey;

impl Key {
    /// Checks that it can be sent in a header.
    pub fn new(key: &str) -> Result<Self, BadKey> {
        let fit = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if fit { Ok(Self(key.into())) } else { Err(BadKey) }
    }

    /// Compares without telling by its duration how much was right.
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// Marks a request that has shown the key of its address.
#[derive(Clone, Copy)]
pub(crate) struct Admitted;

/// Lets requests with the right key through, and those that need none.
pub(crate) async fn guard(State(key): State<Key>, mut request: Request, next: Next) -> Response {
    if OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let mut shown = shown(request.headers()).peekable();
    let (code, message) = if shown.peek().is_none() {
        ("key_missing", "this address wants a key, as Authorization: Bearer, api-key or x-api-key")
    } else if shown.any(|shown| key.is(shown)) {
        drop(shown);
        request.extensions_mut().insert(Admitted);
        return next.run(request).await;
    } else {
        ("key_wrong", "Invalid API key")
    };
    drop(shown);
    let failure = Failure::caller(StatusCode::UNAUTHORIZED, code, message);
    let refusal = routes::refuse(request.uri().path(), request.headers(), &failure);
    discard(request.into_body()).await;
    refusal
}

/// Every key that a request shows.
fn shown(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearers = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then(|| key.trim_ascii())
    });
    let plain = ["api-key", "x-api-key"];
    bearers.chain(plain.into_iter().flat_map(|name| headers.get_all(name)).map(|value| value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn keys_are_equal_only_as_a_whole() {
        let key = Key::new("key").unwrap();
        assert!(key.is(b"key"));
        for wrong in [&b""[..], b"k", b"kex", b"keyy", b"Key"] {
            assert!(!key.is(wrong));
        }
        assert_eq!(format!("{key:?}"), "Key");
    }

    #[test]
    fn what_no_header_can_carry_is_no_key() {
        for wrong in ["", " ", "two words", "two\nlines", "schlüssel"] {
            assert!(Key::new(wrong).is_err(), "{wrong:?}");
        }
    }
}
