use std::{fmt, sync::Arc};
use viewfinder_core::{PictureAnswer, PictureRequest, SentenceRequest};

use crate::nodes::{
    ConfigError, NodeConfig, NodeError, NodeKind, address::Address, client::Client, immich, mt_photos,
};

/// A client of another engine. Clones share its connections.
///
/// Dropping a question tells the peer that nobody waits any more. Nothing is tried twice: that is for whoever knows
/// the other nodes.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    kind: NodeKind,
    address: Address,
    client: Client,
    peer: Peer,
}

enum Peer {
    Immich(Box<immich::Peer>),
    MtPhotos(Box<mt_photos::Peer>),
}

impl Node {
    /// Prepares everything and connects to nothing yet.
    pub fn new(config: NodeConfig) -> Result<Self, ConfigError> {
        let address = Address::parse(&config.url)?;
        let client = Client::new(&config)?;
        let peer = match config.kind {
            NodeKind::Viewfinder | NodeKind::ImmichMl => {
                Peer::Immich(Box::new(immich::Peer::new(config.kind, &address)?))
            }
            NodeKind::MtPhotos => Peer::MtPhotos(Box::new(mt_photos::Peer::new(&address)?)),
        };
        let NodeConfig { name, kind, .. } = config;
        Ok(Self { inner: Arc::new(Inner { name, kind, address, client, peer }) })
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The protocol it speaks.
    pub fn kind(&self) -> NodeKind {
        self.inner.kind
    }

    /// Where it is; holds no secret.
    pub fn url(&self) -> &str {
        self.inner.address.as_str()
    }

    /// Asks whether it is there and, unless it is Immich's own service, which has none, whether the key is right.
    pub async fn probe(&self) -> Result<(), NodeError> {
        let Inner { client, peer, .. } = &*self.inner;
        match peer {
            Peer::Immich(peer) => peer.probe(client).await,
            Peer::MtPhotos(peer) => peer.probe(client).await,
        }
    }

    /// Answers the tasks about a picture, or says why it answers none. A task that fails leaves the others be.
    ///
    /// The request's `dump` is passed over.
    pub async fn picture(&self, request: &PictureRequest) -> Result<PictureAnswer, NodeError> {
        let Inner { client, peer, name, .. } = &*self.inner;
        let found = match peer {
            Peer::Immich(peer) => peer.picture(client, request).await,
            Peer::MtPhotos(peer) => peer.picture(client, request).await,
        };
        found?.at(name)
    }

    /// The vector of a sentence.
    pub async fn sentence(&self, request: &SentenceRequest) -> Result<Vec<f32>, NodeError> {
        let Inner { client, peer, .. } = &*self.inner;
        match peer {
            Peer::Immich(peer) => peer.sentence(client, request).await,
            Peer::MtPhotos(peer) => peer.sentence(client, request).await,
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("name", &self.name()).field("kind", &self.kind()).finish_non_exhaustive()
    }
}
