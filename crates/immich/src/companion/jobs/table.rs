//! All jobs, without threads and files: who may add what, whose turn it is, and what follows from an outcome.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    job::{End, Job},
    task::{Outcome, Task},
};
use crate::{
    companion::as_caller::Sender,
    library::{Caller, RerunKind},
};

/// Pictures of one job, and of all jobs of one user: a library of that size takes days.
const JOB_PICTURES: usize = 200_000;
const USER_PICTURES: usize = 400_000;
/// Jobs of one user that have not ended.
const USER_JOBS: usize = 500;

/// Jobs are told of for so many seconds after their end; no more than so many of one user, and of all.
const KEPT: u64 = 3600;
const ENDED_OF_USER: usize = 20;
const ENDED: usize = 1000;

/// The first pause when nothing can be done, which doubles, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A job that could do nothing in so many tries, which take a day, ends; after an hour, if no more than a few pictures are left
/// and all of them were put off before, while others went well.
const TRIES: u32 = 24 * 60;
const TRIES_OF_REST: u32 = 60;
const REST: usize = 3;
/// A picture that is put off so often, and others were done each time in between, has a fault of its own. Twice may be two
/// outages.
const PUT_OFF: u8 = 3;

/// Seconds that a job waits for its owner.
const WAITS: u64 = 30 * 24 * 3600;

/// Why pictures are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("assetIds should not be empty")]
    NothingToDo,
    #[error("there is no such job")]
    NoSuchJob,
    #[error("this job has ended")]
    Ended,
    #[error("this job was stopped")]
    Stopped,
    #[error("this job does something else")]
    OtherKind,
    #[error("a job takes {JOB_PICTURES} pictures at most; start another one when it is done")]
    JobFull,
    #[error("{USER_PICTURES} pictures wait already; go on when some of them are done")]
    UserFull,
    #[error("{USER_JOBS} jobs wait already; go on when some of them are done")]
    TooManyJobs,
}

/// A job with what is not kept in the file.
struct Entry {
    job: Job,
    /// The pictures that it has still to do, until it ends.
    waiting: HashSet<Uuid>,
    /// For previews, where the library needs them; and did they start the job?
    credentials: Option<(Arc<Sender>, bool)>,
    /// Why nothing can be done for now, how often that was so in a row, and until when it is not tried again.
    trouble: Option<String>,
    tries: u32,
    not_before: Option<Instant>,
    /// Pictures that were put off, with the number of those that were done by then, and how often it was so with others done
    /// in between.
    put_off: HashMap<Uuid, (usize, u8)>,
    /// When it had its last turn.
    turn: u64,
}

impl Entry {
    fn new(job: Job) -> Self {
        Self {
            waiting: if job.end.is_none() { job.left.iter().copied().collect() } else { HashSet::new() },
            job,
            credentials: None,
            trouble: None,
            tries: 0,
            not_before: None,
            put_off: HashMap::new(),
            turn: 0,
        }
    }

    /// Counts that a picture is to be put off. Has it a fault of its own?
    fn is_at_fault(&mut self, asset: Uuid) -> bool {
        let (done, times) = self.put_off.entry(asset).or_insert((self.job.done, 1));
        if *done < self.job.done {
            (*done, *times) = (self.job.done, *times + 1);
        }
        *times >= PUT_OFF
    }

    /// Tries that end the job.
    fn last_try(&self) -> u32 {
        let before = |asset| self.put_off.get(asset).is_some_and(|(_, times)| *times > 1);
        if self.job.left.len() <= REST && self.job.left.iter().all(before) { TRIES_OF_REST } else { TRIES }
    }

    /// Puts everything off for a while.
    fn pause(&mut self, why: String, now: Instant) {
        self.trouble = Some(why);
        // Several pictures may have been in hand when it began; that is one try.
        if !self.pauses(now) {
            let pause = FIRST_PAUSE.saturating_mul(1 << self.tries.min(10)).min(LONGEST_PAUSE);
            self.not_before = Some(now + pause);
            self.tries += 1;
        }
    }

    fn pauses(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|until| until > now)
    }

    fn go_on(&mut self) {
        self.trouble = None;
        self.tries = 0;
        self.not_before = None;
    }
}

/// All jobs.
pub(crate) struct JobTable {
    entries: Vec<Entry>,
    /// Do previews come with the credentials of whoever asked for a job?
    as_caller: bool,
    /// Turns so far, and when each user had the last one.
    turns: u64,
    served: HashMap<Uuid, u64>,
    /// Grows with each change of what the file keeps.
    version: u64,
}

