//! What was never analysed, asked of the engines and recorded.
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use viewfinder_catalog::{AnalysisKind, Asset, AssetId, FileRecord, Finding, Outcome, Properties, Store};
use viewfinder_core::{
    Alpha, Backend, DecodeRules, ErrorCode, ErrorScope, PictureAnswer, PictureRequest, PictureTask,
    TaskError, ocr,
};

use crate::{
    Event, FileKind, IndexError, Listener, Pictures, Problems,
    arrivals::Arrivals,
    found::finding,
    queue::{AssetQueue, Next},
    record::{AnalysedFile, write},
    source::Unread,
    tally::Tally,
    tools::Converted,
};

/// While folders are still being compared with the catalogue, it is asked so often whether there is more.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Bytes of all files in work at once.
const HELD_BYTES: u64 = 256_000_000;
/// A video's frame takes no more, however long the video is.
const FRAME_BYTES: u64 = 16_000_000;
/// Pictures in flight beside those of the local workers: one is read while each worker has one.
const READ_AHEAD: usize = 1;
/// Pictures in flight for each node, whose number of workers nobody tells: a usual machine has four.
const FOR_A_NODE: usize = 4;
/// Pauses before temporary trouble is tried again: the first, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];
/// So often a picture is tried for which memory runs out.
const MEMORY_TRIES: u32 = 3;

/// Models by catalogue name. The names are recorded with what they found.
#[derive(Clone, Debug)]
pub struct Models {
    /// Reads text.
    pub ocr: String,
    /// Embeds pictures.
    pub clip: String,
    /// Finds and recognises faces.
    pub faces: String,
    /// Faces with a lower score are left out, 0 to 1.
    pub face_min_score: f32,
}

impl Models {
    /// The model for a kind.
    pub fn of(&self, kind: AnalysisKind) -> &str {
        match kind {
            AnalysisKind::Ocr => &self.ocr,
            AnalysisKind::Clip => &self.clip,
            AnalysisKind::Faces => &self.faces,
        }
    }

    fn task(&self, kind: AnalysisKind) -> PictureTask {
        let model = self.of(kind).to_owned();
        match kind {
            AnalysisKind::Ocr => PictureTask::Text {
                detection: model.clone(),
                recognition: model,
                options: ocr::Options::viewfinder(),
            },
            AnalysisKind::Clip => PictureTask::Embed { model },
            AnalysisKind::Faces => PictureTask::Faces {
                detection: model.clone(),
                recognition: model,
                min_score: self.face_min_score,
            },
        }
    }
}

/// Which assets are analysed.
#[derive(Clone, Debug)]
pub enum Scope {
    /// All in the catalogue.
    All,
    /// Those in these folders.
    Folders(Vec<PathBuf>),
    /// These.
    Assets(HashSet<AssetId>),
}

impl Scope {
    pub(crate) fn holds(&self, asset: &Asset) -> bool {
        match self {
            Self::All => true,
            Self::Folders(folders) => {
                folders.iter().any(|folder| std::path::Path::new(&asset.file.path).starts_with(folder))
            }
            Self::Assets(assets) => assets.contains(&asset.id),
        }
    }
}

/// What to analyse, and how.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// Kinds.
    pub kinds: Vec<AnalysisKind>,
    /// Their models.
    pub models: Models,
    /// Assets.
    pub scope: Scope,
    /// Their bytes.
    pub pictures: Arc<dyn Pictures>,
}

/// How an analysis ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysed {
    /// Files that were analysed.
    pub done: u64,
    /// Of those, files for which something failed for good.
    pub failed: u64,
    /// Files that changed or went since the catalogue looked at them; the next run sees to them.
    pub changed: u64,
    /// What could not be analysed, and why.
    pub problems: Problems,
    /// Kinds that were left out because their model or their engine could not be had, and why.
    pub left_out: HashMap<AnalysisKind, TaskError>,
}

/// Everything a job needs.
pub(crate) struct Context {
    pub(crate) analysis: Analysis,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) listener: Arc<dyn Listener>,
    bytes: Semaphore,
}

/// How one asset's job ended.
pub(crate) struct Ended {
    pub(crate) asset: AssetId,
    pub(crate) path: String,
    pub(crate) done: Option<AnalysedFile>,
    pub(crate) changed: bool,
    /// Troubles that are not recorded: code and message.
    pub(crate) troubles: Vec<(String, String)>,
    /// Kinds that no picture can get.
    missing: Vec<(AnalysisKind, TaskError)>,
}

