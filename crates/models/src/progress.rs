//! How a caller watches a download.

/// Watches one request to the store.
///
/// Files come one after the other. `begin` may be called again for the same file after a retry or on a second source:
/// the count then starts over, with bytes that were already on disk reported by a first `advance`.
pub trait Progress: Send + Sync {
    /// A file is being fetched. `total` is its size in bytes, where known.
    fn begin(&self, file: &str, total: Option<u64>);
    /// That many more bytes arrived.
    fn advance(&self, bytes: u64);
    /// The file is complete and verified, or has failed for the reason given.
    fn end(&self, result: Result<(), &str>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _file: &str, _total: Option<u64>) {}
    fn advance(&self, _bytes: u64) {}
    fn end(&self, _result: Result<(), &str>) {}
}
