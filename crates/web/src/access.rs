//! Who may see the photos: whoever has shown the key of the address, and on an address without a key whoever has shown the
//! token of the owner, or a key that the owner made for others.
//!
//! A browser shows either once, as a cookie is made of it: pictures are asked for without headers of ours. An address
//! without a key is open for Immich, which sends none; that must not open the photos to the network. Where a request seems
//! to come from says nothing: behind a proxy on this machine, everybody comes from here.
use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{Query, Request, State},
    http::{Extensions, HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use viewfinder_server::{
    AddressKey, Admitted, Key, Notice, Peer, discard, guesses, host_name, notice, wants_page,
};

use crate::{
    problem::Problem,
    session::{SignIn, too_many, with_attributes},
};

/// The cookie that stands for the token, or for one of the keys.
const COOKIE: &str = "viewfinder_token";

/// Who sees the photos on an address without a key.
#[derive(Clone)]
pub struct Access {
    /// What the owner shows.
    pub token: Key,
    /// Tells the keys that were made for others, as they are now.
    pub keys: Arc<dyn Fn() -> Arc<[Key]> + Send + Sync>,
    /// Also whoever seems to sit at this machine. A proxy that runs here and says nothing of whom it speaks for opens the
    /// photos to all of its visitors.
    pub loopback: bool,
}

impl Access {
    /// With this token, and by nothing else.
    pub fn token(token: Key) -> Self {
        Self { token, keys: Arc::new(|| Arc::new([])), loopback: false }
    }

    /// The cookie that stands for the token or a key, if it is the one shown.
    pub(crate) fn cookie(&self, shown: &str) -> Option<String> {
        let of_keys = || (self.keys)().iter().find_map(|key| key.cookie(COOKIE, shown));
        self.token.cookie(COOKIE, shown).or_else(of_keys)
    }

    fn is_shown_by(&self, headers: &HeaderMap) -> bool {
        self.token.is_shown_by(headers, COOKIE)
            || (guesses(headers, COOKIE).next().is_some()
                && (self.keys)().iter().any(|key| key.is_shown_by(headers, COOKIE)))
    }

    /// May whoever sends this see the photos? On an address with a key, only that counts.
    fn lets_in(&self, extensions: &Extensions, headers: &HeaderMap) -> bool {
        let peer = extensions.get::<Peer>().map(|peer| peer.0);
        extensions.get::<Admitted>().is_some()
            || (extensions.get::<AddressKey>().is_none()
                && (self.is_shown_by(headers) || (self.loopback && is_here(peer, headers))))
    }
}

/// Lets through who may see the photos.
pub(crate) async fn guard(
    State(SignIn { access, tries }): State<SignIn>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    if access.lets_in(request.extensions(), headers) {
        return next.run(request).await;
    }
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let guessing = tries.wrong(peer, guesses(headers, COOKIE)).await;
    let page = wants_page(headers).then(|| key_page(request.extensions(), headers, guessing.is_some()));
    // A connection that ends with a body half read costs a proxy its next request on it.
    discard(request.into_body()).await;
    if let Some(page) = page {
        return page;
    }
    if guessing.is_some() {
        return too_many();
    }
    let detail = "a key is needed: `viewfinder open` shows the page on the machine of the server, and `viewfinder key new` makes a key \
                  for others";
    Problem::new(StatusCode::UNAUTHORIZED, "token_needed", "A key is needed", detail).into_response()
}

/// What a person sees who has no key.
fn key_page(extensions: &Extensions, headers: &HeaderMap, too_many: bool) -> Response {
    let told = match extensions.get::<AddressKey>() {
        _ if too_many => Notice::TooManyTries,
        Some(_) => Notice::AddressWantsKey,
        None => Notice::PhotosWantKey,
    };
    notice(headers, told)
}

#[derive(Deserialize)]
pub(crate) struct Shown {
    token: Option<String>,
}

/// The page: to a browser that may not see photos, one that asks for the key. By an address with a token, as former versions
/// printed it, the token becomes a cookie and leaves the address.
pub(crate) async fn entrance(
    State(SignIn { access, tries }): State<SignIn>,
    Query(Shown { token }): Query<Shown>,
    request: Request,
    next: Next,
) -> Response {
    let (extensions, headers) = (request.extensions(), request.headers());
    let Some(token) = token else {
        if !wants_page(headers) || access.lets_in(extensions, headers) {
            return next.run(request).await;
        }
        // Which page comes tells whether a key is right, as at every other door.
        let peer = extensions.get().map(|Peer(peer)| *peer);
        let guessing = tries.wrong(peer, guesses(headers, COOKIE)).await;
        return key_page(extensions, headers, guessing.is_some());
    };
    let Some(cookie) = access.cookie(&token) else {
        let peer = extensions.get().map(|Peer(peer)| *peer);
        let too_many_tries = tries.wrong(peer, [token.as_bytes()]).await.is_some();
        if wants_page(headers) {
            return key_page(extensions, headers, too_many_tries);
        }
        return if too_many_tries { too_many() } else { next.run(request).await };
    };
    match HeaderValue::from_str(&with_attributes(&cookie, headers)) {
        Ok(cookie) => {
            let page = HeaderValue::from_static("/photos");
            (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie), (header::LOCATION, page)]).into_response()
        }
        Err(error) => Problem::internal(error).into_response(),
    }
}

/// Does the request seem to come from this machine, from a page of ours? Many a proxy says in its headers that it is one; a
/// foreign page whose name was made to lead here names itself.
fn is_here(peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let local = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    local && !forwarded.iter().any(|name| headers.contains_key(*name)) && names_here(headers)
}

fn names_here(headers: &HeaderMap) -> bool {
    let name = host_name(headers).unwrap_or_default();
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn here(peer: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| {
            (axum::http::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        is_here(Some(peer.parse().unwrap()), &headers.collect())
    }

    #[test]
    fn only_this_machine_is_here() {
        for host in ["localhost", "LOCALHOST:3003", "127.0.0.1:3003", "[::1]:3003", "[::1]"] {
            assert!(here("127.0.0.1:5000", &[("host", host)]), "{host}");
        }
        assert!(here("[::ffff:127.0.0.1]:5000", &[("host", "localhost")]));
        assert!(!here("192.168.1.5:5000", &[("host", "localhost")]));
        assert!(!here("127.0.0.1:5000", &[("host", "evil.example:3003")]));
        assert!(!here("127.0.0.1:5000", &[]));
        assert!(!here("127.0.0.1:5000", &[("host", "localhost"), ("x-forwarded-for", "203.0.113.9")]));
        assert!(!is_here(None, &HeaderMap::new()));
    }
}
