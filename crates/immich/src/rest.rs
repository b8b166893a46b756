//! Waiting between two tries.
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use tokio::time::sleep;

/// Waits so long, or until asked to stop.
pub(crate) async fn rest(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = sleep(time) => {}
        () = stop.cancelled() => {}
    }
}
