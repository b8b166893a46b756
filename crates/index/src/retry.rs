//! Waiting for a database that is away for a moment.
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use viewfinder_catalog::StoreError;

use crate::{Event, Listener};

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// A database that restarts is back in seconds; one that takes longer has somebody's attention.
const TRIES: u32 = 120;

/// Does what can be done twice, again and again while the store is away.
pub(crate) async fn retry<T, F: Future<Output = Result<T, StoreError>>>(
    stop: &CancellationToken,
    listener: &dyn Listener,
    mut call: impl FnMut() -> F,
) -> Result<T, StoreError> {
    for _ in 0..TRIES {
        match call().await {
            Err(StoreError::Away(reason)) if !stop.is_cancelled() => listener.tell(Event::Paused { reason }),
            result => return result,
        }
        sleep(PAUSE).await;
    }
    call().await
}
