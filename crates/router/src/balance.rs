//! Who of several equals gets the next piece of work.
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Weight of the newest measurement in the mean: about the last ten count.
const NEWEST: f64 = 0.1;

/// What an engine has to do, and how fast it is.
#[derive(Debug, Default)]
pub(crate) struct Load {
    in_flight: AtomicUsize,
    /// Mean seconds of one piece of work, counted from when it was sent; none before the first.
    seconds: Mutex<Option<f64>>,
}

impl Load {
    /// Counts a piece of work until dropped.
    pub(crate) fn start(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes in how long a piece took while `beside` others were being worked on: an engine with four in flight is
    /// not slower for taking four times as long.
    pub(crate) fn measured(&self, took: Duration, beside: usize) {
        let each = took.as_secs_f64() / (beside + 1) as f64;
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        *seconds = Some(seconds.map_or(each, |mean| mean + NEWEST * (each - mean)));
    }

    fn seconds(&self) -> Option<f64> {
        *self.seconds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A piece of work in flight.
pub(crate) struct InFlight<'a>(&'a Load);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The index of the load that would be done first with one more piece. One without a measurement counts as fast as the
/// fastest, so that it gets one. `turn` decides between equals, so that no one is always first.
pub(crate) fn choose(loads: &[&Load], turn: usize) -> Option<usize> {
    let fastest = loads.iter().filter_map(|load| load.seconds()).reduce(f64::min).unwrap_or(1.0);
    let cost = |index: usize| {
        let load = loads[index];
        (load.in_flight() + 1) as f64 * load.seconds().unwrap_or(fastest).max(1e-6)
    };
    (0..loads.len()).map(|step| (turn + step) % loads.len()).min_by(|&a, &b| cost(a).total_cmp(&cost(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out `pieces` one at a time while each engine finishes `rate` pieces a second; returns each one's share.
    fn shares(seconds: &[f64], pieces: usize) -> Vec<f64> {
        let loads: Vec<Load> = seconds.iter().map(|_| Load::default()).collect();
        for (load, &seconds) in loads.iter().zip(seconds) {
            load.measured(Duration::from_secs_f64(seconds), 0);
        }
        let mut given = vec![0.0; seconds.len()];
        // Four in flight at any time; the one that is due first ends.
        let mut running: Vec<(f64, usize, InFlight<'_>)> = Vec::new();
        let mut free_at = vec![0.0_f64; seconds.len()];
        let mut now = 0.0;
        for turn in 0..pieces {
            if running.len() == 4 {
                let first = (0..4).min_by(|&a, &b| running[a].0.total_cmp(&running[b].0)).unwrap();
                now = running.swap_remove(first).0;
            }
            let all: Vec<&Load> = loads.iter().collect();
            let chosen = choose(&all, turn).unwrap();
            given[chosen] += 1.0 / pieces as f64;
            free_at[chosen] = free_at[chosen].max(now) + seconds[chosen];
            running.push((free_at[chosen], chosen, loads[chosen].start()));
        }
        given
    }

    #[test]
    fn equals_share_equally() {
        for share in shares(&[0.1, 0.1], 1000) {
            assert!((0.45..=0.55).contains(&share), "{share}");
        }
    }

    #[test]
    fn one_three_times_slower_gets_a_third_of_the_other() {
        let shares = shares(&[0.1, 0.3], 1000);
        let ratio = shares[1] / shares[0];
        assert!((0.25..=0.45).contains(&ratio), "{shares:?}");
    }

    #[test]
    fn the_new_one_gets_a_chance() {
        let (known, new) = (Load::default(), Load::default());
        known.measured(Duration::from_millis(10), 0);
        let _busy = known.start();
        assert_eq!(choose(&[&known, &new], 0), Some(1));
        assert_eq!(choose(&[], 0), None);
    }
}
