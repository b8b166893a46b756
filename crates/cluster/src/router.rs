//! The backend that gives each task to an engine.
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use viewfinder_core::{
    AnswerFuture, Backend, EngineStatus, ErrorCode, NodeStatus, PictureAnswer, PictureRequest, PictureTask,
    SentenceRequest, TaskError, label, trace::in_current_context,
};

use crate::{
    balance::{self, WorkKind},
    engine_client::{AttemptError, EngineClient, LocalEngine},
    engine_state::{EngineState, watch as watch_member},
    health::Thresholds,
    hold::{HeldRequest, HoldLimits, HoldQueue},
    metric,
    retry::RetryState,
    route::{LOCAL, Route, Routes},
};

/// An engine that is up and could not take a picture is asked again after this, and then after twice as long each time.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
/// But no longer than this, so that an engine with room is soon put to use.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How the router decides.
#[derive(Clone, Debug)]
pub struct RouterConfig {
    /// Which engines each task may be given to.
    pub routes: Routes,
    /// When an engine counts as down, and as up again.
    pub thresholds: Thresholds,
    /// Bounds on pictures that wait for an engine.
    pub hold: HoldLimits,
}

/// Gives tasks to engines.
pub struct Router {
    local: Arc<dyn Backend>,
    engines: BTreeMap<String, Arc<EngineState>>,
    routes: Routes,
    hold: HoldQueue,
    /// Counts changes of engines' states.
    news: watch::Sender<u64>,
}

impl Router {
    /// Starts probing the nodes. Must be called within a Tokio runtime.
    pub fn start(
        local: Arc<dyn Backend>,
        nodes: Vec<(String, Arc<dyn EngineClient>)>,
        config: RouterConfig,
    ) -> Self {
        metric::describe();
        let news = watch::Sender::new(0);
        let member =
            |name: &str, engine| Arc::new(EngineState::new(name, engine, config.thresholds, news.clone()));
        let mut engines = BTreeMap::new();
        for (name, engine) in nodes {
            let member = member(&name, engine);
            tokio::spawn(watch_member(Arc::downgrade(&member)));
            engines.insert(name, member);
        }
        let engine: Arc<dyn EngineClient> = Arc::new(LocalEngine(Arc::clone(&local)));
        engines.insert(LOCAL.to_owned(), member(LOCAL, engine));
        let hold = HoldQueue::new(config.hold);
        Self { local, engines, routes: config.routes, hold, news }
    }

    /// The engine to ask next: of the best rank that has one which is up, was not asked yet, and may do what is open.
    fn choose(
        &self,
        route: &Route,
        attempt: &RetryState,
        tasks: &[PictureTask],
    ) -> Option<&Arc<EngineState>> {
        let kind = WorkKind::of(attempt.open().map(|at| &tasks[at]));
        route.iter().find_map(|rank| {
            let engines: Vec<_> = rank
                .iter()
                .filter_map(|name| self.engines.get(name))
                .filter(|member| member.is_up() && attempt.may_ask(&member.name))
                .collect();
            let loads: Vec<_> = engines.iter().map(|member| &member.load).collect();
            balance::choose(&loads, kind).map(|index| engines[index])
        })
    }

    /// Tasks of one route: given to engines, and held, until they are answered or nothing can help.
    async fn give(&self, request: PictureRequest, route: &Route) -> Result<PictureAnswer, TaskError> {
        let deadline = Instant::now() + self.hold.limits.time;
        let engines: Vec<_> = route.iter().flatten().filter_map(|name| self.engines.get(name)).collect();
        let mut news = self.news.subscribe();
        let mut held: Option<HeldRequest<'_>> = None;
        let mut attempt = RetryState::new(request.tasks.len());
        let mut pause = SHORTEST_PAUSE;
        loop {
            news.mark_unchanged();
            while let Some(member) = self.choose(route, &attempt, &request.tasks) {
                attempt.ask(member, &request).await;
            }
            attempt.settle(&engines);
            if attempt.open().next().is_none() {
                if let Some(held) = &mut held {
                    held.taken();
                }
                return attempt.end();
            }
            if held.is_none() {
                match self.hold.enter(request.bytes.len(), attempt.obstacle()) {
                    Ok(place) => held = Some(place),
                    Err(error) => return attempt.give_up(&error),
                }
            }
            // One that is full, or failed once, is asked again soon; those that are down tell when they are back.
            let soon = engines.iter().any(|member| member.is_up() && attempt.suits(&member.name));
            let wait = if soon { pause } else { self.hold.limits.time };
            tokio::select! {
                _ = news.changed() => pause = SHORTEST_PAUSE,
                () = sleep_until(deadline.min(Instant::now() + wait)) => pause = LONGEST_PAUSE.min(2 * pause),
            }
            if Instant::now() >= deadline {
                if let Some(held) = &mut held {
                    held.expired();
                }
                let message = format!("no engine could take the picture in time: {}", attempt.obstacle());
                return attempt.give_up(&TaskError::new(ErrorCode::Busy, message));
            }
            attempt.ask_again();
        }
    }

