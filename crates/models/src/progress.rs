//! How a caller watches a download.

/// What is being done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is being fetched.
    Fetch,
    /// It is being made from others that are here.
    Convert,
}

/// Somebody who is about to be asked for a file, before anything is known of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The model, or what else is fetched.
    pub file: &'a str,
    /// Its size in bytes, where known.
    pub total: Option<u64>,
    /// Who is asked, in a word.
    pub source: &'a str,
    /// Who is asked after that one.
    pub next: Option<&'a str>,
    /// Who was asked before and did not deliver.
    pub instead_of: Option<&'a str>,
}

/// Watches requests to the store.
///
/// A source is asked, a file of it begins, advances and ends, and then there is the next file, or the next source. `begin` may be
/// called again for the same file after a retry or on a second source: the count then starts over, with bytes that were already
/// on disk reported by a first `advance`. Files come one after the other on one thread; several threads may fetch at a time.
pub trait Progress: Send + Sync {
    /// A source is asked; that may take a while.
    fn ask(&self, _asked: &Asked<'_>) {}
    /// A file is being worked on. `total` is its size in bytes, where known.
    fn begin(&self, step: Step, file: &str, total: Option<u64>);
    /// That many more bytes are done.
    fn advance(&self, bytes: u64);
    /// Nothing moves for a while, for the reason given.
    fn pause(&self, _reason: &str) {}
    /// The file is complete and verified, or has failed for the reason given.
    fn end(&self, result: Result<(), &str>);
    /// A source did not deliver, or is not asked, for the reason given.
    fn left(&self, _source: &str, _reason: &str) {}
    /// Nobody is asked any more: all is here, or no source delivered.
    fn over(&self) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _step: Step, _file: &str, _total: Option<u64>) {}
    fn advance(&self, _bytes: u64) {}
    fn end(&self, _result: Result<(), &str>) {}
}
