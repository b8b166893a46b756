use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::runtime::cores::Cores;

/// Which queue a job waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// A person waits for the answer: served by a thread of its own, never behind pictures.
    Interactive,
    /// Background work on pictures.
    Picture,
}

/// Why a job was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// As many jobs wait as may.
    #[error("the queue is full")]
    Full,
    /// The pool takes no more work.
    #[error("the server is stopping")]
    Stopping,
}

struct Job {
    /// Is anybody still waiting for the answer?
    wanted: Box<dyn Fn() -> bool + Send>,
    work: Box<dyn FnOnce() + Send>,
}

#[derive(Default)]
struct Queues {
    pictures: VecDeque<Job>,
    interactive: VecDeque<Job>,
    running: usize,
    stopping: bool,
}

impl Queues {
    fn is_idle(&self) -> bool {
        self.running == 0 && self.pictures.is_empty() && self.interactive.is_empty()
    }
}

struct Shared {
    queues: Mutex<Queues>,
    changed: Condvar,
    cores: Arc<Cores>,
    threads: usize,
    capacity: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Owner threads for inference, behind bounded queues. Async code never runs a network itself.
///
/// Picture workers together use no more cores than there are: two workers of one thread each measure faster than
/// one of two, and two of two lose a third. One more thread serves interactive jobs; a sentence takes
/// milliseconds, so the over-subscription it causes is short.
pub struct Pool {
    shared: Arc<Shared>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

impl Pool {
    /// Starts `workers` picture workers, each counted as `threads` busy cores while it works, and the interactive
    /// thread. At most `capacity` jobs wait in each lane.
    pub fn start(
        workers: usize,
        threads: usize,
        capacity: usize,
        cores: Arc<Cores>,
    ) -> std::io::Result<Self> {
        let shared =
            Arc::new(Shared { queues: Mutex::default(), changed: Condvar::new(), cores, threads, capacity });
        let mut handles = Vec::new();
        for index in 0..=workers.max(1) {
            let (name, lane) = if index == 0 {
                ("interactive".to_owned(), Lane::Interactive)
            } else {
                (format!("picture-{index}"), Lane::Picture)
            };
            let shared = Arc::clone(&shared);
            let work = move || {
                if lane == Lane::Picture {
                    yield_to_others();
                }
                serve(&shared, lane);
            };
            handles.push(std::thread::Builder::new().name(name).spawn(work)?);
        }
        Ok(Self { shared, handles: Mutex::new(handles) })
    }

