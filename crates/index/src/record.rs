//! Writes what was found, many files at a time.
use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use viewfinder_catalog::{FileRecord, Outcome, Properties, Store, StoreError};

use crate::{Listener, Stop, patience::insist};

/// Files recorded in one transaction, at most.
const BATCH: usize = 64;
/// What was found waits no longer for its batch.
const BATCH_TIME: Duration = Duration::from_secs(2);

/// One file, analysed.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// What was found.
    pub(crate) outcomes: Vec<Outcome>,
    /// The file with its size in pixels, where only the analysis could tell it.
    pub(crate) file: Option<(FileRecord, Properties)>,
}

/// Records what comes until no more can come. Blocks.
pub(crate) fn write(
    store: &dyn Store,
    done: &Receiver<Done>,
    stop: &Stop,
    listener: &dyn Listener,
) -> Result<(), StoreError> {
    while let Ok(first) = done.recv() {
        let deadline = Instant::now() + BATCH_TIME;
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match done.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(next) => batch.push(next),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let files: Vec<_> = batch.iter_mut().filter_map(|done| done.file.take()).collect();
        let outcomes: Vec<_> = batch.into_iter().flat_map(|done| done.outcomes).collect();
        if !files.is_empty() {
            insist(stop, listener, || store.put_files(&files))?;
        }
        insist(stop, listener, || store.record(&outcomes))?;
    }
    Ok(())
}