/// Analyses what was never analysed, until there is no more and `complete` says that no more will come, or until it is asked
/// to stop. What is complete by then is recorded; what is in flight is not, and is done by the next run.
pub(crate) async fn analyse(
    analysis: Analysis,
    store: Arc<dyn Store>,
    backend: Arc<dyn Backend>,
    stop: &CancellationToken,
    listener: Arc<dyn Listener>,
    complete: watch::Receiver<bool>,
) -> Result<Analysed, IndexError> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let writer = {
        let (store, stop, listener) = (Arc::clone(&store), stop.clone(), Arc::clone(&listener));
        tokio::spawn(async move { write(&*store, receiver, &stop, &*listener).await })
    };
    let context =
        Arc::new(Context { analysis, backend, listener, bytes: Semaphore::new(HELD_BYTES as usize) });
    let (ready, arrivals) = Arrivals::start(&context).await;
    let mut feed = AssetQueue::new(Arc::clone(&context), ready, store, stop.clone(), complete);
    let result = run(&context, &mut feed, arrivals, stop, sender).await;
    let written = writer.await.map_err(|error| IndexError::Internal(error.to_string()))?;
    // If the catalogue failed, that is why the rest ended.
    written?;
    result
}

async fn run(
    context: &Arc<Context>,
    feed: &mut AssetQueue,
    mut arrivals: Arrivals,
    stop: &CancellationToken,
    sender: mpsc::UnboundedSender<AnalysedFile>,
) -> Result<Analysed, IndexError> {
    let mut tally = Tally::default();
    let mut jobs = JoinSet::new();
    loop {
        feed.awaited = arrivals.waiting().to_vec();
        let mut later = false;
        while jobs.len() < context.places() {
            match feed.next().await? {
                Next::Asset(asset, kinds) => {
                    // What is logged on the way names the file.
                    let span = tracing::warn_span!("file", path = ?asset.file.path);
                    drop(jobs.spawn(job(Arc::clone(context), *asset, kinds).instrument(span)));
                }
                Next::Later => {
                    later = true;
                    break;
                }
                Next::Nothing => break,
            }
        }
        if jobs.is_empty() && !later && arrivals.waiting().is_empty() {
            return Ok(tally.analysed);
        }
        tokio::select! {
            Some(ended) = jobs.join_next() => {
                let ended = ended.map_err(|error| IndexError::Internal(error.to_string()))?;
                for (kind, error) in &ended.missing {
                    tally.leave_out(*kind, error, context)?;
                    feed.leave_out(*kind);
                }
                let (again, goes_on) = tally.take(ended, &sender);
                if !goes_on {
                    return Ok(tally.analysed);
                }
                context.listener.tell(Event::Analysed { again });
            }
            (kind, fetched) = arrivals.next(), if !arrivals.waiting().is_empty() => match fetched {
                Err(error) if matches!(error.code.scope(), ErrorScope::Model | ErrorScope::Machine) => {
                    tally.leave_out(kind, &error, context)?;
                }
                // Whatever else is wrong, a picture will tell.
                _ => context.listener.tell(Event::Waiting { files: feed.take_up(kind) }),
            },
            () = sleep(LOOK_AGAIN), if later => {}
            () = stop.cancelled() => return Ok(tally.analysed),
        }
    }
}

impl Context {
    /// What is wanted, text first.
    pub(crate) fn kinds(&self) -> Vec<AnalysisKind> {
        let wanted = |kind: &AnalysisKind| self.analysis.kinds.contains(kind);
        AnalysisKind::ALL.into_iter().filter(wanted).collect()
    }

    /// What the backend is asked for a kind.
    pub(crate) fn task(&self, kind: AnalysisKind) -> PictureTask {
        self.analysis.models.task(kind)
    }

    /// Pictures that may be in flight.
    fn places(&self) -> usize {
        let nodes = self.backend.nodes().iter().filter(|node| node.up).count();
        self.backend.status().workers + READ_AHEAD + nodes * FOR_A_NODE
    }
}

/// One asset.
async fn job(context: Arc<Context>, asset: Asset, kinds: Vec<AnalysisKind>) -> Ended {
    let path = asset.file.path.clone();
    let mut ended = Ended {
        asset: asset.id,
        path,
        done: None,
        changed: false,
        troubles: Vec::new(),
        missing: Vec::new(),
    };
    let bytes = match FileKind::of_name(std::path::Path::new(&asset.file.path)) {
        Some(FileKind::Video) => FRAME_BYTES,
        _ => asset.file.size,
    };
    // Fits: the limit is far below 2³².
    let Ok(_held) = context.bytes.acquire_many(bytes.clamp(1, HELD_BYTES) as u32).await else { return ended };
    let read = {
        let (asset, context) = (asset.clone(), Arc::clone(&context));
        // A task of its own: if it goes wrong, that is this picture's trouble.
        tokio::spawn(async move { context.analysis.pictures.read(&asset).await }).await
    };
    let trouble = |code: &str, message: String| vec![(code.to_owned(), message)];
    match read {
        Err(error) => ended.troubles = trouble(ErrorCode::Internal.as_str(), error.to_string()),
        Ok(Err(Unread::Changed)) => ended.changed = true,
        Ok(Err(Unread::Unreadable(message))) => ended.troubles = trouble("file_unreadable", message),
        Ok(Err(Unread::Bad { code, message })) => {
            let error = TaskError::new(code, message);
            let outcomes = kinds.iter().map(|kind| context.outcome(&asset, *kind, failure(*kind, &error)));
            ended.done = Some(AnalysedFile { outcomes: outcomes.collect(), file: None });
        }
        Ok(Ok(picture)) => context.ask(&asset, kinds, &picture, &mut ended).await,
    }
    ended
}

