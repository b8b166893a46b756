//! One engine as the router sees it: what it has to do, how it is, how fast it answers.
use std::{
    collections::VecDeque,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use viewfinder_core::{ErrorCode, PictureAnswer, PictureRequest, SentenceRequest, TaskError};

use metrics::Gauge;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    balance::{InFlight, Load, WorkKind},
    engine_client::{AttemptError, EngineClient, FailureClass},
    health::{Health, Thresholds},
    metric,
    route::LOCAL,
};

/// How often a well engine is probed.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// How often one that is down is probed: after two good answers it gets the next piece of work, within two seconds of its
/// return. One that just failed, too: if it is frozen, what it has in flight can only be done elsewhere.
const PROBE_INTERVAL_DOWN: Duration = Duration::from_millis(600);
/// How long a probe may take.
const PROBE_TIME: Duration = Duration::from_secs(2);

/// Sentences whose times are remembered.
const REMEMBERED: usize = 64;
/// A sentence is asked of a second engine after this, until enough times are known.
const USUAL_SENTENCE: Duration = Duration::from_millis(300);
/// Sooner than this is not worth a second engine's work.
const QUICKEST_HEDGE: Duration = Duration::from_millis(30);

pub(crate) struct EngineState {
    pub(crate) name: String,
    pub(crate) engine: Arc<dyn EngineClient>,
    pub(crate) load: Load,
    health: Mutex<Health>,
    /// Whether it is up, for those who wait on its answer.
    up: watch::Sender<bool>,
    /// Counts changes of all engines' states, for pictures that are held.
    news: watch::Sender<u64>,
    sentence_times: Mutex<VecDeque<Duration>>,
    /// Pieces of work that it did.
    done: AtomicU64,
    in_flight: Gauge,
}

/// A question that it is working on, until dropped.
struct InFlightRequest<'a> {
    member: &'a EngineState,
    place: InFlight<'a>,
    kind: WorkKind,
    started: Instant,
}

