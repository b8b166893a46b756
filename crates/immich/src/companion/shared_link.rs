//! Links by which users share pictures with people whom Immich does not know.

use hyper::http::request::Parts;

/// Does a shared link stand in place of a user?
pub(crate) fn is_of_shared_link(parts: &Parts) -> bool {
    let header = ["x-immich-share-key", "x-immich-share-slug"];
    let query = parts.uri.query().unwrap_or_default();
    header.iter().any(|name| parts.headers.contains_key(*name))
        || query.split('&').any(|pair| matches!(pair.split('=').next(), Some("key" | "slug")))
}

#[cfg(test)]
mod tests {
    use hyper::{
        Request,
        header::{HeaderName, HeaderValue},
    };

    use super::*;

    #[test]
    fn shared_links_are_recognised_by_all_that_carry_them() {
        let of = |uri: &str, header: Option<&str>| {
            let mut request = Request::new(());
            *request.uri_mut() = uri.parse().unwrap();
            if let Some(name) = header {
                request
                    .headers_mut()
                    .insert(HeaderName::try_from(name).unwrap(), HeaderValue::from_static("x"));
            }
            is_of_shared_link(&request.into_parts().0)
        };
        assert!(of("/api/search/metadata?key=abc", None));
        assert!(of("/api/search/metadata?a=b&slug=abc", None));
        assert!(of("/api/search/metadata", Some("x-immich-share-key")));
        assert!(of("/api/search/metadata", Some("X-Immich-Share-Slug")));
        assert!(!of("/api/search/metadata?apiKey=abc&sessionKey=d", Some("x-api-key")));
    }
}
