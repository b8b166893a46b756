use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::failure::Failure;

/// How often the log hears of requests without the right key.
const PAUSE: Duration = Duration::from_mins(10);

/// Requests without the right key. A node that is set up wrongly asks every second, all night; the log hears of it now
/// and then, with how many there were.
#[derive(Default)]
pub(crate) struct KeyRefusalLog(Mutex<LogWindow>);

#[derive(Default)]
struct LogWindow {
    last: Option<Instant>,
    /// Refused since then.
    since: u64,
}

impl KeyRefusalLog {
    /// Counts one, and tells the log if it is time.
    pub(crate) fn one_more(&self, from: Option<SocketAddr>, failure: &Failure) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.since += 1;
        if told.last.is_some_and(|last| last.elapsed() < PAUSE) {
            return;
        }
        let from = from.map(|from| from.ip().to_canonical().to_string()).unwrap_or_default();
        tracing::info!(from, code = failure.code, count = told.since, "refused without the right key");
        *told = LogWindow { last: Some(Instant::now()), since: 0 };
    }
}
