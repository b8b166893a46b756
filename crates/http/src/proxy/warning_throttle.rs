use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long a warning is not said again.
const SILENCE: Duration = Duration::from_secs(600);
/// Warnings that are remembered: what strangers can make the server hold.
const MOST: usize = 1000;

/// Warnings that are said once in ten minutes, however often there is reason to, so that no client fills the log.
///
/// `K` says which warnings are the same: their cause, and who gave it.
#[derive(Debug)]
pub struct WarningThrottle<K>(Mutex<VecDeque<Throttled<K>>>);

#[derive(Debug)]
struct Throttled<K> {
    of: K,
    said: Instant,
    unsaid: u64,
}

impl<K> Default for WarningThrottle<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: PartialEq> WarningThrottle<K> {
    /// Is it to be said now? Then with what belongs behind the words: nothing, or ` (12 times in the last 10 minutes)`.
    pub fn hear(&self, of: K) -> Option<String> {
        self.hear_at(of, Instant::now())
    }

    fn hear_at(&self, of: K, now: Instant) -> Option<String> {
        // From the one that was said last to the one that was said first.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = known.iter().position(|complaint| complaint.of == of);
        let mut behind = String::new();
        if let Some(place) = place {
            let complaint = &mut known[place];
            complaint.unsaid += 1;
            let silent = now.saturating_duration_since(complaint.said);
            if silent < SILENCE {
                return None;
            }
            let minutes = (silent.as_secs() + 30) / 60;
            let often = match complaint.unsaid {
                1 => "once".to_owned(),
                times => format!("{times} times"),
            };
            behind = format!(" ({often} in the last {minutes} minutes)");
            known.remove(place);
        }
        known.truncate(MOST - 1);
        known.push_front(Throttled { of, said: now, unsaid: 0 });
        Some(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(warnings: &WarningThrottle<u32>, of: u32, after: u64, start: Instant) -> Option<String> {
        warnings.hear_at(of, start + Duration::from_secs(after))
    }

    #[test]
    fn a_warning_is_said_once_in_a_while_with_how_often_there_was_reason_to() {
        let (warnings, start) = (WarningThrottle::default(), Instant::now());
        let said = |of, after| heard(&warnings, of, after, start);
        assert_eq!(said(1, 0).as_deref(), Some(""));
        for second in 1..600 {
            assert_eq!(said(1, second), None);
        }
        assert_eq!(said(2, 5).as_deref(), Some(""));
        assert_eq!(said(1, 600).as_deref(), Some(" (600 times in the last 10 minutes)"));
        assert_eq!(said(1, 601), None);
        assert_eq!(said(2, 2000).as_deref(), Some(" (once in the last 33 minutes)"));
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let (warnings, start) = (WarningThrottle::default(), Instant::now());
        for of in 0..=MOST as u32 {
            assert!(heard(&warnings, of, 0, start).is_some());
        }
        assert_eq!(warnings.0.lock().unwrap().len(), MOST);
        assert_eq!(heard(&warnings, 1, 1, start), None);
        assert!(heard(&warnings, 0, 1, start).is_some());
    }
}
