//! Keys that requests to an address must carry.
//!
//! `/ping` wants none, so that whoever watches over the server needs no secret, and neither do the pages' files,
//! which hold nothing but what is published. The status page itself comes as a refusal that can ask for the key.

use std::{fmt, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::{FailedAttempts, Peer, body::discard, failure::Failure, routes};

/// The cookie that stands for the key of an address.
const COOKIE: &str = "viewfinder_key";

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

    /// What a browser shows instead: made of the key, and of no use to learn it.
    fn token(&self) -> String {
        let digest =
            Sha256::new().chain_update(b"viewfinder cookie\0").chain_update(self.0.as_bytes()).finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    }

    /// Do a request's headers show it: as a key, or by the cookie of this name?
    pub fn is_shown_by(&self, headers: &HeaderMap, cookie: &str) -> bool {
        let token = self.token();
        shown(headers).any(|shown| self.is(shown))
            || tokens(headers, cookie).any(|shown| token.as_bytes().ct_eq(shown).into())
    }

    /// `name=value` of a cookie that stands for it, if it is the one shown.
    pub fn cookie(&self, name: &str, shown: &str) -> Option<String> {
        self.is(shown.as_bytes()).then(|| format!("{name}={}", self.token()))
    }
}

/// The key of the address that a request came to; a request carries it as an extension, for whoever signs browsers in.
#[derive(Clone)]
pub struct AddressKey(Key);

impl AddressKey {
    /// `name=value` of a cookie that stands for the key, if it is the one shown.
    pub fn cookie(&self, shown: &str) -> Option<String> {
        self.0.cookie(COOKIE, shown)
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
pub struct Admitted;

/// An address's key, and which paths want none.
#[derive(Clone)]
pub(crate) struct KeyGuard {
    pub(crate) key: Key,
    /// Beside those of our own routes.
    pub(crate) open: Arc<[&'static str]>,
    pub(crate) tries: Arc<FailedAttempts>,
}

/// Lets requests with the right key through, and those that need none.
pub(crate) async fn guard(
    State(KeyGuard { key, open, tries }): State<KeyGuard>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(AddressKey(key.clone()));
    if key.is_shown_by(request.headers(), COOKIE) {
        request.extensions_mut().insert(Admitted);
        return next.run(request).await;
    }
    let path = request.uri().path();
    if routes::is_open(path) {
        return next.run(request).await;
    }
    let peer = request.extensions().get().map(|Peer(peer)| *peer);
    let guessing = tries.wrong(peer, guesses(request.headers(), COOKIE)).await;
    // They want no key, and may show by what they answer whether one is right.
    if guessing.is_none() && open.contains(&path) {
        return next.run(request).await;
    }
    let failure = match shown(request.headers()).next() {
        _ if let Some(wait) = guessing => Failure::guessing(wait),
        Some(_) => Failure::caller(StatusCode::UNAUTHORIZED, "key_wrong", "Invalid API key"),
        None => Failure::caller(
            StatusCode::UNAUTHORIZED,
            "key_missing",
            "this address wants a key, as Authorization: Bearer, api-key or x-api-key",
        ),
    };
    let refusal = routes::refuse(request.uri().path(), request.headers(), &failure);
    discard(request.into_body()).await;
    refusal
}

/// Everything in a request's headers that may be a key, or stand for one in the cookie of this name.
pub fn guesses<'a>(headers: &'a HeaderMap, cookie: &'a str) -> impl Iterator<Item = &'a [u8]> {
    shown(headers).chain(tokens(headers, cookie))
}

/// Every key that a request shows.
fn shown(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let bearers = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then(|| key.trim_ascii())
    });
    let plain = ["api-key", "x-api-key"];
    bearers.chain(plain.into_iter().flat_map(|name| headers.get_all(name)).map(HeaderValue::as_bytes))
}

/// Every token that a request's cookies of a name show.
fn tokens<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let cookies =
        headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    cookies.filter_map(|cookie| cookie.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
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
