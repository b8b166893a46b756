use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

enum Slot<V> {
    Loading,
    Ready { value: Arc<V>, last_used: Instant },
}

/// Loaded things by key: loaded once however many ask at the same time, dropped when idle for their time-to-live.
///
/// A failed load is told to the one that tried and forgotten, so that it does not poison the next; those who
/// waited for it try for themselves.
pub struct Cache<K, V> {
    slots: Mutex<HashMap<K, Slot<V>>>,
    loaded: Condvar,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { slots: Mutex::default(), loaded: Condvar::new() }
    }
}

impl<K: Clone + Eq + Hash, V> Cache<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Slot<V>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of `key` if it is there, counted as a use.
    pub fn get(&self, key: &K) -> Option<Arc<V>> {
        match self.lock().get_mut(key) {
            Some(Slot::Ready { value, last_used }) => {
                *last_used = Instant::now();
                Some(Arc::clone(value))
            }
            _ => None,
        }
    }

    /// The value of `key`, loaded on the calling thread if it is not there; blocks while another thread loads it.
    pub fn get_or_load<E>(&self, key: &K, load: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let mut slots = self.lock();
        loop {
            match slots.get_mut(key) {
                Some(Slot::Ready { value, last_used }) => {
                    *last_used = Instant::now();
                    return Ok(Arc::clone(value));
                }
                Some(Slot::Loading) => {
                    slots = self.loaded.wait(slots).unwrap_or_else(PoisonError::into_inner);
                }
                None => break,
            }
        }
        slots.insert(key.clone(), Slot::Loading);
        drop(slots);
        // A load that panics must not leave the others waiting.
        let mut guard = LoadGuard { cache: self, key: Some(key) };
        let value = Arc::new(load()?);
        guard.key = None;
        self.lock().insert(key.clone(), Slot::Ready { value: Arc::clone(&value), last_used: Instant::now() });
        self.loaded.notify_all();
        Ok(value)
    }

    /// Drops what nobody holds and nobody asked for in the last `time_to_live`; tells how many.
    pub fn drop_idle(&self, time_to_live: Duration) -> usize {
        let now = Instant::now();
        let mut slots = self.lock();
        let before = slots.len();
        slots.retain(|_, slot| match slot {
            Slot::Loading => true,
            Slot::Ready { value, last_used } => {
                let in_use = Arc::strong_count(value) > 1;
                if in_use {
                    *last_used = now;
                }
                in_use || now.duration_since(*last_used) < time_to_live
            }
        });
        before - slots.len()
    }

    /// Drops what nobody holds, the longest unused first, until `bytes` more fit within `bound`, as `weigh` counts; tells how
    /// many. What is in use stays, so that the bound may be passed.
    pub fn make_room(&self, bytes: u64, bound: u64, weigh: impl Fn(&V) -> u64) -> usize {
        let mut slots = self.lock();
        let mut total = bytes;
        let mut idle = Vec::new();
        for (key, slot) in &*slots {
            let Slot::Ready { value, last_used } = slot else { continue };
            let weight = weigh(value);
            total = total.saturating_add(weight);
            if Arc::strong_count(value) == 1 {
                idle.push((*last_used, weight, key.clone()));
            }
        }
        idle.sort_by_key(|(last_used, ..)| *last_used);
        let mut dropped = 0;
        for (_, weight, key) in idle {
            if total <= bound {
                break;
            }
            slots.remove(&key);
            total -= weight;
            dropped += 1;
        }
        dropped
    }

    /// Forgets everything; what is in use is freed when its last user is done. Tells how many.
    pub fn clear(&self) -> usize {
        let mut slots = self.lock();
        let before = slots.len();
        slots.retain(|_, slot| matches!(slot, Slot::Loading));
        before - slots.len()
    }

    /// What is loaded, and for how long it has been idle.
    pub fn entries(&self) -> Vec<(K, Arc<V>, Duration)> {
        let now = Instant::now();
        self.lock()
            .iter()
            .filter_map(|(key, slot)| match slot {
                Slot::Loading => None,
                Slot::Ready { value, last_used } => {
                    Some((key.clone(), Arc::clone(value), now.duration_since(*last_used)))
                }
            })
            .collect()
    }
}

struct LoadGuard<'a, K: Clone + Eq + Hash, V> {
    cache: &'a Cache<K, V>,
    key: Option<&'a K>,
}

impl<K: Clone + Eq + Hash, V> Drop for LoadGuard<'_, K, V> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.cache.lock().remove(key);
            self.cache.loaded.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn many_askers_load_once() {
        let cache = Cache::<&str, u32>::default();
        let loads = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let value = cache.get_or_load(&"model", || {
                        loads.fetch_add(1, Ordering::Relaxed);
                        Ok::<_, ()>(7)
                    });
                    assert_eq!(*value.unwrap(), 7);
                });
            }
        });
        assert_eq!(loads.into_inner(), 1);
    }

    #[test]
    fn a_failed_load_does_not_poison_the_next() {
        let cache = Cache::<&str, u32>::default();
        assert_eq!(cache.get_or_load(&"model", || Err("broken")).unwrap_err(), "broken");
        assert!(
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                cache.get_or_load(&"model", || -> Result<u32, ()> { panic!("on purpose, in a test") })
            }))
            .is_err()
        );
        assert_eq!(*cache.get_or_load(&"model", || Ok::<_, ()>(7)).unwrap(), 7);
    }

    #[test]
    fn the_longest_unused_make_room_and_what_is_in_use_stays() {
        let cache = Cache::<&str, u64>::default();
        let load = |key, bytes| cache.get_or_load(&key, || Ok::<_, ()>(bytes)).unwrap();
        let held = load("held", 40);
        drop((load("first", 30), load("second", 30)));
        assert_eq!(cache.make_room(0, 100, |bytes| *bytes), 0);
        drop(load("first", 0));
        // The second is the longer unused now.
        assert_eq!(cache.make_room(30, 100, |bytes| *bytes), 1);
        assert!(cache.get(&"second").is_none() && cache.get(&"first").is_some());
        assert_eq!(cache.make_room(200, 100, |bytes| *bytes), 1);
        assert!(cache.get(&"held").is_some() && cache.get(&"first").is_none());
        drop(held);
        assert_eq!(cache.make_room(200, 100, |bytes| *bytes), 1);
    }

    #[test]
    fn only_idle_values_are_dropped() {
        let cache = Cache::<&str, u32>::default();
        let held = cache.get_or_load(&"held", || Ok::<_, ()>(1)).unwrap();
        drop(cache.get_or_load(&"idle", || Ok::<_, ()>(2)).unwrap());
        assert_eq!(cache.drop_idle(Duration::from_secs(60)), 0);
        assert_eq!(cache.drop_idle(Duration::ZERO), 1);
        assert!(cache.get(&"held").is_some());
        assert!(cache.get(&"idle").is_none());
        drop(held);
        assert_eq!(cache.clear(), 1);
        assert!(cache.entries().is_empty());
    }
}
