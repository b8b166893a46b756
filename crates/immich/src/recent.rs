//! The last few answers, for a while.
//!
//! A list with a lock in place of a cache library such as `moka`: at most a hundred entries, each compared as it is, and nothing
//! that goes on in the background.
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Answers by their questions, the last one first.
pub(crate) struct Recent<K, V> {
    entries: Mutex<VecDeque<(K, V, Instant)>>,
    capacity: usize,
    time_to_live: Duration,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    /// Keeps so many, each for so long.
    pub(crate) fn new(capacity: usize, time_to_live: Duration) -> Self {
        Self { entries: Mutex::default(), capacity, time_to_live }
    }

    /// The answer to a question, and since when it is true, if it is fresh enough.
    pub(crate) fn get(&self, key: &K) -> Option<(V, Instant)> {
        let entries = self.lock();
        let (_, value, since) = entries.iter().find(|(known, ..)| known == key)?;
        (since.elapsed() < self.time_to_live).then(|| (value.clone(), *since))
    }

    /// Keeps an answer in place of the one before; the longest unused leaves.
    pub(crate) fn keep(&self, key: K, value: V, since: Instant) {
        let mut entries = self.lock();
        entries.retain(|(known, ..)| *known != key);
        entries.truncate(self.capacity - 1);
        entries.push_front((key, value, since));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(K, V, Instant)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_are_known_for_a_while() {
        let recent = Recent::new(2, Duration::from_secs(60));
        let now = Instant::now();
        for key in ["a", "b", "c"] {
            recent.keep(key, key.len(), now);
        }
        assert_eq!(recent.get(&"a"), None);
        assert_eq!(recent.get(&"c"), Some((1, now)));
        recent.keep("c", 7, now);
        assert_eq!((recent.get(&"b"), recent.get(&"c")), (Some((1, now)), Some((7, now))));
        let none = Recent::new(2, Duration::ZERO);
        none.keep("a", 1, now);
        assert_eq!(none.get(&"a"), None);
    }
}