    /// Queues `work`. It is skipped if `wanted` says no when its turn comes.
    pub fn submit(
        &self,
        lane: Lane,
        wanted: impl Fn() -> bool + Send + 'static,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), PoolError> {
        let mut queues = self.shared.lock();
        if queues.stopping {
            return Err(PoolError::Stopping);
        }
        let queue = match lane {
            Lane::Interactive => &mut queues.interactive,
            Lane::Picture => &mut queues.pictures,
        };
        if queue.len() >= self.shared.capacity {
            return Err(PoolError::Full);
        }
        queue.push_back(Job { wanted: Box::new(wanted), work: Box::new(work) });
        self.shared.cores.set_waiting(queues.pictures.len());
        drop(queues);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Jobs waiting: pictures, interactive.
    pub fn queued(&self) -> (usize, usize) {
        let queues = self.shared.lock();
        (queues.pictures.len(), queues.interactive.len())
    }

    /// Jobs being worked on.
    pub fn running(&self) -> usize {
        self.shared.lock().running
    }

    /// Takes no more work and waits for what was accepted, at most for `patience`; what still waits when a fifth
    /// of the time is left is dropped, so that what runs can end. Tells whether all running work ended in time.
    pub fn stop(&self, patience: Duration) -> bool {
        let started = Instant::now();
        let deadline = started + patience;
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
        self.wait(started + patience * 4 / 5, Queues::is_idle);
        let dropped = {
            let mut queues = self.shared.lock();
            let mut dropped = std::mem::take(&mut queues.pictures);
            dropped.append(&mut queues.interactive);
            self.shared.cores.set_waiting(0);
            dropped
        };
        drop(dropped);
        self.shared.changed.notify_all();
        if !self.wait(deadline, |queues| queues.running == 0) {
            return false;
        }
        let handles = std::mem::take(&mut *self.handles.lock().unwrap_or_else(PoisonError::into_inner));
        for handle in handles {
            // A worker cannot end by panic: every job runs inside catch_unwind.
            drop(handle.join());
        }
        true
    }

    /// Waits until `done` or the deadline; tells which.
    fn wait(&self, deadline: Instant, done: impl Fn(&Queues) -> bool) -> bool {
        let mut queues = self.shared.lock();
        while !done(&queues) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let changed = self.shared.changed.wait_timeout(queues, left);
            queues = changed.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// How much more the system favours a sentence's thread than a picture's, in steps of niceness: a person waits for a
/// search, nobody for one picture of thousands. Ten steps are a tenth of the share when both want a core.
#[cfg(target_os = "linux")]
const NICENESS: libc::c_int = 10;

/// Lets the calling thread, and those it starts, stand back behind others that want the same core.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    // SAFETY: on Linux a niceness belongs to a thread, and 0 is the calling one; that may always be raised.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS);
    }
}

fn serve(shared: &Shared, lane: Lane) {
    let mut queues = shared.lock();
    loop {
        let job = match lane {
            Lane::Interactive => queues.interactive.pop_front(),
            Lane::Picture => queues.pictures.pop_front(),
        };
        let Some(job) = job else {
            if queues.stopping {
                return;
            }
            queues = shared.changed.wait(queues).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        shared.cores.set_waiting(queues.pictures.len());
        queues.running += 1;
        drop(queues);
        if (job.wanted)() {
            let _taken = shared.cores.take(if lane == Lane::Picture { shared.threads } else { 0 });
            // The job's owner learns of a panic by its reply channel closing.
            drop(catch_unwind(AssertUnwindSafe(job.work)));
        }
        queues = shared.lock();
        queues.running -= 1;
        if queues.stopping {
            shared.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn pool(workers: usize, capacity: usize) -> Pool {
        Pool::start(workers, 1, capacity, Arc::new(Cores::new(workers))).unwrap()
    }

    #[test]
    fn a_sentence_does_not_wait_for_pictures() {
        let pool = pool(1, 8);
        let (release, held) = mpsc::channel::<()>();
        let (told, hear) = mpsc::channel();
        pool.submit(Lane::Picture, || true, move || held.recv().unwrap()).unwrap();
        pool.submit(Lane::Interactive, || true, move || told.send(()).unwrap()).unwrap();
        hear.recv().unwrap();
        release.send(()).unwrap();
        assert!(pool.stop(Duration::from_secs(10)));
    }

    #[test]
    fn the_queue_is_bounded_and_unwanted_work_is_skipped() {
        let pool = pool(1, 2);
        let (release, held) = mpsc::channel::<()>();
        let (started, running) = mpsc::channel();
        pool.submit(
            Lane::Picture,
            || true,
            move || {
                started.send(()).unwrap();
                held.recv().unwrap();
            },
        )
        .unwrap();
        running.recv().unwrap();
        let (told, hear) = mpsc::channel();
        let other = told.clone();
        pool.submit(Lane::Picture, || false, move || told.send("unwanted").unwrap()).unwrap();
        pool.submit(Lane::Picture, || true, move || other.send("wanted").unwrap()).unwrap();
        assert_eq!(pool.submit(Lane::Picture, || true, || ()), Err(PoolError::Full));
        assert_eq!(pool.queued(), (2, 0));
        release.send(()).unwrap();
        assert_eq!(hear.recv(), Ok("wanted"));
        assert_eq!(hear.recv().ok(), None);
        assert!(pool.stop(Duration::from_secs(10)));
        assert_eq!(pool.submit(Lane::Picture, || true, || ()), Err(PoolError::Stopping));
    }

    #[test]
    fn accepted_work_is_done_before_the_end() {
        let pool = pool(1, 8);
        let (told, hear) = mpsc::channel();
        for index in 0..5 {
            let told = told.clone();
            pool.submit(Lane::Picture, || true, move || told.send(index).unwrap()).unwrap();
        }
        assert!(pool.stop(Duration::from_secs(60)));
        assert_eq!(hear.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn work_that_does_not_fit_the_time_is_dropped() {
        let pool = pool(1, 8);
        let (release, held) = mpsc::channel::<()>();
        let (told, hear) = mpsc::channel::<()>();
        pool.submit(Lane::Picture, || true, move || held.recv().unwrap()).unwrap();
        pool.submit(Lane::Picture, || true, move || told.send(()).unwrap()).unwrap();
        assert!(!pool.stop(Duration::from_millis(100)));
        release.send(()).unwrap();
        assert!(pool.stop(Duration::from_secs(60)));
        assert!(hear.recv().is_err());
    }

    #[test]
    fn a_panic_ends_the_job_and_not_the_worker() {
        let pool = pool(1, 8);
        let (told, hear) = mpsc::channel();
        pool.submit(Lane::Picture, || true, || panic!("on purpose, in a test")).unwrap();
        pool.submit(Lane::Picture, || true, move || told.send(()).unwrap()).unwrap();
        hear.recv().unwrap();
        assert!(pool.stop(Duration::from_secs(10)));
    }
}