fn failure(kind: AnalysisKind, error: &TaskError) -> Finding {
    Finding::Failure { kind, code: error.code.as_str().to_owned(), message: error.message.clone() }
}

impl Context {
    /// Asks about a picture until every kind has an answer, is refused for good, or cannot be had.
    async fn ask(&self, asset: &Asset, mut kinds: Vec<AnalysisKind>, picture: &Converted, ended: &mut Ended) {
        let mut done = AnalysedFile::default();
        let mut pause = PAUSES[0];
        let mut tries = 0;
        while !kinds.is_empty() {
            tries += 1;
            let (size, answers) = self.request(&kinds, picture).await;
            if let Some(size) = size.filter(|_| asset.properties.width.is_none()) {
                done.file = Some(sized(asset, size));
            }
            let mut again = Vec::new();
            let mut wait = None;
            for (kind, answer) in answers {
                let error = match answer {
                    Some(Ok(finding)) => {
                        done.outcomes.push(self.outcome(asset, kind, finding));
                        continue;
                    }
                    Some(Err(error)) => error,
                    None => {
                        again.push(kind);
                        continue;
                    }
                };
                match error.code.scope() {
                    ErrorScope::Picture | ErrorScope::Attempt => {
                        done.outcomes.push(self.outcome(asset, kind, failure(kind, &error)));
                    }
                    ErrorScope::Model | ErrorScope::Machine => ended.missing.push((kind, error)),
                    ErrorScope::Passing if error.code != ErrorCode::OutOfMemory || tries < MEMORY_TRIES => {
                        again.push(kind);
                        wait = Some(error.message);
                    }
                    ErrorScope::Passing | ErrorScope::Setup | ErrorScope::Answer => {
                        let message = format!("{}: {}", kind.as_str(), error.message);
                        ended.troubles.push((error.code.as_str().to_owned(), message));
                    }
                }
            }
            kinds = again;
            if let Some(reason) = wait {
                self.listener.tell(Event::Paused { reason });
                sleep(pause).await;
                pause = (pause * 2).min(PAUSES[1]);
            }
        }
        ended.done = (!done.outcomes.is_empty()).then_some(done);
    }

    /// Asks once. Answers come by kind; `None` says that this kind was not tried.
    async fn request(
        &self,
        kinds: &[AnalysisKind],
        picture: &Converted,
    ) -> (Option<[usize; 2]>, Vec<(AnalysisKind, Option<Result<Finding, TaskError>>)>) {
        let request = PictureRequest {
            bytes: picture.bytes.clone(),
            // What is drawn on a transparent ground must be seen against it.
            decode: DecodeRules { orient: picture.orient, alpha: Alpha::Contrast, max_side: None },
            tasks: kinds.iter().map(|kind| self.analysis.models.task(*kind)).collect(),
        };
        match self.backend.picture(request).await {
            Ok(PictureAnswer { width, height, answers }) => {
                let size = [width, height];
                let mut answers = answers.into_iter();
                let of = |kind: &AnalysisKind| {
                    let nothing = || TaskError::new(ErrorCode::Internal, "an answer is missing");
                    let answer = answers.next().unwrap_or_else(|| Err(nothing()));
                    (*kind, Some(answer.and_then(|answer| finding(answer, size).ok_or_else(nothing))))
                };
                (Some(size), kinds.iter().map(of).collect())
            }
            // No kind's model is there: the error is the first one's.
            Err(error) if matches!(error.code.scope(), ErrorScope::Model | ErrorScope::Machine) => {
                let mut first = Some(Err(error));
                (None, kinds.iter().map(|kind| (*kind, first.take())).collect())
            }
            Err(error) => (None, kinds.iter().map(|kind| (*kind, Some(Err(error.clone())))).collect()),
        }
    }

    fn outcome(&self, asset: &Asset, kind: AnalysisKind, finding: Finding) -> Outcome {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Outcome {
            asset: asset.id,
            hash: asset.file.hash,
            model: self.analysis.models.of(kind).to_owned(),
            at_ms: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
            finding,
        }
    }
}

/// The asset with the size that its picture turned out to have.
fn sized(asset: &Asset, size: [usize; 2]) -> (FileRecord, Properties) {
    let [width, height] = size.map(|side| u32::try_from(side).ok());
    (asset.file.clone(), Properties { width, height, ..asset.properties })
}
