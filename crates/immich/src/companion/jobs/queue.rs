//! Does the jobs of a book, and keeps it in its file.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;
use tokio::{sync::watch, task::spawn_blocking, time::timeout_at};
use uuid::Uuid;

use super::{
    file,
    job::End,
    table::{JobTable, NextTask, Refusal},
    task::{Outcome, Task},
};
use crate::{
    companion::{as_caller::Sender, metric},
    library::{Caller, Library, RerunKind},
};

/// Pictures at once: an engine has its own threads for each, and searches want some of them.
const AT_ONCE: usize = 2;

/// Progress is written no more often than this, and no faster than so many bytes a second over time: a large file is
/// written anew each time, and disks wear. After a crash that much is done once more.
const WRITTEN_EVERY: Duration = Duration::from_secs(5);
const BYTES_PER_SECOND: usize = 100_000;

/// Jobs that are being done.
pub(crate) struct Queue {
    shared: Arc<Shared>,
}

struct Shared {
    library: Arc<dyn Library>,
    file: Option<PathBuf>,
    state: Mutex<State>,
    /// There may be something to do.
    wake: watch::Sender<()>,
    /// Grows with each job that ends.
    ends: watch::Sender<u64>,
    /// Held while the file is written.
    writing: Mutex<()>,
}

struct State {
    table: JobTable,
    closed: bool,
    /// The version that is in the file.
    written: u64,
    /// Not written again before then.
    write_from: Instant,
    /// It was told that the file cannot be written.
    told: bool,
}

/// What one of a queue's tasks does next.
enum Turn {
    /// This picture.
    Task(Task),
    /// The file.
    Write,
    /// Nothing, until then if it is known.
    Wait(Option<Instant>),
    /// Nothing any more.
    Closed,
}

/// What came of pictures that were given to a queue.
pub(crate) struct Added {
    pub(crate) id: Uuid,
    /// Were all of them to be done before?
    pub(crate) already: bool,
}

impl Queue {
    /// Goes on with the jobs of a file. Within a Tokio runtime.
    pub(crate) fn open(library: Arc<dyn Library>, file: Option<PathBuf>) -> Self {
        let jobs = file.as_deref().map(file::read).unwrap_or_default();
        let mut table = JobTable::new(jobs, library.reruns_as_caller());
        table.prune(now());
        let waiting = table.waiting_for_owners();
        if waiting > 0 {
            tracing::info!("{waiting} pictures wait for their users to open Immich again");
        }
        let state = State { table, closed: false, written: 0, write_from: Instant::now(), told: false };
        let shared = Arc::new(Shared {
            library,
            file,
            state: Mutex::new(state),
            wake: watch::Sender::new(()),
            ends: watch::Sender::new(0),
            writing: Mutex::new(()),
        });
        // Its metrics are there from the start.
        shared.change(|_| ());
        for _ in 0..AT_ONCE {
            tokio::spawn(Arc::clone(&shared).work());
        }
        Self { shared }
    }

    /// Adds pictures of the caller's own, with the credentials that brought them. What is in the file is there when this
    /// returns.
    pub(crate) async fn add(
        &self,
        caller: &Caller,
        kind: RerunKind,
        assets: &[Uuid],
        into: Option<Uuid>,
        sender: &Arc<Sender>,
    ) -> Result<Added, Refusal> {
        let (id, already) = self.shared.change(|table| {
            table.prune(now());
            let (id, already) = table.add(caller, kind, assets, into, now())?;
            table.lend(caller.user, sender, (!already && into.is_none()).then_some(id));
            Ok((id, already))
        })?;
        if !already {
            self.shared.write_apart().await;
        }
        Ok(Added { id, already })
    }

    /// What a user is told of a job.
    pub(crate) fn told(&self, user: Uuid, id: Uuid) -> Option<Value> {
        let mut state = self.shared.lock();
        state.table.prune(now());
        state.table.told(user, id)
    }

    /// What a user is told of all jobs.
    pub(crate) fn told_all(&self, user: Uuid) -> Value {
        let mut state = self.shared.lock();
        state.table.prune(now());
        state.table.told_all(user)
    }

    /// Credentials for jobs of a user that wait for some.
    pub(crate) fn lend(&self, user: Uuid, sender: &Arc<Sender>) {
        self.shared.change(|table| table.lend(user, sender, None));
    }

    /// Stops a job of a user's.
    pub(crate) async fn stop(&self, user: Uuid, id: Uuid) {
        self.shared.change(|table| table.stop(user, id, now()));
        self.shared.tell_of_ends();
        self.shared.write_apart().await;
    }

