//! The URLs of a node's endpoints.

use std::borrow::Cow;

use hyper::Uri;

use crate::nodes::ConfigError;

/// A checked base URL.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    base: String,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, ConfigError> {
        let url = url.trim();
        let Some((scheme, rest)) = url.split_once("://") else { return Err(ConfigError::Url) };
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(ConfigError::Scheme);
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(ConfigError::UserInfo);
        }
        if rest.contains(['?', '#']) {
            return Err(ConfigError::Query);
        }
        let address = Self { base: url.trim_end_matches('/').to_owned() };
        let host = address.endpoint("/")?.host().map(str::len);
        if host.is_none_or(|length| length == 0) { Err(ConfigError::Url) } else { Ok(address) }
    }

    /// The URL of a path of the protocol.
    pub(crate) fn endpoint(&self, path: &str) -> Result<Uri, ConfigError> {
        format!("{}{path}", self.base).parse().map_err(|_| ConfigError::Url)
    }

    /// The base URL, which holds no secret.
    pub(crate) fn as_str(&self) -> &str {
        &self.base
    }
}

/// Can a node be reached at such a URL, as far as its form tells?
pub fn check_url(url: &str) -> Result<(), ConfigError> {
    Address::parse(url).map(drop)
}

/// A URL without what could be secret, fit for a log, even if it is none.
pub(crate) fn shown(url: &str) -> Cow<'_, str> {
    match Address::parse(url) {
        Ok(address) => Cow::Owned(address.base),
        Err(_) => Cow::Borrowed("(not a plain URL)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_behind_the_base() {
        for (base, expected) in [
            ("http://h:1", "http://h:1/ping"),
            ("http://h:1/", "http://h:1/ping"),
            (" HTTPS://h/ml/ ", "https://h/ml/ping"),
            ("http://[::1]:8060/a/b", "http://[::1]:8060/a/b/ping"),
            ("http://immich_ml:3003", "http://immich_ml:3003/ping"),
        ] {
            let found = Address::parse(base).and_then(|address| address.endpoint("/ping"));
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_cannot_be_called_or_shown_is_refused() {
        for (url, expected) in [
            ("", ConfigError::Url),
            ("host:3003", ConfigError::Url),
            ("http://", ConfigError::Url),
            ("http://a b", ConfigError::Url),
            ("ftp://host", ConfigError::Scheme),
            ("http://user:hidden@host", ConfigError::UserInfo),
            ("http://host?key=hidden", ConfigError::Query),
            ("http://host/#hidden", ConfigError::Query),
        ] {
            assert_eq!(Address::parse(url).map(|_| ()), Err(expected), "{url}");
            assert!(!shown(url).contains("hidden"));
        }
    }
}
