//! Requests that pages of other sites make a browser send.
//!
//! A browser says of most requests whether a page of another site is behind them. A page can also have its own name lead to
//! this server, and so count as the same site ("DNS rebinding"); then only the name in `Host` tells. Programs ask by any name.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use viewfinder_http::head_error;

use crate::{Admitted, body::discard, failure::Failure, routes};

/// Who watches over the server, from wherever, learns that it is there.
const OPEN: &str = "/ping";
/// Tells of pictures, to whoever reaches an address without a key; so not even to programs by a name that nobody gave it.
const TELLING: &str = "/api/failures";
/// What has a guard of its own against other names: a cookie or a token.
const GUARDED: [&str; 2] = ["/photos", "/api/v1/"];
/// What cannot be a page for people.
const NO_PAGES: &str = "/api/v1/";

/// Endings of names that nobody can register: of local networks (RFC 6762, RFC 8375, ICANN's `internal`), and what routers
/// use without being asked.
const LOCAL: [&str; 7] = ["localhost", "local", "lan", "home", "home.arpa", "internal", "localdomain"];

/// Lets requests through that are what they seem.
pub(crate) async fn guard(State(names): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let Some(failure) = refusal(&request, &names) else { return next.run(request).await };
    let answer = routes::refuse(request.uri().path(), request.headers(), &failure);
    discard(request.into_body()).await;
    answer
}

fn refusal(request: &Request, names: &[String]) -> Option<Failure> {
    if let Some((status, why)) = head_error(request) {
        return Some(Failure::caller(status, "request_malformed", why));
    }
    let (path, headers) = (request.uri().path(), request.headers());
    if path == OPEN {
        return None;
    }
    if is_from_elsewhere(headers, names) && !opens_a_page(request.method(), path, headers) {
        let message = "a page of another site asks for this";
        return Some(Failure::caller(StatusCode::FORBIDDEN, "cross_site", message));
    }
    let admitted = request.extensions().get::<Admitted>().is_some();
    let exempt = admitted || GUARDED.iter().any(|start| path.starts_with(start));
    let name = host_name(headers)?;
    if exempt || is_known(name, names) || !(path == TELLING || is_a_browsers(request.method(), headers)) {
        return None;
    }
    let message = format!(
        "nobody said that this server may be called {name}; if it is yours, add the name to server.hosts (VIEWFINDER_HOSTS)"
    );
    Some(Failure::caller(StatusCode::MISDIRECTED_REQUEST, "host_unknown", message))
}

/// Is a page of another site behind it, or of another port? To an address without encryption browsers only say which page it is;
/// that of a proxy before us may have another name than we, but none that nobody knows.
fn is_from_elsewhere(headers: &HeaderMap, names: &[String]) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "cross-site" || site == "same-site";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let page = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    page.is_none_or(|(_, page)| {
        let is_ours = headers.get(header::HOST).is_some_and(|host| host.as_bytes() == page.as_bytes());
        !is_ours && !is_known(without_port(page), names)
    })
}

/// Does somebody follow a link to a page, which then stands alone?
fn opens_a_page(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
    let navigates = is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
    method == Method::GET && navigates && !path.starts_with(NO_PAGES)
}