    /// Waits until nobody has a picture of an ended job in hand.
    pub(crate) async fn settle(&self, id: Uuid) {
        let mut ends = self.shared.ends.subscribe();
        while !self.shared.lock().table.is_settled(id) {
            if ends.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until a job has ended. `None` if it is not there any more.
    pub(crate) async fn end(&self, id: Uuid) -> Option<(End, Option<String>)> {
        let mut ends = self.shared.ends.subscribe();
        loop {
            if let Some(end) = self.shared.lock().table.ended(id) {
                return Some(end);
            }
            ends.changed().await.ok()?;
        }
    }

    /// Begins no more pictures, and writes what was done. Blocks.
    pub(crate) fn close(&self) {
        if !std::mem::replace(&mut self.shared.lock().closed, true) {
            self.shared.wake.send_replace(());
            self.shared.write();
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the book.
    fn change<T>(&self, change: impl FnOnce(&mut JobTable) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state.table);
        for kind in [RerunKind::Ocr, RerunKind::Clip] {
            metric::pictures_wait(kind, state.table.waiting(kind));
        }
        drop(state);
        self.wake.send_replace(());
        result
    }

    fn tell_of_ends(&self) {
        self.ends.send_modify(|ends| *ends += 1);
    }

    /// Does one picture after the other until the queue is closed.
    async fn work(self: Arc<Self>) {
        while let Some(task) = self.next().await {
            let outcome = task.run(&*self.library).await;
            self.finish(&task, outcome);
        }
    }

    /// Waits for the next picture; keeps the file up to date in the meantime. `None` when the queue was closed.
    async fn next(self: &Arc<Self>) -> Option<Task> {
        let mut wake = self.wake.subscribe();
        loop {
            // Whatever comes from here on wakes it.
            wake.mark_unchanged();
            match self.turn() {
                Turn::Closed => return None,
                Turn::Task(task) => return Some(task),
                Turn::Write => self.write_apart().await,
                Turn::Wait(until) => {
                    let changed = wake.changed();
                    let _ = match until {
                        Some(until) => timeout_at(until.into(), changed).await.unwrap_or(Ok(())),
                        None => changed.await,
                    };
                }
            }
        }
    }

    /// What is to be done now.
    fn turn(&self) -> Turn {
        let mut state = self.lock();
        if state.closed {
            return Turn::Closed;
        }
        let now = Instant::now();
        let mut until = None;
        if self.file.is_some() && state.written < state.table.version() {
            if state.write_from <= now {
                // The other one need not.
                state.write_from = now + WRITTEN_EVERY;
                return Turn::Write;
            }
            until = Some(state.write_from);
        }
        match state.table.next(now) {
            NextTask::Task(task) => Turn::Task(task),
            NextTask::Wait(other) => Turn::Wait(until.into_iter().chain(other).min()),
        }
    }

    fn finish(&self, task: &Task, outcome: Outcome) {
        match &outcome {
            Outcome::Done => {}
            Outcome::Failed(why) => {
                tracing::debug!(asset = %task.asset, why, "a picture could not be done again");
            }
            other => tracing::debug!(job = %task.job, ?other, "a job pauses"),
        }
        let counted = self.change(|table| table.finish(task, outcome, Instant::now(), now()));
        if let Some(good) = counted {
            metric::picture_ended(task.kind, good);
        }
        self.tell_of_ends();
    }

    /// Writes the file where that keeps nobody waiting.
    async fn write_apart(self: &Arc<Self>) {
        let own = Arc::clone(self);
        // A panic was printed when it happened.
        drop(spawn_blocking(move || own.write()).await);
    }

    /// Writes the file, unless it has everything. Blocks. Another queue may have it once this one was closed.
    fn write(&self) {
        let Some(path) = &self.file else { return };
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (version, jobs) = {
            let state = self.lock();
            if state.written == state.table.version() {
                return;
            }
            (state.table.version(), state.table.jobs())
        };
        let written = file::write(path, &jobs);
        let mut state = self.lock();
        let bytes = match written {
            Ok(bytes) => {
                state.written = version;
                state.told = false;
                bytes
            }
            Err(error) => {
                if !std::mem::replace(&mut state.told, true) {
                    tracing::warn!(%error, file = %path.display(), "jobs are lost at the next restart");
                }
                0
            }
        };
        let rest = Duration::from_secs((bytes / BYTES_PER_SECOND) as u64).max(WRITTEN_EVERY);
        state.write_from = Instant::now() + rest;
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
