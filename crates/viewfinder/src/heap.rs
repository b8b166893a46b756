//! Memory that was needed for a moment goes back to the system.
//!
//! The allocator keeps small blocks that were freed between others. After a crowd of requests that can be most of what the process
//! holds.
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use viewfinder_core::resident_bytes;
use viewfinder_engine::runtime::trim;

/// How often it is looked at, and how much more than before is a peak.
const EVERY: Duration = Duration::from_secs(5);
const PEAK_BYTES: u64 = 64 << 20;
/// So often a peak is trimmed: while it lasts, there is nothing to give back. What stays after that is in use.
const TRIES: u32 = 6;

/// Trims the heap after peaks, for as long as it is polled; at once done where the system does not tell what is held.
pub(crate) async fn watch() {
    let Some(mut least) = resident_bytes() else { return };
    let mut tries = 0;
    loop {
        sleep(EVERY).await;
        let Some(held) = resident_bytes() else { return };
        if held < least.saturating_add(PEAK_BYTES) {
            (least, tries) = (least.min(held), 0);
            continue;
        }
        // Takes tens of milliseconds, in which nobody is to wait.
        if spawn_blocking(trim).await.is_err() {
            return;
        }
        tries += 1;
        if tries == TRIES {
            (least, tries) = (resident_bytes().unwrap_or(held), 0);
        }
    }
}
