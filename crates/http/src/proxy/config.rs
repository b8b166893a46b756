use std::time::Duration;

use crate::EncryptionError;
use hyper::{
    Uri,
    http::uri::{Authority, Scheme},
};

/// The most headers of a request or an answer, as in Node. Their bytes are bounded as well.
pub(crate) const HEADERS: usize = 2000;
/// Bytes of a request's head, which each connection may make us hold. Node, and so Immich, takes a quarter of it.
pub(crate) const HEAD_BYTES: usize = 64 << 10;

/// Which server is behind the proxy, and how it is reached.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// `http://host:port` or `https://host:port`, without a path.
    pub upstream: String,
    /// Certificates of authorities, as PEM, for `https`. One of them must have signed the server's certificate; nobody else is then
    /// trusted to. Without any, the public authorities are.
    pub authorities: Option<Vec<u8>>,
    /// Longest time for a connection, with name look-up and encryption. Answers may take as long as they like.
    pub connect_time: Duration,
    /// How long an unused connection is kept. The server must keep it for longer, or a request meets it as it closes;
    /// Node, for one, waits for five seconds.
    pub idle_time: Duration,
}

impl ProxyConfig {
    /// Usual times.
    pub fn new(upstream: impl Into<String>) -> Self {
        Self {
            upstream: upstream.into(),
            authorities: None,
            connect_time: Duration::from_secs(5),
            idle_time: Duration::from_secs(4),
        }
    }

    /// Can a server be reached at such a URL, as far as its form tells?
    pub fn check(&self) -> Result<(), ConfigError> {
        self.address().map(drop)
    }

    pub(crate) fn address(&self) -> Result<(Scheme, Authority), ConfigError> {
        let uri: Uri = self.upstream.trim().parse().map_err(|_| ConfigError::Url)?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.ok_or(ConfigError::Scheme)?;
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(ConfigError::Scheme);
        }
        let authority = parts.authority.ok_or(ConfigError::Url)?;
        if authority.as_str().contains('@') {
            return Err(ConfigError::UserInfo);
        }
        match parts.path_and_query {
            Some(path) if path.as_str() != "/" => Err(ConfigError::Path),
            _ => Ok((scheme, authority)),
        }
    }
}

/// A configuration that no proxy can be made of. The messages quote nothing, for URLs can hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not a URL with a host.
    #[error("the URL of the server cannot be read; it should look like http://host:port")]
    Url,
    /// Neither http nor https.
    #[error("the URL of the server must begin with http:// or https://")]
    Scheme,
    /// User and password in the URL.
    #[error("the URL of the server must hold no user and no password")]
    UserInfo,
    /// Something behind the host.
    #[error("the URL of the server must end with its host or port, without a path")]
    Path,
    /// No encryption, because of the authorities' certificates, for example.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
}

/// Bounds on what clients can make the server hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for a request's head to arrive, and for a kept-alive connection to stay idle.
    pub head_time: Duration,
    /// Connections at once to each address. When they run short, those that wait are given up.
    pub connections: usize,
    /// How long running answers may take to finish once the server is asked to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head_time: Duration::from_secs(60), connections: 4096, drain: Duration::from_secs(10) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_base_url_is_accepted() {
        for (url, expected) in [
            ("http://immich:2283", Ok(("http", "immich:2283"))),
            (" https://photos.example/ ", Ok(("https", "photos.example"))),
            ("http://[::1]:2283", Ok(("http", "[::1]:2283"))),
            ("http://immich:2283/photos", Err(ConfigError::Path)),
            ("http://immich:2283/?key=hidden", Err(ConfigError::Path)),
            ("http://user:hidden@immich", Err(ConfigError::UserInfo)),
            ("ftp://immich", Err(ConfigError::Scheme)),
            ("immich:2283", Err(ConfigError::Scheme)),
            ("", Err(ConfigError::Url)),
            ("http://", Err(ConfigError::Url)),
        ] {
            let found = ProxyConfig::new(url).address();
            let found = found.as_ref().map(|(scheme, authority)| (scheme.as_str(), authority.as_str()));
            assert_eq!(found, expected.as_ref().map(|pair| *pair), "{url}");
        }
    }
}
