//! The backend that gives each task to an engine.
use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use viewfinder_engine::{
    Answer, EngineError, EngineStatus, ErrorCode, PictureAnswer, PictureRequest, PictureTask, SentenceRequest,
};
use viewfinder_gateway::{Backend, NodeStatus, Reply};
use viewfinder_trace::carried;

use crate::{
    answers::{Answers, Local, Trouble, Verdict},
    balance,
    health::Thresholds,
    hold::{Hold, HoldLimits},
    member::{Member, watch as watch_member},
    route::{LOCAL, Route, Routes, TEXTUAL, describe},
};

/// An engine that is up and could not take a picture is asked again after this.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

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
    members: BTreeMap<String, Arc<Member>>,
    routes: Routes,
    hold: Hold,
    /// Counts changes of engines' states.
    news: watch::Sender<u64>,
    turn: AtomicUsize,
}

/// What became of a request so far.
struct Course {
    /// Answers by task; those without are still wanted.
    answers: Vec<Option<Answer>>,
    width: usize,
    height: usize,
    /// Engines asked since the last pause.
    asked: HashSet<String>,
    /// Engines that cannot do it at all.
    unsuited: HashSet<String>,
    /// What engines held against the picture.
    complaints: Vec<EngineError>,
    /// What stood in the way last.
    last: EngineError,
}

impl Router {
    /// Starts probing the nodes. Must be called within a Tokio runtime.
    pub fn start(
        local: Arc<dyn Backend>,
        nodes: Vec<(String, Arc<dyn Answers>)>,
        config: RouterConfig,
    ) -> Self {
        let news = watch::Sender::new(0);
        let member =
            |name: &str, engine| Arc::new(Member::new(name, engine, config.thresholds, news.clone()));
        let mut members = BTreeMap::new();
        for (name, engine) in nodes {
            let member = member(&name, engine);
            tokio::spawn(watch_member(Arc::downgrade(&member)));
            members.insert(name, member);
        }
        let engine: Arc<dyn Answers> = Arc::new(Local(Arc::clone(&local)));
        members.insert(LOCAL.to_owned(), member(LOCAL, engine));
        let hold = Hold::new(config.hold);
        Self { local, members, routes: config.routes, hold, news, turn: AtomicUsize::new(0) }
    }

    /// The engine to ask next: of the best rank that has one which is up and was not asked yet.
    fn choose(&self, route: &Route, course: &Course) -> Option<&Arc<Member>> {
        route.iter().find_map(|rank| {
            let fit = |name: &&String| !course.asked.contains(*name) && !course.unsuited.contains(*name);
            let members: Vec<_> = rank
                .iter()
                .filter(fit)
                .filter_map(|name| self.members.get(name))
                .filter(|member| member.is_up())
                .collect();
            let loads: Vec<_> = members.iter().map(|member| &member.load).collect();
            balance::choose(&loads, self.turn.fetch_add(1, Ordering::Relaxed)).map(|index| members[index])
        })
    }

    /// Is there an engine that can do it at all, and is one of those up?
    fn prospects(&self, route: &Route, course: &Course) -> (bool, bool) {
        let able = route.iter().flatten().filter(|name| !course.unsuited.contains(*name));
        let members: Vec<_> = able.filter_map(|name| self.members.get(name)).collect();
        (!members.is_empty(), members.iter().any(|member| member.is_up()))
    }

    /// Tasks of one route: given to engines, and held, until they are answered or nothing can help.
    async fn give(&self, request: PictureRequest, route: &Route) -> Result<PictureAnswer, EngineError> {
        let deadline = Instant::now() + self.hold.limits.time;
        let mut news = self.news.subscribe();
        let mut held = None;
        let mut course = Course::new(request.tasks.len());
        loop {
            news.mark_unchanged();
            while let Some(member) = self.choose(route, &course) {
                course.asked.insert(member.name.clone());
                match course.ask(member, &request).await {
                    None => return course.end(),
                    Some(Verdict::Unsuited) => drop(course.unsuited.insert(member.name.clone())),
                    Some(Verdict::BadPicture | Verdict::Busy | Verdict::Sick) => {}
                }
                // Two engines agree that it is the picture.
                if course.complaints.len() > 1 {
                    break;
                }
            }
            let (hope, soon) = self.prospects(route, &course);
            if !course.complaints.is_empty() || !hope {
                return course.end();
            }
            if held.is_none() {
                match self.hold.enter(request.bytes.len(), &course.last) {
                    Ok(place) => held = Some(place),
                    Err(error) => {
                        course.last = error;
                        return course.end();
                    }
                }
            }
            // One that is full, or failed once, is asked again soon; those that are down tell when they are back.
            let pause = if soon { RETRY_PAUSE } else { self.hold.limits.time };
            tokio::select! {
                _ = news.changed() => {}
                () = sleep_until(deadline.min(Instant::now() + pause)) => {}
            }
            if Instant::now() >= deadline {
                let message = format!("no engine could take the picture in time: {}", course.last);
                course.last = EngineError::new(ErrorCode::Busy, message);
                return course.end();
            }
            course.asked.clear();
        }
    }

