//! Work that a request starts and does not wait for: analyses done again, one job after the other.
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use viewfinder_catalog::{AnalysisKind, AssetId, Store, StoreError};
use viewfinder_core::{Backend, TaskError};
use viewfinder_index::{
    Analysis, Event, IndexError, Listener, Models, Pictures, Problems, Scope, analyse_and_group, prepare,
    take_up_undecoded,
};

/// Jobs that are remembered after they ended.
const REMEMBERED: usize = 100;
/// Jobs that may wait; more are refused.
const WAITING: usize = 1000;

/// What to do.
#[derive(Clone, Debug)]
pub(crate) enum JobKind {
    /// These analyses of these assets.
    Rerun { kinds: Vec<AnalysisKind>, assets: Vec<AssetId> },
    /// Whatever was never done of these kinds.
    Pending { kinds: Vec<AnalysisKind> },
}

/// A job as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobView {
    id: u64,
    kinds: Vec<AnalysisKind>,
    state: JobState,
    /// Assets to do, where that is known beforehand.
    #[schema(required)]
    assets: Option<usize>,
    /// Assets done so far, at least of one kind.
    done: u64,
    /// Of those, assets for which something failed for good.
    failed: u64,
    /// What stands in the way now, or ended it.
    #[schema(required)]
    message: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    queued: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    ended: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum JobState {
    Queued,
    Running,
    Done,
    Failed,
}

/// There is no room for another job.
#[derive(Debug, thiserror::Error)]
#[error("{WAITING} jobs wait already; try again when some are done")]
pub(crate) struct Full;

/// The jobs, and the thread of work that does them.
pub(crate) struct Jobs {
    list: Arc<Mutex<List>>,
    queue: mpsc::Sender<(u64, JobKind)>,
}

#[derive(Default)]
struct List {
    last: u64,
    jobs: VecDeque<JobView>,
}

/// Everything that analyses need.
pub(crate) struct Means {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) models: Models,
    pub(crate) pictures: Arc<dyn Pictures>,
    /// Least cosine of two faces of one person.
    pub(crate) same_person: f32,
    pub(crate) stop: CancellationToken,
}

impl Jobs {
    /// Starts working, until asked to stop. Must be called within a Tokio runtime.
    pub(crate) fn start(means: Means) -> Self {
        let list = Arc::new(Mutex::new(List::default()));
        let (queue, mut waiting) = mpsc::channel::<(u64, JobKind)>(WAITING);
        let shown = Arc::clone(&list);
        tokio::spawn(async move {
            while let Some((id, work)) = waiting.recv().await {
                if means.stop.is_cancelled() {
                    return;
                }
                let told = JobProgress { list: Arc::clone(&shown), id };
                told.change(|job| job.state = JobState::Running);
                let result = work.run(&means, &told).await;
                told.change(|job| job.end(result));
            }
        });
        Self { list, queue }
    }

    /// Adds a job, and tells its number.
    pub(crate) fn add(&self, work: JobKind) -> Result<u64, Full> {
        let place = self.queue.try_reserve().map_err(|_| Full)?;
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.last += 1;
        let id = list.last;
        let (kinds, assets) = match &work {
            JobKind::Rerun { kinds, assets } => (kinds.clone(), Some(assets.len())),
            JobKind::Pending { kinds } => (kinds.clone(), None),
        };
        list.jobs.push_front(JobView {
            id,
            kinds,
            state: JobState::Queued,
            assets,
            done: 0,
            failed: 0,
            message: None,
            queued: Timestamp::now(),
            ended: None,
        });
        let over = list.jobs.iter().rposition(|job| job.ended.is_some());
        if let Some(oldest) = over.filter(|_| list.jobs.len() > REMEMBERED) {
            list.jobs.remove(oldest);
        }
        place.send((id, work));
        Ok(id)
    }

    /// All jobs, newest first.
    pub(crate) fn all(&self) -> Vec<JobView> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).jobs.iter().cloned().collect()
    }
}

impl JobKind {
    async fn run(self, means: &Means, told: &JobProgress) -> Result<(), JobError> {
        let (kinds, scope) = match self {
            Self::Rerun { kinds, assets } => {
                (kinds, Scope::Assets(assets.into_iter().collect::<HashSet<_>>()))
            }
            Self::Pending { kinds } => (kinds, Scope::All),
        };
        let listener = Arc::new(told.clone());
        let store = Arc::clone(&means.store);
        if matches!(scope, Scope::All) {
            prepare(&kinds, &means.models, &*store, &means.stop, &*listener).await?;
            take_up_undecoded(&kinds, &*store, &means.stop, &*listener).await?;
        }
        let analysis =
            Analysis { kinds, models: means.models.clone(), scope, pictures: Arc::clone(&means.pictures) };
        let (_complete, complete) = watch::channel(true);
        let backend = Arc::clone(&means.backend);
        let (analysed, _) =
            analyse_and_group(analysis, means.same_person, store, backend, &means.stop, listener, complete)
                .await?;
        told.change(|job| {
            job.failed = analysed.failed;
            job.message = first(&analysed.problems).or(job.message.take());
        });
        if analysed.left_out.is_empty() {
            Ok(())
        } else {
            Err(JobError::LeftOut(left_out(&analysed.left_out)))
        }
    }
}

/// Why a job did not do all that it was for.
#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Kinds that no picture got, since their model or their engine cannot be had. They wait.
    #[error("{0}")]
    LeftOut(String),
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::Index(error.into())
    }
}

/// Names each kind with its reason; kinds with the same reason together.
fn left_out(kinds: &HashMap<AnalysisKind, TaskError>) -> String {
    let mut told: Vec<(String, &str)> = Vec::new();
    for kind in AnalysisKind::ALL {
        let Some(reason) = kinds.get(&kind).map(|error| error.message.as_str()) else { continue };
        match told.iter_mut().find(|(_, known)| *known == reason) {
            Some((names, _)) => *names += &format!(", {}", kind.as_str()),
            None => told.push((kind.as_str().to_owned(), reason)),
        }
    }
    told.iter().map(|(names, reason)| format!("{names}: {reason}")).collect::<Vec<_>>().join("; ")
}

/// What to say of files that could not be analysed and will be tried again.
fn first(problems: &Problems) -> Option<String> {
    let (_, problem) = problems.iter().next()?;
    let (file, message) = problem.files.first()?;
    Some(format!("{file}: {message}"))
}

/// Changes one job's entry as its work goes on.
#[derive(Clone)]
struct JobProgress {
    list: Arc<Mutex<List>>,
    id: u64,
}

impl JobProgress {
    fn change(&self, change: impl FnOnce(&mut JobView)) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = list.jobs.iter_mut().find(|job| job.id == self.id) {
            change(job);
        }
    }
}

impl Listener for JobProgress {
    fn tell(&self, event: Event) {
        self.change(|job| match event {
            Event::Analysed { again } => {
                job.done += u64::from(!again);
                job.message = None;
            }
            Event::Paused { reason } | Event::LeftOut { reason, .. } => job.message = Some(reason),
            Event::Walked { .. } | Event::Waiting { .. } => {}
        });
    }
}

impl JobView {
    fn end(&mut self, result: Result<(), JobError>) {
        self.ended = Some(Timestamp::now());
        self.state = if result.is_ok() { JobState::Done } else { JobState::Failed };
        if let Err(error) = result {
            tracing::warn!(%error, "a job failed");
            self.message = Some(error.to_string());
        }
    }
}
