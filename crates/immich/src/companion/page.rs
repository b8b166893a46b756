//! Immich's page, with one script more.

use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Body as _,
    header::{
        ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue,
        IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
    },
};
use viewfinder_http::proxy::{Body, Visitor, full};

use crate::{client::gather, companion::Companion};

/// The longest page that is read. Immich's has a few thousand bytes.
const MOST: u64 = 2 << 20;

/// Is this a request for a page, as browsers send them?
pub(crate) fn is_wanted(request: &Request<Body>) -> bool {
    let path = request.uri().path();
    *request.method() == Method::GET
        && !path.starts_with("/api/")
        && request
            .headers()
            .get(ACCEPT)
            .is_some_and(|accept| accept.to_str().is_ok_and(|a| a.contains("text/html")))
}

/// Passes a page on, with `tag` at the end of its head. Whatever is not a plain page stays as it is.
pub(crate) async fn answer(
    companion: &Companion,
    mut request: Request<Body>,
    visitor: &Visitor,
    tag: &str,
) -> Response<Body> {
    let headers = request.headers_mut();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    // What the browser has is a page of ours, of which Immich knows nothing.
    headers.remove(IF_NONE_MATCH);
    headers.remove(IF_MODIFIED_SINCE);
    let response = companion.client.proxy().forward(request, visitor).await;
    if !is_plain_page(&response) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let whole = match gather(body, MOST as usize).await {
        Ok(whole) => whole,
        Err(unread) => {
            tracing::debug!(error = unread.why, "a page broke off");
            let mut response = Response::new(viewfinder_http::proxy::empty());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            return response;
        }
    };
    let Some(longer) = insert(&whole, tag) else {
        return Response::from_parts(head, full(whole));
    };
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(longer.len()));
    for name in [ETAG, LAST_MODIFIED] {
        head.headers.remove(name);
    }
    Response::from_parts(head, full(longer))
}

fn is_plain_page(response: &Response<Body>) -> bool {
    response.status() == StatusCode::OK
        && is_html(response.headers())
        && !response.headers().contains_key(CONTENT_ENCODING)
        && response.body().size_hint().exact().is_some_and(|length| length <= MOST)
}

fn is_html(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("text/html"))
}

/// Puts a tag before the end of the head; `None` if there is no such place.
fn insert(page: &[u8], tag: &str) -> Option<Bytes> {
    const END: &[u8] = b"</head>";
    let at = page.windows(END.len()).position(|window| window.eq_ignore_ascii_case(END))?;
    Some([&page[..at], tag.as_bytes(), &page[at..]].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_goes_to_the_end_of_the_first_head() {
        let page = b"<html><HEAD><title>x</title></HEAD><body></head></body></html>";
        let expected = b"<html><HEAD><title>x</title><t></HEAD><body></head></body></html>";
        assert_eq!(insert(page, "<t>").unwrap(), expected.as_slice());
        assert_eq!(insert(b"<html><body>no head", "<t>"), None);
        assert_eq!(insert(b"", "<t>"), None);
    }
}
