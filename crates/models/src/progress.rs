//! How a caller watches a download.

/// What is being done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is being fetched.
    Fetch,
    /// It is being made from others that are here.
    Convert,
}

/// Watches one request to the store.
///
/// Files come one after the other. `begin` may be called again for the same file after a retry or on a second source:
/// the count then starts over, with bytes that were already on disk reported by a first `advance`.
pub trait Progress: Send + Sync {
    /// A file is being worked on. `total` is its size in bytes, where known.
    fn begin(&self, step: Step, file: &str, total: Option<u64>);
    /// That many more bytes are done.
    fn advance(&self, bytes: u64);
    /// The file is complete and verified, or has failed for the reason given.
    fn end(&self, result: Result<(), &str>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _step: Step, _file: &str, _total: Option<u64>) {}
    fn advance(&self, _bytes: u64) {}
    fn end(&self, _result: Result<(), &str>) {}
}