    /// Asks engines for a sentence's vector, the next one whenever one fails or is slower than usual.
    async fn ask_for_sentence(&self, request: SentenceRequest) -> Result<Vec<f32>, EngineError> {
        let route = self.routes.of(TEXTUAL, &request.model);
        let (up, down): (Vec<_>, Vec<_>) = route
            .iter()
            .flatten()
            .filter_map(|name| self.members.get(name))
            .partition(|member| member.is_up());
        // Should none be up, one may have come back a moment ago.
        let mut waiting = up.into_iter().chain(down.into_iter().take(1)).cloned();
        let mut running = JoinSet::new();
        let mut last = EngineError::new(ErrorCode::Busy, "no engine for sentences is up");
        let mut patience = Duration::ZERO;
        loop {
            match timeout(patience, running.join_next()).await {
                Ok(Some(Ok(Ok(vector)))) => return Ok(vector),
                Ok(Some(Ok(Err(Trouble { error, .. })))) => last = error,
                Ok(Some(Err(error))) => last = EngineError::new(ErrorCode::Internal, error),
                Ok(None) | Err(_) => {}
            }
            if let Some(member) = waiting.next() {
                patience = member.hedge_after();
                let request = request.clone();
                running.spawn(carried(async move { member.sentence(request).await }));
            } else if running.is_empty() {
                return Err(last);
            } else {
                patience = self.hold.limits.time;
            }
        }
    }
}

impl Course {
    fn new(tasks: usize) -> Self {
        Self {
            answers: (0..tasks).map(|_| None).collect(),
            width: 0,
            height: 0,
            asked: HashSet::new(),
            unsuited: HashSet::new(),
            complaints: Vec::new(),
            last: EngineError::new(ErrorCode::Busy, "no engine for this task is up"),
        }
    }

    /// Asks one engine for what is still wanted, and says what stands in the way of the rest; none if nothing is missing.
    async fn ask(&mut self, member: &Member, request: &PictureRequest) -> Option<Verdict> {
        let wanted: Vec<usize> =
            (0..request.tasks.len()).filter(|&index| self.answers[index].is_none()).collect();
        let tasks = wanted.iter().map(|&index| request.tasks[index].clone()).collect();
        let found = match member.picture(PictureRequest { tasks, ..request.clone() }).await {
            Ok(found) => found,
            Err(trouble) => return Some(self.failed(trouble)),
        };
        (self.width, self.height) = (found.width, found.height);
        let mut verdict = None;
        for (index, answer) in wanted.into_iter().zip(found.answers) {
            match answer {
                Ok(answer) => self.answers[index] = Some(answer),
                Err(error) => verdict = Some(self.failed(Trouble::of(error))),
            }
        }
        verdict
    }

    fn failed(&mut self, Trouble { error, verdict }: Trouble) -> Verdict {
        if verdict == Verdict::BadPicture {
            self.complaints.push(error.clone());
        }
        self.last = error;
        verdict
    }

    /// Whatever was answered, and for the rest the reason; an error if nothing was.
    fn end(mut self) -> Result<PictureAnswer, EngineError> {
        let why = if self.complaints.is_empty() { self.last } else { self.complaints.swap_remove(0) };
        if self.answers.iter().all(Option::is_none) {
            return Err(why);
        }
        let answers = self.answers.into_iter().map(|answer| answer.ok_or_else(|| why.clone())).collect();
        Ok(PictureAnswer { width: self.width, height: self.height, answers })
    }
}

impl Backend for Router {
    fn picture(&self, request: PictureRequest) -> Reply<'_, PictureAnswer> {
        Box::pin(async move {
            // Tasks that go the same way go together: the picture travels once.
            let mut groups: Vec<(&Route, Vec<usize>)> = Vec::new();
            for (index, task) in request.tasks.iter().enumerate() {
                let (name, model) = describe(task);
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

    fn sentence(&self, request: SentenceRequest) -> Reply<'_, Vec<f32>> {
        Box::pin(self.ask_for_sentence(request))
    }

    fn status(&self) -> EngineStatus {
        self.local.status()
    }

    fn nodes(&self) -> Vec<NodeStatus> {
        let others = self.members.values().filter(|member| member.name != LOCAL);
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
    parts: Vec<Result<PictureAnswer, EngineError>>,
) -> Result<PictureAnswer, EngineError> {
    if let Some(Err(error)) = parts.first()
        && parts.iter().all(Result::is_err)
    {
        return Err(error.clone());
    }
    let nothing = || Err(EngineError::new(ErrorCode::Internal, "a task got no answer"));
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