    /// Asks engines for a sentence's vector, the next one whenever one fails or is slower than usual.
    async fn ask_for_sentence(&self, request: SentenceRequest) -> Result<Vec<f32>, TaskError> {
        let route = self.routes.of(label::TEXTUAL, &request.model);
        let (up, down): (Vec<_>, Vec<_>) = route
            .iter()
            .flatten()
            .filter_map(|name| self.engines.get(name))
            .partition(|member| member.is_up());
        // Should none be up, one may have come back a moment ago.
        let mut waiting = up.into_iter().chain(down.into_iter().take(1)).cloned();
        let mut running = JoinSet::new();
        let mut last = TaskError::new(ErrorCode::Busy, "no engine for sentences is up");
        let mut reason = None;
        let mut patience = Duration::ZERO;
        loop {
            let slow = match timeout(patience, running.join_next()).await {
                Ok(Some(Ok((hedge, Ok(vector))))) => {
                    if hedge {
                        metric::hedge_won();
                    }
                    return Ok(vector);
                }
                Ok(Some(Ok((_, Err(AttemptError { error, class }))))) => {
                    reason = Some(class);
                    last = error;
                    false
                }
                Ok(Some(Err(error))) => {
                    last = TaskError::new(ErrorCode::Internal, error);
                    false
                }
                Ok(None) => false,
                Err(_) => true,
            };
            if let Some(member) = waiting.next() {
                if slow {
                    metric::hedged();
                } else if let Some(reason) = reason.take() {
                    metric::retried(reason.as_str());
                }
                patience = member.hedge_after();
                let request = request.clone();
                running.spawn(in_current_context(async move { (slow, member.sentence(request).await) }));
            } else if running.is_empty() {
                return Err(last);
            } else {
                patience = self.hold.limits.time;
            }
        }
    }
}

impl Router {
    /// Is it this process that gets a task of this route first, as things are?
    fn is_local(&self, route: &Route) -> bool {
        let mut names = route.iter().flatten();
        let first = names.find(|name| self.engines.get(*name).is_some_and(|member| member.is_up()));
        first.is_some_and(|name| name == LOCAL)
    }
}

impl Backend for Router {
    fn picture(&self, request: PictureRequest) -> AnswerFuture<'_, PictureAnswer> {
        Box::pin(async move {
            // Tasks that go the same way go together: the picture travels once.
            let mut groups: Vec<(&Route, Vec<usize>)> = Vec::new();
            for (index, task) in request.tasks.iter().enumerate() {
                let (name, model) = (task.label(), task.model());
                let route = self.routes.of(name, model);
                match groups.iter_mut().find(|(known, _)| *known == route) {
                    Some((_, tasks)) => tasks.push(index),
                    None => groups.push((route, vec![index])),
                }
            }
            let parts = groups.iter().map(|(route, tasks)| {
                let tasks: Vec<PictureTask> =
                    tasks.iter().map(|&index| request.tasks[index].clone()).collect();
                self.give(PictureRequest { tasks, ..request.clone() }, route)
            });
            merge(request.tasks.len(), &groups, join_all(parts).await)
        })
    }

    fn sentence(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>> {
        Box::pin(self.ask_for_sentence(request))
    }

    fn sentence_at_hand(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>> {
        if self.is_local(self.routes.of(label::TEXTUAL, &request.model)) {
            return self.local.sentence_at_hand(request);
        }
        self.sentence(request)
    }

    fn lacks(&self, task: PictureTask) -> AnswerFuture<'_, bool> {
        if self.is_local(self.routes.of(task.label(), task.model())) {
            return self.local.lacks(task);
        }
        // Nodes look after their networks themselves.
        Box::pin(async { Ok(false) })
    }

    fn fetch(&self, task: PictureTask) -> AnswerFuture<'_, ()> {
        self.local.fetch(task)
    }

    fn status(&self) -> EngineStatus {
        self.local.status()
    }

    fn nodes(&self) -> Vec<NodeStatus> {
        let others = self.engines.values().filter(|member| member.name != LOCAL);
        others
            .map(|member| NodeStatus {
                name: member.name.clone(),
                up: member.is_up(),
                in_flight: member.load.in_flight(),
            })
            .collect()
    }

    fn unload(&self) {
        self.local.unload();
    }
}

/// Puts the answers of the groups back into the order of the tasks; an error if no group has any.
fn merge(
    tasks: usize,
    groups: &[(&Route, Vec<usize>)],
    parts: Vec<Result<PictureAnswer, TaskError>>,
) -> Result<PictureAnswer, TaskError> {
    if let Some(Err(error)) = parts.first()
        && parts.iter().all(Result::is_err)
    {
        return Err(error.clone());
    }
    let nothing = || Err(TaskError::new(ErrorCode::Internal, "a task got no answer"));
    let mut merged = PictureAnswer { width: 0, height: 0, answers: (0..tasks).map(|_| nothing()).collect() };
    for ((_, indices), part) in groups.iter().zip(parts) {
        match part {
            Ok(part) => {
                (merged.width, merged.height) = (part.width, part.height);
                for (&index, answer) in indices.iter().zip(part.answers) {
                    merged.answers[index] = answer;
                }
            }
            Err(error) => indices.iter().for_each(|&index| merged.answers[index] = Err(error.clone())),
        }
    }
    Ok(merged)
}