impl EngineState {
    pub(crate) fn new(
        name: &str,
        engine: Arc<dyn EngineClient>,
        thresholds: Thresholds,
        news: watch::Sender<u64>,
    ) -> Self {
        metric::up(name, true);
        let in_flight = metric::in_flight(name);
        in_flight.set(0.0);
        Self {
            name: name.to_owned(),
            engine,
            load: Load::default(),
            health: Mutex::new(Health::new(thresholds)),
            up: watch::Sender::new(true),
            news,
            sentence_times: Mutex::default(),
            done: AtomicU64::new(0),
            in_flight,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// How many pieces of work it did.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// How long until it is looked at again.
    fn pause(&self) -> Duration {
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        jittered(if health.is_up() && health.is_settled() { PROBE_INTERVAL } else { PROBE_INTERVAL_DOWN })
    }

    /// Takes in how it fared; `why` is for the log.
    fn record_result(&self, well: bool, why: &dyn std::fmt::Display) {
        // What runs in this process cannot be away.
        if self.name == LOCAL {
            return;
        }
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if !health.record_result(well) {
            return;
        }
        self.up.send_replace(health.is_up());
        self.news.send_modify(|count| *count += 1);
        metric::up(&self.name, well);
        if well {
            tracing::info!(engine = self.name, "the engine is back");
        } else {
            tracing::warn!(engine = self.name, reason = %why, "the engine is down; others get its work");
        }
    }

    fn begin(&self, kind: WorkKind) -> InFlightRequest<'_> {
        self.in_flight.increment(1.0);
        InFlightRequest { member: self, place: self.load.start(kind), kind, started: Instant::now() }
    }

    /// Gives it work. Ends early if it goes down meanwhile: a frozen machine answers nothing, and refuses nothing.
    pub(crate) async fn picture(&self, request: PictureRequest) -> Result<PictureAnswer, AttemptError> {
        let work = self.begin(WorkKind::of(&request.tasks));
        let mut up = self.up.subscribe();
        up.mark_unchanged();
        let mut result = tokio::select! {
            result = self.engine.picture(request) => result,
            _ = up.wait_for(|up| !up), if self.is_up() => Err(AttemptError {
                error: TaskError::new(ErrorCode::Busy, format!("{} went away during the work", self.name)),
                class: FailureClass::Sick,
            }),
        };
        let found = result.as_mut().map(|found| &mut found.answers);
        let errors = found.into_iter().flatten().filter_map(|answer| answer.as_mut().err());
        // An answer that holds failures says little about how fast it works.
        let flaw = errors.map(|error| self.sign(error)).last();
        self.end(&work, &mut result, flaw);
        result
    }

    /// Asks for a sentence's vector.
    pub(crate) async fn sentence(&self, request: SentenceRequest) -> Result<Vec<f32>, AttemptError> {
        let work = self.begin(WorkKind::SENTENCE);
        let mut result = self.engine.sentence(request).await;
        self.end(&work, &mut result, None);
        if result.is_ok() {
            let mut times = self.sentence_times.lock().unwrap_or_else(PoisonError::into_inner);
            times.push_back(work.started.elapsed());
            if times.len() > REMEMBERED {
                times.pop_front();
            }
        }
        result
    }

    /// How long to wait for a sentence before another engine is asked too: longer than 95 in 100 took.
    pub(crate) fn hedge_after(&self) -> Duration {
        let times = self.sentence_times.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() < 16 {
            return USUAL_SENTENCE;
        }
        let mut sorted: Vec<Duration> = times.iter().copied().collect();
        sorted.sort_unstable();
        sorted[sorted.len() * 95 / 100].max(QUICKEST_HEDGE)
    }

    /// Notes what an answer says of it. `flaw` is what a task in it failed with.
    fn end<T>(
        &self,
        work: &InFlightRequest<'_>,
        result: &mut Result<T, AttemptError>,
        flaw: Option<ErrorCode>,
    ) {
        let outcome = if let Err(trouble) = result {
            self.record_result(
                !matches!(trouble.class, FailureClass::Crashed | FailureClass::Sick),
                &trouble.error,
            );
            Some(self.sign(&mut trouble.error))
        } else {
            self.record_result(true, &"");
            flaw
        };
        metric::asked(&self.name, outcome.map_or("ok", ErrorCode::as_str));
        if outcome.is_none() {
            let took = work.started.elapsed();
            work.place.done(took);
            self.done.fetch_add(1, Ordering::Relaxed);
            work.kind.tasks().for_each(|task| metric::answered(&self.name, task, took));
        }
    }

    /// Says that it was this one who said so, and answers what.
    fn sign(&self, error: &mut TaskError) -> ErrorCode {
        if self.name != LOCAL {
            error.node = Some(self.name.clone());
        }
        error.code
    }
}

impl Drop for InFlightRequest<'_> {
    fn drop(&mut self) {
        self.member.in_flight.decrement(1.0);
    }
}

/// Probes an engine until the router is gone.
pub(crate) async fn watch(member: Weak<EngineState>) {
    loop {
        let Some(now) = member.upgrade() else { return };
        let pause = now.pause();
        let mut up = now.up.subscribe();
        drop(now);
        tokio::select! {
            () = sleep(pause) => {}
            // Work that failed has taken it down: from now on it is watched more closely.
            Ok(()) = up.changed() => continue,
        }
        let Some(member) = member.upgrade() else { return };
        match timeout(PROBE_TIME, member.engine.probe()).await {
            Ok(Ok(())) => member.record_result(true, &""),
            Ok(Err(trouble)) => member.record_result(false, &trouble.error),
            Err(_) => member.record_result(false, &"it does not answer"),
        }
    }
}

/// A fifth more or less, so that many routers do not probe in step.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    pause.mul_f64(0.8 + random as f64 / 2500.0)
}
