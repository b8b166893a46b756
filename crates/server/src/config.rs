use std::{fmt, net::SocketAddr, time::Duration};

use crate::ledger::LedgerConfig;
use viewfinder_core::ocr::Profile;

use crate::Key;

/// The key MT Photos' own services start with, and so its users' default. Known to everybody.
pub const DEFAULT_API_KEY: &str = "mt_photos_ai_extra";

/// Everything the gateway can be told.
#[derive(Clone)]
pub struct GatewayConfig {
    /// Addresses to listen on; every one offers every protocol.
    pub listen: Vec<Listen>,
    /// Names by which browsers may ask, beside addresses and names of local networks; `*` stands for any.
    pub hosts: Vec<String>,
    /// Key that MT Photos must send as header `api-key`, except to an address that wants a key of its own.
    pub api_key: String,
    /// Models for requests that name none.
    pub models: Models,
    /// How each protocol reads text.
    pub profiles: Profiles,
    /// Faces below this score are not told to MT Photos, 0 to 1.
    pub face_min_score: f32,
    /// Bounds on what clients can make the server hold.
    pub limits: Limits,
    /// What is kept of tasks that failed for good.
    pub failures: LedgerConfig,
    /// How long running work may take to finish once the server is asked to stop.
    pub drain: Duration,
}

/// Without the key.
impl fmt::Debug for GatewayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayConfig")
            .field("listen", &self.listen)
            .field("models", &self.models)
            .field("profiles", &self.profiles)
            .field("face_min_score", &self.face_min_score)
            .field("limits", &self.limits)
            .field("failures", &self.failures)
            .field("drain", &self.drain)
            .finish_non_exhaustive()
    }
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address; port 0 stands for any free one.
    pub address: SocketAddr,
    /// What every request to it but `/ping` must show, as `Authorization: Bearer`, `api-key` or `x-api-key`.
    pub key: Option<Key>,
}

impl From<SocketAddr> for Listen {
    /// An address that is open to everybody who can reach it.
    fn from(address: SocketAddr) -> Self {
        Self { address, key: None }
    }
}

/// Models for requests that name none: MT Photos, the forked Immich, the status page.
#[derive(Clone, Debug)]
pub struct Models {
    /// Reads text.
    pub ocr: String,
    /// Embeds pictures.
    pub clip: String,
    /// Embeds sentences: the same model, perhaps in another precision.
    pub clip_text: String,
    /// Finds and recognises faces.
    pub faces: String,
}

/// OCR profile by protocol.
#[derive(Clone, Copy, Debug)]
pub struct Profiles {
    /// Immich's `/predict`. Thresholds come with each request.
    pub immich: Profile,
    /// MT Photos' `/ocr` and the forked Immich.
    pub mt_photos: Profile,
    /// The status page's panel.
    pub page: Profile,
}

/// Bounds on what clients can make the server hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in one request's body.
    pub body_bytes: usize,
    /// Bytes in all bodies held at once; past it, requests are answered with 503.
    pub held_bytes: usize,
    /// Time for one body to arrive.
    pub body_time: Duration,
    /// Time for a request's head to arrive, and for a kept-alive connection to stay idle.
    pub head_time: Duration,
    /// Time for a client to fetch one answer.
    pub answer_time: Duration,
    /// Bytes in a request's head; at least 8192. Also how much of a body is read at once.
    pub head_bytes: usize,
    /// Lines in a request's head.
    pub headers: usize,
    /// Connections at once to each address. When they run short, those that wait are given up.
    pub connections: usize,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([0_u16; 8], 3003)).into()],
            hosts: Vec::new(),
            api_key: DEFAULT_API_KEY.to_owned(),
            models: Models {
                ocr: "PP-OCRv6_small".to_owned(),
                clip: "cn-clip/ViT-B-16".to_owned(),
                clip_text: "cn-clip/ViT-B-16".to_owned(),
                faces: "buffalo_l".to_owned(),
            },
            profiles: Profiles {
                immich: Profile::Immich,
                mt_photos: Profile::RapidOcr,
                page: Profile::Viewfinder,
            },
            face_min_score: 0.65,
            limits: Limits::default(),
            failures: LedgerConfig::default(),
            drain: Duration::from_secs(10),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 100_000_000,
            held_bytes: 512_000_000,
            body_time: Duration::from_mins(2),
            head_time: Duration::from_mins(1),
            answer_time: Duration::from_mins(1),
            head_bytes: 64 << 10,
            headers: 100,
            connections: 1024,
        }
    }
}
