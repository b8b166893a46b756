//! Waiting between two tries.
use std::time::Duration;

use tokio::time::sleep;
use viewfinder_index::Stop;

/// Waits so long, or until asked to stop.
pub(crate) async fn rest(time: Duration, stop: &Stop) {
    tokio::select! {
        () = sleep(time) => {}
        () = stop.wait() => {}
    }
}
