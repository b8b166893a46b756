//! Pictures that nobody can take right now: kept, within bounds, until somebody can.
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use viewfinder_core::{ErrorCode, TaskError};

use tokio::time::Instant;

use crate::metric;

/// Bounds on what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldLimits {
    /// How long a picture waits at most. Immich gives up on a request after 300 s.
    pub time: Duration,
    /// Bytes of all waiting pictures together.
    pub bytes: usize,
}

impl Default for HoldLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(240), bytes: 256_000_000 }
    }
}

/// The pictures being held.
#[derive(Debug)]
pub(crate) struct HoldQueue {
    pub(crate) limits: HoldLimits,
    bytes: AtomicUsize,
}

impl HoldQueue {
    pub(crate) fn new(limits: HoldLimits) -> Self {
        Self { limits, bytes: AtomicUsize::new(0) }
    }

    /// Takes a picture in until dropped, if there is room.
    pub(crate) fn enter(&self, bytes: usize, why: &TaskError) -> Result<HeldRequest<'_>, TaskError> {
        let room = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= self.limits.bytes);
        if self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            metric::no_room();
            let message = format!("no engine can take the picture now, and no more can be held: {why}");
            return Err(TaskError::new(ErrorCode::Busy, message));
        }
        metric::holding(1.0, bytes);
        Ok(HeldRequest { hold: self, bytes, since: Instant::now(), outcome: "cancelled" })
    }
}

/// A picture being held. Unless told otherwise it ends as cancelled, which is what happens when its client goes away.
pub(crate) struct HeldRequest<'a> {
    hold: &'a HoldQueue,
    bytes: usize,
    since: Instant,
    outcome: &'static str,
}

impl HeldRequest<'_> {
    /// An engine gave an answer, good or bad.
    pub(crate) fn taken(&mut self) {
        self.outcome = "taken";
    }

    /// Nobody came in time.
    pub(crate) fn expired(&mut self) {
        self.outcome = "expired";
    }
}

impl Drop for HeldRequest<'_> {
    fn drop(&mut self) {
        self.hold.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        metric::holding(-1.0, self.bytes);
        metric::held(self.outcome, self.since.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_bounded_and_given_back() {
        let hold = HoldQueue::new(HoldLimits { bytes: 100, ..HoldLimits::default() });
        let why = TaskError::new(ErrorCode::Internal, "it sleeps");
        let first = hold.enter(60, &why).ok();
        let error = hold.enter(41, &why).err().unwrap();
        assert!(error.code == ErrorCode::Busy && error.message.contains("it sleeps"));
        let second = hold.enter(40, &why).ok();
        drop((first, second));
        assert!(hold.enter(100, &why).is_ok());
    }
}
