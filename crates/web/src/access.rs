//! Who may see the photos: whoever has shown the key of the address, and on an address without a key whoever has shown the
//! token that the server printed when it started.
//!
//! A browser shows either once, as a cookie is made of it: pictures are asked for without headers of ours. An address
//! without a key is open for Immich, which sends none; that must not open the photos to the network. Where a request seems
//! to come from says nothing: behind a proxy on this machine, everybody comes from here.
use std::net::SocketAddr;

use axum::{
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use viewfinder_server::{Admitted, Key, Peer, discard, guesses, host_name};

use crate::{
    problem::Problem,
    session::{SignIn, too_many, with_attributes},
};

/// The cookie that stands for the token.
const COOKIE: &str = "viewfinder_token";

/// Who sees the photos on an address without a key.
#[derive(Clone, Debug)]
pub enum Access {
    /// Whoever has shown this token.
    Token(Key),
    /// Whoever seems to sit at this machine, beside those with the token. A proxy that runs here and says nothing of whom it
    /// speaks for opens the photos to all of its visitors.
    Loopback(Key),
}

impl Access {
    fn token(&self) -> &Key {
        match self {
            Self::Token(token) | Self::Loopback(token) => token,
        }
    }

    /// The cookie that stands for the token, if it is the one shown.
    pub(crate) fn cookie(&self, shown: &str) -> Option<String> {
        self.token().cookie(COOKIE, shown)
    }
}

/// Lets through who may see the photos.
pub(crate) async fn guard(
    State(SignIn { access, tries }): State<SignIn>,
    request: Request,
    next: Next,
) -> Response {
    let admitted = request.extensions().get::<Admitted>().is_some();
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let headers = request.headers();
    let here = || matches!(*access, Access::Loopback(_)) && is_here(peer, headers);
    if admitted || access.token().is_shown_by(headers, COOKIE) || here() {
        return next.run(request).await;
    }
    let guessing = tries.wrong(peer, guesses(headers, COOKIE)).await;
    // A connection that ends with a body half read costs a proxy its next request on it.
    discard(request.into_body()).await;
    if guessing.is_some() {
        return too_many();
    }
    let detail = "open the page by the address with a token that the server printed when it started, or with `viewfinder open`; \
                  other machines come by an address with a key (see `listen_keys`)";
    Problem::new(StatusCode::UNAUTHORIZED, "token_needed", "A token is needed", detail).into_response()
}

#[derive(Deserialize)]
pub(crate) struct Shown {
    token: Option<String>,
}

/// The page by the printed address: the token becomes a cookie, and leaves the address.
pub(crate) async fn take_token(
    State(SignIn { access, tries }): State<SignIn>,
    Query(Shown { token }): Query<Shown>,
    request: Request,
    next: Next,
) -> Response {
    let Some(token) = token else { return next.run(request).await };
    let Some(cookie) = access.cookie(&token) else {
        let peer = request.extensions().get().map(|Peer(peer)| *peer);
        return match tries.wrong(peer, [token.as_bytes()]).await {
            Some(_) => too_many(),
            None => next.run(request).await,
        };
    };
    match HeaderValue::from_str(&with_attributes(&cookie, request.headers())) {
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
