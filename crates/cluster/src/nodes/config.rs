use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use viewfinder_http::EncryptionError;

use crate::nodes::address;

/// The protocol a node speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// Another Viewfinder, through Immich's protocol.
    Viewfinder,
    /// Immich's machine-learning service.
    ImmichMl,
    /// MT Photos' AI service.
    MtPhotos,
}

impl NodeKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Viewfinder, Self::ImmichMl, Self::MtPhotos];

    /// The name in configurations and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewfinder => "viewfinder",
            Self::ImmichMl => "immich-ml",
            Self::MtPhotos => "mt-photos",
        }
    }
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no kind of node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node is of kind viewfinder, immich-ml or mt-photos")]
pub struct UnknownKind;

impl FromStr for NodeKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(UnknownKind)
    }
}

/// A key that never shows in logs.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a key.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Where a node is and how to talk to it.
#[derive(Clone)]
pub struct NodeConfig {
    /// What people call it.
    pub name: String,
    /// The protocol it speaks.
    pub kind: NodeKind,
    /// `http://host:port`, or `https`, perhaps with a path in front of the protocol's own.
    pub url: String,
    /// Sent as `api-key` to MT Photos' service, as bearer token to the others.
    pub key: Option<Secret>,
    /// Certificates of authorities, as PEM. One of them must have signed the node's certificate; nobody else is then
    /// trusted to. Without any, the public authorities are.
    pub authorities: Option<Vec<u8>>,
    /// Longest time for one request, from the connection to the end of the answer.
    pub request_timeout: Duration,
    /// Longest time for a connection, with name look-up and encryption.
    pub connect_timeout: Duration,
}

impl fmt::Debug for NodeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeConfig")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("url", &address::shown(&self.url))
            .field("key", &self.key)
            .field("authorities", &self.authorities.is_some())
            .field("request_timeout", &self.request_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish()
    }
}

/// A configuration that no node can be made of. The messages quote nothing, for URLs and keys can be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No URL, or one without host.
    #[error("the URL of the node cannot be read; it should look like http://host:port")]
    Url,
    /// Neither http nor https.
    #[error("the URL of the node must begin with http:// or https://")]
    Scheme,
    /// User and password in the URL.
    #[error("the URL of the node must hold no user and no password; set its key instead")]
    UserInfo,
    /// Something behind the path.
    #[error("the URL of the node must end with its path, without a query")]
    Query,
    /// The key is empty or has line breaks, for example.
    #[error("the key of the node has characters that cannot be sent")]
    Key,
    /// No encryption, because of the authorities' certificates, for example.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
}
