use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// Who asks, as Immich has confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user: Uuid,
    /// Was the PIN of the locked folder given in this session?
    pub elevated: bool,
}

/// What can be done again for a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RerunKind {
    /// Its text.
    Ocr,
    /// Its vector.
    Clip,
}

/// A page of search results.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Assets as Immich's API gives them, best first.
    pub items: Vec<Value>,
    /// The number of the next page, if there is one.
    pub next_page: Option<u32>,
}

/// What a library can do right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Offers {
    /// Text: it is searched, and read again.
    pub text: bool,
    /// Vectors of what is shown: they are searched, and made again.
    pub meaning: bool,
}

/// Why a library gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LibraryError {
    /// The request has something in it that only Immich can answer.
    #[error("{0}")]
    NotUnderstood(String),
    /// An asset does not exist, or the caller may not change it.
    #[error("not found, or not the caller's")]
    NotYours,
    /// Something is wrong here: the database, the engine, a preview. A stable code, and one line without secrets.
    #[error("{message}")]
    Failed {
        /// For metrics and programs.
        code: &'static str,
        /// For people.
        message: String,
    },
}

/// Immich, asked in the caller's own name. Calls block; reasons are one line.
pub trait AsCaller: Send {
    /// The preview of an asset, as Immich made it; the unedited one, as Immich itself analyses it.
    fn preview(&self, asset: Uuid) -> Result<Bytes, String>;

    /// The answers of `POST /api/search/metadata` to each of these bodies, in the same order.
    fn search(&self, bodies: Vec<Value>) -> Vec<Result<Value, String>>;
}

/// An Immich's library, as far as Viewfinder knows it. Its methods may block.
pub trait Library: Send + Sync + 'static {
    /// Answers the body of a `POST /api/search/smart`, or of a `POST /api/search/metadata` with `ocr` and without `query`,
    /// with what this caller may see.
    fn search(&self, caller: &Caller, body: &Value, immich: &dyn AsCaller) -> Result<Page, LibraryError>;

    /// Does something again for assets, all of which must be the caller's own.
    fn rerun(
        &self,
        caller: &Caller,
        kind: RerunKind,
        assets: &[Uuid],
        immich: &dyn AsCaller,
    ) -> Result<(), LibraryError>;

    /// What it can do right now. Returns at once.
    fn offers(&self) -> Offers;
}