/// What there is to do.
pub(crate) enum NextTask {
    /// This.
    Task(Task),
    /// Nothing, until then if it is known.
    Wait(Option<Instant>),
}

impl JobTable {
    pub(crate) fn new(jobs: Vec<Job>, as_caller: bool) -> Self {
        let entries = jobs.into_iter().map(Entry::new).collect();
        Self { entries, as_caller, turns: 0, served: HashMap::new(), version: 0 }
    }

    /// Adds pictures to a job of the caller's, or to a new one, but for those that are to be done already. Gives the job's id,
    /// and whether all of them were.
    pub(crate) fn add(
        &mut self,
        caller: &Caller,
        kind: RerunKind,
        assets: &[Uuid],
        into: Option<Uuid>,
        now: u64,
    ) -> Result<(Uuid, bool), Refusal> {
        let place = into.map(|id| self.open_to(caller.user, kind, id)).transpose()?;
        let first = assets.first().ok_or(Refusal::NothingToDo)?;
        let holder = |id: &Uuid| {
            self.under_way(caller.user).find(|entry| entry.job.kind == kind && entry.waiting.contains(id))
        };
        let mut seen = HashSet::new();
        let fresh: Vec<Uuid> =
            assets.iter().copied().filter(|id| seen.insert(*id) && holder(id).is_none()).collect();
        if fresh.is_empty() {
            let id = into.or_else(|| holder(first).map(|entry| entry.job.id));
            return id.map(|id| (id, true)).ok_or(Refusal::NoSuchJob);
        }
        let waiting: usize = self.under_way(caller.user).map(|entry| entry.job.left.len()).sum();
        let in_job = place.map_or(0, |place| self.entries[place].job.all);
        if in_job + fresh.len() > JOB_PICTURES {
            return Err(Refusal::JobFull);
        }
        if waiting + fresh.len() > USER_PICTURES {
            return Err(Refusal::UserFull);
        }
        let place = match place {
            Some(place) => place,
            None if self.under_way(caller.user).count() >= USER_JOBS => return Err(Refusal::TooManyJobs),
            None => {
                self.entries.push(Entry::new(Job::new(caller.user, kind, now)));
                self.entries.len() - 1
            }
        };
        self.version += 1;
        let entry = &mut self.entries[place];
        entry.job.add(&fresh, caller.elevated);
        entry.waiting.extend(fresh);
        Ok((entry.job.id, false))
    }

    /// The place of a job of the user's that takes more pictures.
    fn open_to(&self, user: Uuid, kind: RerunKind, id: Uuid) -> Result<usize, Refusal> {
        let place = self.place(user, id).ok_or(Refusal::NoSuchJob)?;
        let job = &self.entries[place].job;
        if job.kind != kind {
            return Err(Refusal::OtherKind);
        }
        match job.end {
            None => Ok(place),
            Some(End::Stopped) => Err(Refusal::Stopped),
            Some(_) => Err(Refusal::Ended),
        }
    }

