//! What becomes of one picture's tasks on their way from engine to engine.
use std::{collections::HashSet, sync::Arc};
use viewfinder_core::{Answer, ErrorCode, PictureAnswer, PictureRequest, TaskError};

use crate::{
    engine_client::{AttemptError, FailureClass},
    engine_state::EngineState,
    metric,
};

/// Complaints of different engines that make a picture a bad one.
const ENOUGH: usize = 2;

/// Tasks about one picture that have the same route.
pub(crate) struct RetryState {
    tasks: Vec<Task>,
    /// Width and height in pixels, once somebody told.
    size: [usize; 2],
    /// Engines asked since the last pause.
    asked: HashSet<String>,
    /// What stood in the way last, and what that says.
    last: (TaskError, Option<FailureClass>),
}

/// One of them.
#[derive(Default)]
struct Task {
    answer: Option<Answer>,
    /// Why there will be no answer.
    failure: Option<TaskError>,
    /// Engines that cannot do it at all.
    unsuited: HashSet<String>,
    /// What engines held against the picture.
    rejections: Vec<TaskError>,
    /// When engines broke over it.
    crashes: Vec<Crash>,
    /// What stood in its way last.
    last: Option<TaskError>,
}

/// An engine broke over a task.
struct Crash {
    engine: String,
    /// How much work it had done by then.
    done: u64,
}

impl Task {
    fn is_open(&self) -> bool {
        self.answer.is_none() && self.failure.is_none() && self.rejections.len() < ENOUGH
    }
}

impl RetryState {
    pub(crate) fn new(tasks: usize) -> Self {
        Self {
            tasks: (0..tasks).map(|_| Task::default()).collect(),
            size: [0, 0],
            asked: HashSet::new(),
            last: (TaskError::new(ErrorCode::Busy, "no engine for this task is up"), None),
        }
    }

    /// Positions of the tasks that engines are still to be asked for.
    pub(crate) fn open(&self) -> impl Iterator<Item = usize> {
        (0..self.tasks.len()).filter(|&at| self.tasks[at].is_open())
    }

    /// May an engine be able to do a task that is open?
    pub(crate) fn suits(&self, engine: &str) -> bool {
        self.tasks.iter().any(|task| task.is_open() && !task.unsuited.contains(engine))
    }

    /// The same, of an engine that was not asked since the last pause.
    pub(crate) fn may_ask(&self, engine: &str) -> bool {
        !self.asked.contains(engine) && self.suits(engine)
    }

    /// What stood in the way last.
    pub(crate) fn obstacle(&self) -> &TaskError {
        &self.last.0
    }

    /// Asks one engine for what is open and suits it.
    pub(crate) async fn ask(&mut self, member: &EngineState, request: &PictureRequest) {
        if let Some(reason) = self.last.1 {
            metric::retried(reason.as_str());
        }
        self.asked.insert(member.name.clone());
        let wanted: Vec<usize> =
            self.open().filter(|&at| !self.tasks[at].unsuited.contains(&member.name)).collect();
        let tasks = wanted.iter().map(|&at| request.tasks[at].clone()).collect();
        match member.picture(PictureRequest { tasks, ..request.clone() }).await {
            Ok(found) => {
                self.size = [found.width, found.height];
                for (at, answer) in wanted.into_iter().zip(found.answers) {
                    match answer {
                        Ok(answer) => self.tasks[at].answer = Some(answer),
                        Err(error) => self.failed(at, member, &AttemptError::of(error)),
                    }
                }
            }
            Err(trouble) => wanted.into_iter().for_each(|at| self.failed(at, member, &trouble)),
        }
    }

    fn failed(&mut self, at: usize, member: &EngineState, AttemptError { error, class }: &AttemptError) {
        let task = &mut self.tasks[at];
        match class {
            FailureClass::BadPicture => task.rejections.push(error.clone()),
            FailureClass::Unsuited => drop(task.unsuited.insert(member.name.clone())),
            FailureClass::Crashed => {
                task.crashes.push(Crash { engine: member.name.clone(), done: member.done() });
            }
            FailureClass::Busy | FailureClass::Sick => {}
        }
        task.last = Some(error.clone());
        self.last = (error.clone(), Some(*class));
    }

    /// After every engine that is up was asked: ends what waiting cannot help.
    ///
    /// One complaint is enough where nobody else could be asked. An engine that breaks may be in trouble itself; but when
    /// engines broke twice and did other work since, it is the picture.
    pub(crate) fn settle(&mut self, engines: &[&Arc<EngineState>]) {
        let did_others = |crash: &&Crash| {
            engines.iter().any(|member| member.name == crash.engine && member.done() > crash.done)
        };
        for task in self.tasks.iter_mut().filter(|task| task.is_open()) {
            let last = task.last.as_ref().unwrap_or(&self.last.0);
            let hopeless = engines.iter().all(|member| task.unsuited.contains(&member.name));
            if hopeless || !task.rejections.is_empty() {
                task.failure = Some(last.clone());
            } else if task.crashes.iter().filter(did_others).count() >= ENOUGH {
                let message = format!("engines break over this picture and not over others: {last}");
                let node = last.node.clone();
                task.failure =
                    Some(TaskError { node, ..TaskError::new(ErrorCode::InferenceFailed, message) });
            }
        }
    }

    /// Every engine may be asked again.
    pub(crate) fn ask_again(&mut self) {
        self.asked.clear();
    }

    /// Ends what is open with this.
    pub(crate) fn give_up(mut self, why: &TaskError) -> Result<PictureAnswer, TaskError> {
        for task in self.tasks.iter_mut().filter(|task| task.is_open()) {
            task.failure = Some(why.clone());
        }
        self.end()
    }

    /// Whatever was answered, and for the rest the reason; an error if nothing was.
    pub(crate) fn end(self) -> Result<PictureAnswer, TaskError> {
        let [width, height] = self.size;
        let answers: Vec<_> = self.tasks.into_iter().map(Task::end).collect();
        match answers.first() {
            Some(Err(error)) if answers.iter().all(Result::is_err) => Err(error.clone()),
            _ => Ok(PictureAnswer { width, height, answers }),
        }
    }
}

impl Task {
    fn end(mut self) -> Result<Answer, TaskError> {
        if let Some(answer) = self.answer {
            return Ok(answer);
        }
        // What the first said of the picture is as good as what the second did, and better than what others lack.
        if !self.rejections.is_empty() {
            return Err(self.rejections.swap_remove(0));
        }
        let nothing = || TaskError::new(ErrorCode::Internal, "a task got no answer");
        Err(self.failure.or(self.last).unwrap_or_else(nothing))
    }
}
