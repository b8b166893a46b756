//! Who may see the photos: whoever has shown the key of the address, and on an address without a key whoever sits at
//! this machine.
//!
//! A browser shows the key once, as a cookie is made of it: pictures are asked for without headers of ours. An address
//! without a key is open for Immich, which sends none; that must not open the photos to the network.
use std::net::SocketAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use viewfinder_gateway::{Admitted, Peer};

use crate::problem::Problem;

/// Lets through who may see the photos.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let admitted = request.extensions().get::<Admitted>().is_some();
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    if admitted || is_here(peer, request.headers()) {
        return next.run(request).await;
    }
    let detail =
        "photos are shown to other machines only on an address with a key; set one for it (see `listen`)";
    Problem::new(StatusCode::FORBIDDEN, "key_needed", "A key is needed", detail).into_response()
}

/// Does the request come from this machine, from a page of ours? A proxy in front makes everybody look so, and says so in its
/// headers; so does a foreign page whose name was made to lead here.
fn is_here(peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let local = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    local && !forwarded.iter().any(|name| headers.contains_key(*name)) && names_here(headers)
}

fn names_here(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
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
