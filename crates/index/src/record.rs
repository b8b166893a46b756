//! Writes what was found, many files at a time.
use std::time::Duration;

use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use viewfinder_catalog::{FileRecord, Outcome, Properties, Store, StoreError};

use crate::{Listener, retry::retry};

/// Files recorded in one transaction, at most.
const BATCH: usize = 64;
/// What was found waits no longer for its batch.
const BATCH_TIME: Duration = Duration::from_secs(2);

/// One file, analysed.
#[derive(Debug, Default)]
pub(crate) struct AnalysedFile {
    /// What was found.
    pub(crate) outcomes: Vec<Outcome>,
    /// The file with its size in pixels, where only the analysis could tell it.
    pub(crate) file: Option<(FileRecord, Properties)>,
}

/// Records what comes until no more can come.
pub(crate) async fn write(
    store: &dyn Store,
    mut done: UnboundedReceiver<AnalysedFile>,
    stop: &CancellationToken,
    listener: &dyn Listener,
) -> Result<(), StoreError> {
    while let Some(first) = done.recv().await {
        let deadline = Instant::now() + BATCH_TIME;
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match timeout_at(deadline, done.recv()).await {
                Ok(Some(next)) => batch.push(next),
                // In time no more came, or no more can come.
                Ok(None) | Err(_) => break,
            }
        }
        let files: Vec<_> = batch.iter_mut().filter_map(|done| done.file.take()).collect();
        let outcomes: Vec<_> = batch.into_iter().flat_map(|done| done.outcomes).collect();
        if !files.is_empty() {
            retry(stop, listener, || store.put_files(&files)).await?;
        }
        retry(stop, listener, || store.record(&outcomes)).await?;
    }
    Ok(())
}