    fn under_way(&self, user: Uuid) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.job.user == user && entry.job.end.is_none())
    }

    fn place(&self, user: Uuid, id: Uuid) -> Option<usize> {
        self.entries.iter().position(|entry| entry.job.id == id && entry.job.user == user)
    }

    /// Hands over credentials of a user for those jobs that wait for some. `started` is the job that they just started.
    pub(crate) fn lend(&mut self, user: Uuid, sender: &Arc<Sender>, started: Option<Uuid>) {
        if !self.as_caller {
            return;
        }
        for entry in &mut self.entries {
            if entry.job.user == user && entry.job.end.is_none() && entry.credentials.is_none() {
                entry.credentials = Some((Arc::clone(sender), started == Some(entry.job.id)));
                // What is told stays until it proves to be over.
                entry.tries = 0;
                entry.not_before = None;
            }
        }
    }

    /// Ends a job of a user's, unless it has ended.
    pub(crate) fn stop(&mut self, user: Uuid, id: Uuid, now: u64) {
        if let Some(place) = self.place(user, id).filter(|place| self.entries[*place].job.end.is_none()) {
            self.end(place, End::Stopped, now);
        }
    }

    fn end(&mut self, place: usize, end: End, now: u64) {
        self.version += 1;
        let entry = &mut self.entries[place];
        entry.job.finish(end, now);
        entry.credentials = None;
        entry.go_on();
        entry.put_off.clear();
        entry.waiting = HashSet::new();
        let Job { id, user, kind, all, done, failed, .. } = entry.job;
        tracing::info!(job = %id, %user, ?kind, all, done, failed, ?end, "a job that does pictures again has ended");
    }

    /// What a user is told of a job.
    pub(crate) fn told(&self, user: Uuid, id: Uuid) -> Option<Value> {
        Some(self.tell(&self.entries[self.place(user, id)?]))
    }

    /// What a user is told of all jobs, the newest first.
    pub(crate) fn told_all(&self, user: Uuid) -> Value {
        let own = self.entries.iter().rev().filter(|entry| entry.job.user == user);
        json!({"jobs": own.map(|entry| self.tell(entry)).collect::<Vec<_>>()})
    }

    fn tell(&self, entry: &Entry) -> Value {
        entry.job.told(self.waits_for_owner(entry), entry.trouble.as_deref())
    }

    fn waits_for_owner(&self, entry: &Entry) -> bool {
        self.as_caller && entry.credentials.is_none()
    }

    /// Pictures that wait for credentials.
    pub(crate) fn waiting_for_owners(&self) -> usize {
        let waiting = self.entries.iter().filter(|entry| self.waits_for_owner(entry));
        waiting.map(|entry| entry.job.left.len()).sum()
    }

    /// Has a job ended, and nobody has a picture of it in hand?
    pub(crate) fn is_settled(&self, id: Uuid) -> bool {
        let job = self.entries.iter().map(|entry| &entry.job).find(|job| job.id == id);
        job.is_none_or(|job| job.end.is_some() && job.left.is_empty())
    }

    /// How a job ended, with why the last picture failed; `None` while it has not.
    pub(crate) fn ended(&self, id: Uuid) -> Option<(End, Option<String>)> {
        let job = self.entries.iter().map(|entry| &entry.job).find(|job| job.id == id)?;
        Some((job.end?, job.message.clone()))
    }

    /// Takes the next picture: of the user who has waited longest, and of that user's jobs the one that has.
    pub(crate) fn next(&mut self, now: Instant) -> NextTask {
        let ready =
            |entry: &&mut Entry| entry.job.has_next() && (!self.as_caller || entry.credentials.is_some());
        let mut until: Option<Instant> = None;
        let mut best: Option<&mut Entry> = None;
        let turn = |entry: &Entry| (self.served.get(&entry.job.user).copied().unwrap_or(0), entry.turn);
        for entry in self.entries.iter_mut().filter(ready) {
            match entry.not_before.filter(|not_before| *not_before > now) {
                Some(not_before) => until = Some(until.map_or(not_before, |until| until.min(not_before))),
                None if best.as_ref().is_none_or(|best| turn(entry) < turn(best)) => best = Some(entry),
                None => {}
            }
        }
        let Some(entry) = best else { return NextTask::Wait(until) };
        let Some(asset) = entry.job.take() else { return NextTask::Wait(until) };
        self.turns += 1;
        entry.turn = self.turns;
        self.served.insert(entry.job.user, self.turns);
        NextTask::Task(Task {
            job: entry.job.id,
            asset,
            caller: Caller { user: entry.job.user, elevated: entry.job.elevated },
            kind: entry.job.kind,
            sender: entry.credentials.as_ref().map(|(sender, _)| Arc::clone(sender)),
        })
    }

    /// Notes what became of a picture. Tells whether it counts as done or failed, if either.
    pub(crate) fn finish(&mut self, task: &Task, outcome: Outcome, now: Instant, time: u64) -> Option<bool> {
        let place = self.entries.iter().position(|entry| entry.job.id == task.job)?;
        let entry = &mut self.entries[place];
        entry.job.worked = time;
        let good = match outcome {
            Outcome::Done => {
                entry.job.done += 1;
                entry.go_on();
                true
            }
            Outcome::Failed(why) => {
                entry.job.failed += 1;
                entry.job.message = Some(why);
                entry.go_on();
                false
            }
            Outcome::Later(why) if entry.job.end.is_none() && entry.is_at_fault(task.asset) => {
                entry.job.failed += 1;
                entry.job.message = Some(why.clone());
                // It may be an outage nevertheless, so the next one waits.
                entry.pause(why, now);
                false
            }
            Outcome::Later(why) => {
                self.put_off(place, task.asset, why, now, time);
                return None;
            }
            Outcome::SignedOut | Outcome::Refused(_) => {
                self.turn_away(place, task, outcome, time);
                return None;
            }
        };
        self.version += 1;
        entry.put_off.remove(&task.asset);
        entry.waiting.remove(&task.asset);
        entry.job.strike(task.asset);
        if entry.job.end.is_none() && entry.job.left.is_empty() {
            let end = if entry.job.done > 0 { End::Done } else { End::Failed };
            self.end(place, end, time);
        }
        Some(good)
    }

    /// Puts a picture off; a job that could do nothing for too long ends.
    fn put_off(&mut self, place: usize, asset: Uuid, why: String, now: Instant, time: u64) {
        let entry = &mut self.entries[place];
        if entry.job.end.is_some() {
            entry.job.strike(asset);
        } else if entry.tries < entry.last_try() || entry.pauses(now) {
            entry.job.put_back(asset);
            entry.pause(why, now);
        } else {
            entry.job.put_back(asset);
            entry.job.message = Some(why);
            self.end(place, End::Failed, time);
        }
    }

    /// Immich gives no preview to the credentials of a task. Other credentials of the same user may do; a key that starts a job
    /// which it may not do would wait for ever.
    fn turn_away(&mut self, place: usize, task: &Task, outcome: Outcome, time: u64) {
        let entry = &mut self.entries[place];
        entry.job.put_back(task.asset);
        // Not those that were handed over since.
        let used = entry
            .credentials
            .as_ref()
            .filter(|(sender, _)| task.sender.as_ref().is_some_and(|used| Arc::ptr_eq(used, sender)));
        let Some((_, started)) = used else { return };
        match outcome {
            Outcome::Refused(words) if *started => {
                entry.job.message = Some(format!("Immich does not give the previews: {words}"));
                self.end(place, End::Refused, time);
            }
            Outcome::Refused(words) => {
                entry.credentials = None;
                entry.trouble = Some(format!("Immich does not give the previews: {words}"));
            }
            _ => {
                entry.credentials = None;
                entry.trouble = Some("Immich asks to log in again before it gives the previews".to_owned());
            }
        }
    }

    /// Ends jobs that wait for their owner in vain; forgets those that ended long ago, and the oldest of too many.
    pub(crate) fn prune(&mut self, now: u64) {
        for place in 0..self.entries.len() {
            let Job { end, created, worked, .. } = self.entries[place].job;
            let is_over = now.saturating_sub(created.max(worked)) >= WAITS;
            if end.is_none() && is_over && self.waits_for_owner(&self.entries[place]) {
                self.entries[place].job.message = Some("nobody came back for it".to_owned());
                self.end(place, End::Failed, now);
            }
        }
        let mut of_user: HashMap<Uuid, usize> = HashMap::new();
        let mut all = 0;
        let mut kept: Vec<bool> = self
            .entries
            .iter()
            .rev()
            .map(|entry| {
                let Some(ended) = entry.job.ended else { return true };
                let of_user = of_user.entry(entry.job.user).or_default();
                // A clock that was set back must not keep them for ever.
                if now.abs_diff(ended) >= KEPT || *of_user >= ENDED_OF_USER || all >= ENDED {
                    return false;
                }
                *of_user += 1;
                all += 1;
                true
            })
            .collect();
        self.version += u64::from(kept.contains(&false));
        // From back to front, as the newest were counted first.
        self.entries.retain(|_| kept.pop().unwrap_or(true));
        let entries = &self.entries;
        self.served.retain(|user, _| entries.iter().any(|entry| entry.job.user == *user));
    }

    /// The number of what the file keeps.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// What the file keeps.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        self.entries.iter().map(|entry| entry.job.clone()).collect()
    }

    /// Pictures still to do.
    pub(crate) fn waiting(&self, kind: RerunKind) -> usize {
        let jobs = self.entries.iter().map(|entry| &entry.job);
        jobs.filter(|job| job.kind == kind).map(|job| job.left.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: RerunKind = RerunKind::Ocr;

    fn caller(user: u128) -> Caller {
        Caller { user: Uuid::from_u128(user), elevated: false }
    }

    fn pictures(from: usize, count: usize) -> Vec<Uuid> {
        (from..from + count).map(|number| Uuid::from_u128(number as u128)).collect()
    }

    fn task(table: &mut JobTable, now: Instant) -> Task {
        match table.next(now) {
            NextTask::Task(task) => task,
            NextTask::Wait(until) => panic!("nothing to do until {until:?}"),
        }
    }

    #[test]
    fn nobody_has_too_much_to_do() {
        let mut table = JobTable::new(Vec::new(), false);
        let user = caller(1);
        let (first, _) = table.add(&user, KIND, &pictures(0, JOB_PICTURES), None, 0).unwrap();
        let another = pictures(JOB_PICTURES, JOB_PICTURES);
        assert_eq!(table.add(&user, KIND, &another[..1], Some(first), 0), Err(Refusal::JobFull));
        assert!(table.add(&user, KIND, &another, None, 0).is_ok());
        let more = pictures(2 * JOB_PICTURES, 1);
        assert_eq!(table.add(&user, KIND, &more, None, 0), Err(Refusal::UserFull));
        assert_eq!(table.add(&user, KIND, &another[..1], None, 0).map(|added| added.1), Ok(true));
        // Others have room, and so has who stops something.
        assert!(table.add(&caller(2), KIND, &more, None, 0).is_ok());
        table.stop(user.user, first, 0);
        for job in 0..USER_JOBS - 1 {
            assert!(table.add(&user, KIND, &pictures(1_000_000 + job, 1), None, 0).is_ok());
        }
        assert_eq!(table.add(&user, KIND, &more, None, 0), Err(Refusal::TooManyJobs));
        assert_eq!(table.add(&user, KIND, &[], None, 0), Err(Refusal::NothingToDo));
    }

    #[test]
    fn ended_jobs_are_forgotten() {
        let mut table = JobTable::new(Vec::new(), false);
        let add = |table: &mut JobTable, user: u128, number: usize, ended: Option<u64>| {
            let (id, _) = table.add(&caller(user), KIND, &pictures(number, 1), None, 0).unwrap();
            if let Some(ended) = ended {
                table.stop(caller(user).user, id, ended);
            }
            id
        };
        let running = add(&mut table, 1, 0, None);
        let old = add(&mut table, 1, 1, Some(1000));
        let ids: Vec<_> = (0..30).map(|number| add(&mut table, 1, number + 2, Some(1001))).collect();
        let other = add(&mut table, 2, 1, Some(1001));
        table.prune(1000 + KEPT);
        let has = |table: &JobTable, user: u128, id: Uuid| table.told(caller(user).user, id).is_some();
        assert!(has(&table, 1, running) && has(&table, 2, other) && !has(&table, 1, old));
        let kept: Vec<bool> = ids.iter().map(|id| has(&table, 1, *id)).collect();
        assert_eq!(kept, [vec![false; 10], vec![true; 20]].concat());
        table.prune(1001 + KEPT);
        assert_eq!(table.jobs().len(), 1);
        for user in 0..60 {
            for number in 0..20 {
                add(&mut table, 100 + user, number, Some(9000));
            }
        }
        table.prune(9000);
        assert_eq!(table.jobs().len(), ENDED + 1);
    }

    #[test]
    fn pauses_grow_up_to_a_minute_and_end_after_a_day() {
        let mut table = JobTable::new(Vec::new(), false);
        let (id, _) = table.add(&caller(1), KIND, &pictures(0, 2), None, 0).unwrap();
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..TRIES {
            let both = [task(&mut table, now), task(&mut table, now)];
            for task in &both {
                assert_eq!(table.finish(task, Outcome::Later("away".to_owned()), now, 0), None);
            }
            let NextTask::Wait(Some(until)) = table.next(now) else { panic!("it does not pause") };
            pauses.push((until - now).as_millis());
            now = until;
        }
        assert_eq!(pauses[..9], [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
        assert_eq!(table.ended(id), None);
        let last = task(&mut table, now);
        table.finish(&last, Outcome::Later("away".to_owned()), now, 0);
        assert_eq!(table.ended(id), Some((End::Failed, Some("away".to_owned()))));
        assert!(matches!(table.next(now), NextTask::Wait(None)));
    }

    /// Does all pictures of a job, one after the other, some of them in vain; gives their order.
    fn run(table: &mut JobTable, id: Uuid, mut now: Instant, in_vain: impl Fn(u128) -> bool) -> Vec<u128> {
        let mut order = Vec::new();
        while table.ended(id).is_none() {
            let task = task(table, now);
            order.push(task.asset.as_u128());
            let outcome = if in_vain(task.asset.as_u128()) {
                Outcome::Later("no memory".to_owned())
            } else {
                Outcome::Done
            };
            table.finish(&task, outcome, now, 0);
            now += LONGEST_PAUSE;
        }
        order
    }

    #[test]
    fn a_picture_that_is_put_off_again_and_again_while_others_are_done_has_failed() {
        let mut table = JobTable::new(Vec::new(), false);
        let (id, _) = table.add(&caller(1), KIND, &pictures(0, 2), None, 0).unwrap();
        let mut now = Instant::now();
        let failing = || Outcome::Later("no memory".to_owned());
        for (asset, outcome, counted, more) in [
            (0, failing(), None, 0),
            (1, Outcome::Done, Some(true), 2),
            (0, failing(), None, 0),
            (2, Outcome::Done, Some(true), 3),
            (0, failing(), Some(false), 0),
        ] {
            let task = task(&mut table, now);
            assert_eq!(task.asset.as_u128(), asset);
            if more > 0 {
                // Behind the one that was put off.
                table.add(&caller(1), KIND, &pictures(more, 1), Some(id), 0).unwrap();
            }
            assert_eq!(table.finish(&task, outcome, now, 0), counted);
            // Even if it has failed, what comes after it waits a while.
            assert_eq!(table.entries[0].pauses(now), asset == 0);
            now += LONGEST_PAUSE;
        }
        let last = task(&mut table, now);
        table.finish(&last, Outcome::Done, now, 0);
        let told = table.told(caller(1).user, id).unwrap();
        assert_eq!(
            (&told["done"], &told["failed"], &told["message"], &told["state"]),
            (&json!(3), &json!(1), &json!("no memory"), &json!("done"))
        );
    }

    #[test]
    fn the_rest_of_a_job_is_tried_for_an_hour() {
        let mut table = JobTable::new(Vec::new(), false);
        let (id, _) = table.add(&caller(1), KIND, &pictures(0, 3), None, 0).unwrap();
        let order = run(&mut table, id, Instant::now(), |asset| asset == 0);
        assert_eq!(order[..4], [0, 1, 2, 0]);
        assert!(order[3..].iter().all(|asset| *asset == 0));
        assert_eq!(order.len(), 3 + TRIES_OF_REST as usize + 1);
        assert_eq!(table.ended(id), Some((End::Failed, Some("no memory".to_owned()))));
    }

    #[test]
    fn two_outages_fail_no_picture() {
        let mut table = JobTable::new(Vec::new(), false);
        let (id, _) = table.add(&caller(1), KIND, &pictures(0, 40), None, 0).unwrap();
        let mut now = Instant::now();
        let mut outage = |table: &mut JobTable, tries: usize| {
            for _ in 0..tries {
                let task = task(table, now);
                assert_eq!(table.finish(&task, Outcome::Later("away".to_owned()), now, 0), None);
                assert!(matches!(table.next(now), NextTask::Wait(Some(_))));
                now += LONGEST_PAUSE;
            }
            for _ in 0..20 {
                let task = task(table, now);
                assert_eq!(table.finish(&task, Outcome::Done, now, 0), Some(true));
            }
        };
        // The second one meets those that the first one put off.
        outage(&mut table, 30);
        outage(&mut table, 200);
        let told = table.told(caller(1).user, id).unwrap();
        assert_eq!((&told["done"], &told["failed"], &told["state"]), (&json!(40), &json!(0), &json!("done")));
    }

    #[test]
    fn a_job_that_nobody_comes_back_for_ends() {
        let mut job = Job::new(caller(1).user, KIND, 1000);
        job.add(&pictures(0, 3), false);
        let mut worked = job.clone();
        (worked.id, worked.worked) = (Uuid::from_u128(9), 5000);
        for as_caller in [true, false] {
            let mut table = JobTable::new(vec![job.clone(), worked.clone()], as_caller);
            assert_eq!(table.waiting_for_owners(), if as_caller { 6 } else { 0 });
            let told = table.told(caller(1).user, job.id).unwrap();
            assert_eq!(told["state"], if as_caller { "waiting" } else { "running" });
            table.prune(1000 + WAITS - 1);
            assert!(table.jobs().iter().all(|job| job.end.is_none()));
            table.prune(1000 + WAITS);
            let ended = as_caller.then(|| (End::Failed, Some("nobody came back for it".to_owned())));
            assert_eq!((table.ended(job.id), table.ended(worked.id)), (ended, None));
            assert!(!as_caller || table.jobs()[0].left.is_empty());
        }
    }
}
