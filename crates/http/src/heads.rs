//! Heads of requests that two programs may read in two ways.

use hyper::{
    Request, StatusCode, Version,
    header::{HOST, HeaderValue, TRANSFER_ENCODING},
};

/// Why a request is refused, if it is (RFC 9112, 3.2 and 6.1). Something before or behind this server might read it
/// otherwise.
pub fn head_error<B>(request: &Request<B>) -> Option<(StatusCode, &'static str)> {
    let hosts = request.headers().get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Some((StatusCode::BAD_REQUEST, "The request must name one host"));
    }
    let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
    let chunked = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    // The HTTP library has taken the chunks apart; what else was done to the body, nobody would learn.
    if codings.any(|coding| !chunked(coding)) {
        return Some((StatusCode::NOT_IMPLEMENTED, "No transfer coding but chunked is known"));
    }
    None
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    #[test]
    fn a_request_that_may_be_read_in_two_ways_is_none() {
        let head_error = |version, lines: &[(&'static str, &'static str)]| {
            let mut request = hyper::Request::new(());
            *request.version_mut() = version;
            for (name, value) in lines {
                let value = hyper::header::HeaderValue::from_static(value);
                request.headers_mut().append(HeaderName::from_static(name), value);
            }
            super::head_error(&request).map(|(status, _)| status.as_u16())
        };
        let (old, new) = (hyper::Version::HTTP_10, hyper::Version::HTTP_11);
        assert_eq!(head_error(new, &[("host", "a")]), None);
        assert_eq!(head_error(old, &[]), None);
        assert_eq!(head_error(new, &[]), Some(400));
        for version in [old, new] {
            assert_eq!(head_error(version, &[("host", "a"), ("host", "a")]), Some(400));
        }
        assert_eq!(head_error(new, &[("host", "a"), ("transfer-encoding", " Chunked ")]), None);
        for lines in [
            [("host", "a"), ("transfer-encoding", "gzip, chunked"), ("te", "gzip")],
            [("host", "a"), ("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")],
        ] {
            assert_eq!(head_error(new, &lines), Some(501));
        }
    }
}
