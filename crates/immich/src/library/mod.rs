//! What may be asked of an Immich's library, and how searches say what they look for.
//!
//! [`Library`] is the question; `request` reads the bodies of searches, in the first shape (`flat`) and in the second
//! (`structured`), as far as they are understood in full.

mod base64;
mod capability;
mod cursor;
mod fields;
mod flat;
mod warning_throttle;
mod words;

pub(crate) mod filters;
pub(crate) mod order;
pub(crate) mod request;
pub(crate) mod structured;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use capability::{Capabilities, Capability};
pub use request::{SearchRequest, Unsupported, is_structured};
pub use warning_throttle::{WarningThrottle, Who};

/// Who asks, as Immich has confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user: Uuid,
    /// Was the PIN of the locked folder given in this session?
    pub elevated: bool,
}

/// What can be done again for a picture. Named as the forked Immich names such jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RerunKind {
    /// Its text.
    #[serde(rename = "refresh-ocr")]
    Ocr,
    /// Its vector.
    #[serde(rename = "refresh-smart-search")]
    Clip,
}

/// A route of Immich's that searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchRoute {
    /// `POST /api/search/smart`: by what pictures show.
    Smart,
    /// `POST /api/search/metadata`: by what is known of files, with `ocr` by their text.
    Metadata,
    /// `POST /api/search/random`: some of what fits.
    Random,
    /// `POST /api/search/statistics`: how many fit.
    Statistics,
}

/// A page of search results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Assets as Immich's API gives them, best first; none for [`SearchRoute::Statistics`].
    pub items: Vec<Value>,
    /// Hits on all pages.
    pub total: usize,
    /// Where the next page begins, if there is one.
    pub next: Option<Next>,
}

/// How the next page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// `page` of the flat shape.
    Page(u32),
    /// `cursor` of the second shape, in Immich's own form, so that Immich may answer it too.
    Cursor(String),
}

/// Why a library gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LibraryError {
    /// The request has something in it that only Immich can answer.
    #[error("{0}")]
    Unsupported(String),
    /// Plain words found nothing: no text, and nothing that is similar enough. Immich shows what comes nearest.
    #[error("nothing was found")]
    NothingFound,
    /// An asset does not exist, or the caller may not change it.
    #[error("not found, or not the caller's")]
    NotYours,
    /// Something is wrong here: the database, the engine. Anything else that is asked now would fail, too. A stable code, and
    /// one line without secrets.
    #[error("{message}")]
    Failed {
        /// For metrics and programs.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// Something is wrong with this picture: its preview, or its bytes. Others may go well.
    #[error("{message}")]
    Picture {
        /// For metrics and programs.
        code: &'static str,
        /// For people.
        message: String,
    },
}

/// Immich, asked in the caller's own name. Reasons are one line.
#[async_trait]
pub trait ImmichAsCaller: Send + Sync {
    /// The preview of an asset, as Immich made it; the unedited one, as Immich itself analyses it.
    async fn preview(&self, asset: Uuid) -> Result<Bytes, String>;

    /// The answers of `POST /api/search/metadata` to each of these bodies, in the same order.
    async fn search(&self, bodies: Vec<Value>) -> Vec<Result<Value, String>>;
}

/// An Immich's library, as far as Viewfinder knows it. Whoever does not wait for an answer any more ends the search for it.
#[async_trait]
pub trait Library: Send + Sync + 'static {
    /// Answers the body of a search with what this caller may see.
    async fn search(
        &self,
        caller: &Caller,
        route: SearchRoute,
        body: &Value,
        immich: &dyn ImmichAsCaller,
    ) -> Result<Page, LibraryError>;

    /// May the caller have all of these done again? They must exist and be the caller's own.
    async fn require_own(&self, caller: &Caller, assets: &[Uuid]) -> Result<(), LibraryError>;

    /// Does something again for assets, all of which must be the caller's own.
    async fn rerun(
        &self,
        caller: &Caller,
        kind: RerunKind,
        assets: &[Uuid],
        immich: &dyn ImmichAsCaller,
    ) -> Result<(), LibraryError>;

    /// What it can do right now, and why it cannot do the rest. Returns at once.
    fn capabilities(&self) -> Capabilities;

    /// Is there text of any picture? Until then, apps need not be told that text can be searched. Returns at once.
    fn has_text(&self) -> bool;

    /// Does a re-run need the caller's own credentials, to be given previews by Immich? Otherwise it may go on without them,
    /// after a restart too.
    fn reruns_as_caller(&self) -> bool;
}
