//! What changes in the heads of requests and answers on their way.

use std::net::{IpAddr, SocketAddr};

use hyper::{
    HeaderMap,
    header::{
        CONNECTION, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
        TRANSFER_ENCODING, UPGRADE,
    },
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Headers that speak of one connection only (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    // Of another HTTP, which is not spoken here (RFC 7540, 3.2.1).
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Removes what speaks of one connection only. Returns the protocol that the connection is to change to, if any: web sockets
/// only, for no other is spoken here.
pub(crate) fn strip(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let mut upgrade = None;
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    if named.contains(&UPGRADE) {
        let offers = headers.get_all(UPGRADE).iter().filter_map(|value| value.to_str().ok());
        let socket = offers
            .flat_map(|value| value.split(','))
            .any(|offer| offer.trim().eq_ignore_ascii_case("websocket"));
        upgrade = socket.then(|| HeaderValue::from_static("websocket"));
    }
    for name in named.iter().filter(|name| *name != "close" && *name != "keep-alive").chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    upgrade
}

/// Asks for, or confirms, a change of protocol.
pub(crate) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Tells the server who asks, by the address of the connection.
///
/// Whoever connects from this machine or a private network may be a proxy itself: what it says of those before it is
/// kept, and its own address put behind. What anybody else says about addresses is replaced.
pub(crate) fn tell_origin(headers: &mut HeaderMap, peer: SocketAddr) {
    let ip = peer.ip().to_canonical();
    let Ok(address) = HeaderValue::from_str(&ip.to_string()) else { return };
    if !may_be_a_proxy(ip) {
        for name in [&FORWARDED_FOR, &FORWARDED_PROTO, &FORWARDED_HOST, &REAL_IP] {
            headers.remove(name);
        }
    }
    let earlier: Vec<&str> =
        headers.get_all(&FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    let chain = (!earlier.is_empty()).then(|| format!("{}, {ip}", earlier.join(", ")));
    let chain = chain.and_then(|chain| HeaderValue::from_str(&chain).ok());
    headers.insert(FORWARDED_FOR, chain.unwrap_or_else(|| address.clone()));
    headers.entry(REAL_IP).or_insert(address);
    headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
    if let Some(host) = headers.get(HOST).cloned() {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
}

fn may_be_a_proxy(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn what_speaks_of_one_connection_goes_no_further() {
        let mut headers = map(&[
            ("connection", "keep-alive, X-Own"),
            ("keep-alive", "timeout=5"),
            ("x-own", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("content-length", "3"),
            ("x-other", "2"),
        ]);
        assert_eq!(strip(&mut headers), None);
        assert_eq!(headers, map(&[("content-length", "3"), ("x-other", "2")]));
    }

    #[test]
    fn a_change_of_protocol_is_told_apart() {
        let mut headers = map(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        assert_eq!(strip(&mut headers), Some(HeaderValue::from_static("websocket")));
        assert!(headers.is_empty());
        let mut several = map(&[("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c, WebSocket")]);
        assert_eq!(strip(&mut several), Some(HeaderValue::from_static("websocket")));
        let mut other = map(&[
            ("connection", "Upgrade, HTTP2-Settings"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABk"),
        ]);
        assert_eq!((strip(&mut other), other.len()), (None, 0));
        set_upgrade(&mut headers, HeaderValue::from_static("websocket"));
        assert_eq!(headers, map(&[("connection", "upgrade"), ("upgrade", "websocket")]));
    }

    #[test]
    fn a_proxy_nearby_is_believed_and_a_stranger_is_not() {
        let said = [
            ("host", "photos.example"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "other.example"),
            ("x-real-ip", "203.0.113.9"),
        ];
        let mut headers = map(&said);
        tell_origin(&mut headers, "192.168.1.2:5".parse().unwrap());
        assert_eq!(headers["x-forwarded-for"], "203.0.113.9, 192.168.1.2");
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["x-forwarded-host"], "other.example");
        assert_eq!(headers["x-real-ip"], "203.0.113.9");

        let mut headers = map(&said);
        tell_origin(&mut headers, "[::ffff:198.51.100.7]:5".parse().unwrap());
        assert_eq!(headers["x-forwarded-for"], "198.51.100.7");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "photos.example");
        assert_eq!(headers["x-real-ip"], "198.51.100.7");
    }

    #[test]
    fn private_networks_are_those_of_the_registries() {
        for (ip, expected) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.31.0.1", true),
            ("172.32.0.1", false),
            ("169.254.1.1", true),
            ("100.64.0.1", false),
            ("::1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:db8::1", false),
        ] {
            assert_eq!(may_be_a_proxy(ip.parse().unwrap()), expected, "{ip}");
        }
    }
}