/// Does a browser ask? It says where a page comes from with all that is more than a question; with a question that it takes for one
/// of the same site, nothing but what browsers always say.
fn is_a_browsers(method: &Method, headers: &HeaderMap) -> bool {
    let marked = ["sec-fetch-site", "origin", "referer"].iter().any(|name| headers.contains_key(*name));
    let languages = headers.get(header::ACCEPT_LANGUAGE).is_some_and(|languages| languages != "*");
    let agent =
        headers.get(header::USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"));
    marked || ((method == Method::GET || method == Method::HEAD) && (languages || agent))
}

/// The name in `Host`, without its port. None for the oldest programs only; what cannot be read is empty.
pub fn host_name(headers: &HeaderMap) -> Option<&str> {
    Some(without_port(headers.get(header::HOST)?.to_str().unwrap_or_default()))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_known(name: &str, names: &[String]) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let inner = name.trim_start_matches('[').trim_end_matches(']');
    let local = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    inner.parse::<IpAddr>().is_ok()
        || (!name.is_empty() && !name.contains('.'))
        || LOCAL.into_iter().any(local)
        || names.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str, headers: &[(&str, &str)]) -> Option<(u16, &'static str)> {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = axum::http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        refusal(&request, &["photos.example".to_owned()])
            .map(|failure| (failure.status.as_u16(), failure.code))
    }

    #[test]
    fn names_that_nobody_can_take_are_known() {
        for name in [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "192.168.1.2",
            "viewfinder",
            "nas.local",
            "NAS.Lan",
            "x.home.arpa",
            "a.b.internal",
            "photos.example",
            "Photos.Example.",
            "web.localhost",
        ] {
            assert!(is_known(name, &["photos.example".to_owned()]), "{name}");
        }
        for name in [
            "",
            "evil.example",
            "local.evil.example",
            "notlocal.example",
            "127.0.0.1.evil.example",
            "x.photos.example",
        ] {
            assert!(!is_known(name, &["photos.example".to_owned()]), "{name}");
        }
        assert!(is_known("any.example", &["*".to_owned()]));
    }

    #[test]
    fn pages_of_other_sites_and_ports_get_nothing() {
        let host = ("host", "localhost:3003");
        for site in ["cross-site", "same-site"] {
            let from = ("sec-fetch-site", site);
            for line in ["GET /health", "GET /", "GET /api/v1/assets/1/file", "POST /restart", "GET /photos"]
            {
                assert_eq!(refused(line, &[host, from]), Some((403, "cross_site")), "{line}");
                let image = [host, from, ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")];
                assert_eq!(refused(line, &image), Some((403, "cross_site")), "{line}");
            }
            // A link, and what looks like one.
            let link = |dest| [host, from, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", dest)];
            assert_eq!(refused("GET /photos", &link("document")), None);
            assert_eq!(refused("GET /", &link("document")), None);
            assert_eq!(refused("GET /photos", &link("iframe")), Some((403, "cross_site")));
            assert_eq!(refused("POST /restart", &link("document")), Some((403, "cross_site")));
            assert_eq!(refused("GET /api/v1/assets/1/file", &link("document")), Some((403, "cross_site")));
            assert_eq!(refused("GET /ping", &[host, from]), None);
        }
        for site in ["same-origin", "none"] {
            assert_eq!(refused("GET /api/v1/assets/1/file", &[host, ("sec-fetch-site", site)]), None);
        }
    }

    #[test]
    fn pages_are_told_apart_where_browsers_say_less() {
        let here = ("host", "192.168.1.2:3003");
        for page in
            ["http://evil.example", "http://evil.example:3003", "null", "https://192.168.1.2.evil.example"]
        {
            let found = refused("POST /predict", &[here, ("origin", page)]);
            assert_eq!(found, Some((403, "cross_site")), "{page}");
        }
        // Our own, behind a proxy that calls us by another name, and a machine of this network.
        for page in ["http://192.168.1.2:3003", "https://photos.example", "http://nas.local:8080"] {
            assert_eq!(refused("POST /api/analyze", &[here, ("origin", page)]), None, "{page}");
        }
    }

    #[test]
    fn a_page_that_has_its_name_lead_here_gets_nothing() {
        let evil = ("host", "evil.example:3003");
        for mark in [
            ("sec-fetch-site", "same-origin"),
            ("origin", "http://evil.example:3003"),
            ("referer", "http://evil.example:3003/"),
            ("accept-language", "en"),
            ("user-agent", "Mozilla/5.0"),
        ] {
            for line in ["GET /health", "GET /metrics", "GET /", "GET /api/failures"] {
                assert_eq!(refused(line, &[evil, mark]), Some((421, "host_unknown")), "{line} {mark:?}");
                let by_its_name = (mark.0 == "origin").then_some((403, "cross_site"));
                assert_eq!(
                    refused(line, &[("host", "photos.example"), mark]),
                    by_its_name,
                    "{line} {mark:?}"
                );
            }
        }
        assert_eq!(refused("POST /api/analyze", &[evil, ("origin", "null")]), Some((403, "cross_site")));
        assert_eq!(refused("GET /api/failures", &[evil]), Some((421, "host_unknown")));
        assert_eq!(refused("GET /ping", &[evil, ("user-agent", "Mozilla/5.0")]), None);
    }

    #[test]
    fn programs_ask_by_any_name() {
        // As Node's fetch() sends it, which Immich uses.
        let node = [("accept-language", "*"), ("sec-fetch-mode", "cors"), ("user-agent", "node")];
        for host in ["viewfinder:3003", "ml.photos.example.com"] {
            for line in ["POST /predict", "GET /", "GET /health", "GET /metrics", "POST /ocr"] {
                let headers: Vec<_> = [("host", host)].into_iter().chain(node).collect();
                assert_eq!(refused(line, &headers), None, "{line} {host}");
            }
        }
        assert_eq!(refused("POST /ocr", &[("host", "ml.example.com"), ("user-agent", "Mozilla/5.0")]), None);
    }
}
