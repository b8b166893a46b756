use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use viewfinder_vision::Parallel;

/// Counts which processor cores are busy with pictures, so that a lone picture may use them all and a crowd of
/// pictures gets one each.
///
/// The counts are hints: a race costs a moment of over-subscription, never a wrong result.
#[derive(Debug)]
pub struct Cores {
    total: usize,
    busy: AtomicUsize,
    waiting: AtomicUsize,
}

impl Cores {
    /// `total` cores, all idle.
    pub fn new(total: usize) -> Self {
        Self { total: total.max(1), busy: AtomicUsize::new(0), waiting: AtomicUsize::new(0) }
    }

    /// How many there are.
    pub fn total(&self) -> usize {
        self.total
    }

    /// How many nobody uses or waits for.
    pub fn idle(&self) -> usize {
        let taken = self.busy.load(Ordering::Relaxed) + self.waiting.load(Ordering::Relaxed);
        self.total.saturating_sub(taken)
    }

    pub(crate) fn take(&self, count: usize) -> CoreGuard<'_> {
        self.busy.fetch_add(count, Ordering::Relaxed);
        CoreGuard { cores: self, count }
    }

    pub(crate) fn set_waiting(&self, jobs: usize) {
        self.waiting.store(jobs, Ordering::Relaxed);
    }

    pub(crate) fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }
}

pub(crate) struct CoreGuard<'a> {
    cores: &'a Cores,
    count: usize,
}

impl Drop for CoreGuard<'_> {
    fn drop(&mut self) {
        self.cores.busy.fetch_sub(self.count, Ordering::Relaxed);
    }
}

/// Spreads one picture's independent pieces over the cores that are idle at that moment.
///
/// Helping threads leave as soon as another picture wants their core, so pieces never compete with pictures.
#[derive(Clone, Debug)]
pub struct Helpers {
    cores: Arc<Cores>,
    threads: usize,
}

impl Helpers {
    /// Helpers on `cores` for a caller that itself uses `threads` of them.
    pub fn new(cores: Arc<Cores>, threads: usize) -> Self {
        Self { cores, threads: threads.max(1) }
    }
}

impl Parallel for Helpers {
    fn for_each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let take_one = || {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index < count {
                work(index);
            }
            index < count
        };
        let helpers = (self.cores.idle() / self.threads).min(count.saturating_sub(1));
        std::thread::scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(|| {
                    let _taken = self.cores.take(self.threads);
                    let wanted = || self.cores.busy() + self.cores.waiting.load(Ordering::Relaxed);
                    while wanted() <= self.cores.total && take_one() {}
                });
            }
            while take_one() {}
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn every_piece_is_done_once() {
        for (total, busy) in [(1, 0), (2, 1), (8, 1), (2, 2)] {
            let cores = Arc::new(Cores::new(total));
            let _own = cores.take(busy);
            let done = Mutex::new(Vec::new());
            Helpers::new(cores.clone(), 1).for_each(100, &|index| done.lock().unwrap().push(index));
            let mut done = done.into_inner().unwrap();
            done.sort_unstable();
            assert_eq!(done, (0..100).collect::<Vec<_>>());
            assert_eq!(cores.busy(), busy);
        }
    }

    #[test]
    fn nobody_helps_while_others_wait() {
        let cores = Cores::new(4);
        let _own = cores.take(1);
        assert_eq!(cores.idle(), 3);
        cores.set_waiting(3);
        assert_eq!(cores.idle(), 0);
    }
}
