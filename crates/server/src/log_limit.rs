use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Lines of one kind within [`PERIOD`]: more than anybody reads, and little enough for every disk.
const MOST: u32 = 60;
const PERIOD: Duration = Duration::from_mins(1);

/// Bounds what requests can write into the log, however many come.
#[derive(Default)]
pub(crate) struct LogLimiter(Mutex<HashMap<&'static str, LogWindow>>);

struct LogWindow {
    since: Instant,
    lines: u32,
    /// Not written in the period before.
    unsaid: u64,
}

impl LogLimiter {
    /// May one more line of this kind be written? Then with how many there were no lines before it.
    pub(crate) fn one_more(&self, kind: &'static str) -> Option<u64> {
        self.one_more_at(kind, Instant::now())
    }

    fn one_more_at(&self, kind: &'static str, now: Instant) -> Option<u64> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = kinds.entry(kind).or_insert(LogWindow { since: now, lines: 0, unsaid: 0 });
        if now.saturating_duration_since(written.since) >= PERIOD {
            (written.since, written.lines) = (now, 0);
        }
        if written.lines == MOST {
            written.unsaid += 1;
            return None;
        }
        written.lines += 1;
        Some(std::mem::take(&mut written.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_kind_are_bounded_and_what_was_left_out_is_counted() {
        let (lines, start) = (LogLimiter::default(), Instant::now());
        let said = (0..1000).filter(|_| lines.one_more_at("a", start).is_some()).count();
        assert_eq!(said, MOST as usize);
        assert_eq!(lines.one_more_at("b", start), Some(0));
        assert_eq!(lines.one_more_at("a", start + PERIOD), Some(1000 - u64::from(MOST)));
        assert_eq!(lines.one_more_at("a", start + PERIOD), Some(0));
    }
}
