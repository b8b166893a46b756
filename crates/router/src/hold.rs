//! Pictures that nobody can take right now: kept, within bounds, until somebody can.
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use metrics::gauge;
use viewfinder_engine::{EngineError, ErrorCode};

const HELD: &str = "viewfinder_held_pictures";

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
pub(crate) struct Hold {
    pub(crate) limits: HoldLimits,
    bytes: AtomicUsize,
}

impl Hold {
    pub(crate) fn new(limits: HoldLimits) -> Self {
        Self { limits, bytes: AtomicUsize::new(0) }
    }

    /// Takes a picture in until dropped, if there is room.
    pub(crate) fn enter(&self, bytes: usize, why: &EngineError) -> Result<Held<'_>, EngineError> {
        let room = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= self.limits.bytes);
        if self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            let message = format!("no engine can take the picture now, and no more can be held: {why}");
            return Err(EngineError::new(ErrorCode::Busy, message));
        }
        gauge!(HELD).increment(1.0);
        Ok(Held { hold: self, bytes })
    }
}

/// A picture being held.
pub(crate) struct Held<'a> {
    hold: &'a Hold,
    bytes: usize,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.hold.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        gauge!(HELD).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_bounded_and_given_back() {
        let hold = Hold::new(HoldLimits { bytes: 100, ..HoldLimits::default() });
        let why = EngineError::new(ErrorCode::Internal, "it sleeps");
        let first = hold.enter(60, &why).ok();
        let error = hold.enter(41, &why).err().unwrap();
        assert!(error.code == ErrorCode::Busy && error.message.contains("it sleeps"));
        let second = hold.enter(40, &why).ok();
        drop((first, second));
        assert!(hold.enter(100, &why).is_ok());
    }
}
