//! Folders into the catalogue.
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use viewfinder_catalog::view::{CountsView, StatesView};
use viewfinder_catalog::{AnalysisKind, AnalysisState, Asset, Store};
use viewfinder_core::{Backend, ErrorCode, TaskError};
use viewfinder_engine::Engine;
use viewfinder_index::{Analysis, IndexError, Models, Problems, Scan, Scope, Summary, Tools, Watch};

use super::missing::MissingModels;
use super::{look::json_line, on_threads};
use crate::amounts::counted;
use crate::cli::{IndexArgs, KindArgs};
use crate::config::{Config, Loaded};
use crate::counting::Counter;
use crate::failure::{Failure, Outcome};
use crate::progress::Report;
use crate::{catalogue, output, routing, signals, wiring};

/// How long pictures in work may take to end after the first signal.
const PATIENCE: Duration = Duration::from_secs(10);
/// While watching, files that changed in so short a time are left alone: somebody may still be writing them.
const SETTLE: Duration = Duration::from_secs(2);

/// Brings the catalogue up to date with folders, or tells what is in it.
pub(crate) fn run(args: &IndexArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    if args.status {
        return on_threads(status(args, loaded));
    }
    on_threads(index(args, loaded))
}

async fn index(args: &IndexArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let roots = roots(&args.folders)?;
    let kinds = kinds(&args.kinds, &loaded.config);
    if kinds.is_empty() {
        return Err(Failure::Usage(anyhow!("nothing is left to look for")));
    }
    let store = catalogue::open(&args.catalog, loaded, true).await?.store;
    for kind in &kinds {
        // What waited for a program is taken up in any case: it may be installed by now.
        let code = (!args.retry_failed).then_some(ErrorCode::DecoderMissing.as_str());
        store.forget_failures(*kind, code).await?;
    }
    with_engine(loaded, args.watch, |session| async move {
        let Session { engine, backend, stop, report } = session;
        let models = wiring::index_models(&loaded.config, &engine);
        let said = Mutex::default();
        let round = |within: Vec<PathBuf>, watching: bool| {
            let (scan, analysis) =
                plan(&loaded.config, &roots, within, &kinds, models.clone(), args.prune, watching);
            let (store, backend, stop) = (Arc::clone(&store), Arc::clone(&backend), stop.clone());
            let missing = MissingModels { store: engine.store(), report: &report, said: &said };
            let round =
                Round { same_person: loaded.config.faces.same_person, store, backend, watching, missing };
            async move { round.run(scan, analysis, &stop).await }
        };
        // Before the first round, so that nothing is missed between it and the watching.
        let watch = args.watch.then(|| Watch::start(&roots)).transpose();
        let mut watch = watch.map_err(|error| Failure::Environment(error.into()))?;
        let (mut outcome, mut unsettled) = round(Vec::new(), args.watch).await?;
        while let Some(watch) = watch.as_mut() {
            // Files that were still being written are somewhere; where exactly was not kept.
            let again = if unsettled { roots.clone() } else { Vec::new() };
            let changed = tokio::select! {
                changed = watch.next(again) => changed,
                () = stop.cancelled() => break,
            };
            (outcome, unsettled) = round(changed, true).await?;
        }
        if !args.watch && stop.is_cancelled() {
            output::complain("stopped; the next run goes on from here");
            outcome = Outcome::SomeFailed;
        }
        Ok(outcome)
    })
    .await
}

/// What a command that analyses works with.
pub(super) struct Session {
    pub engine: Engine,
    pub backend: Arc<dyn Backend>,
    /// Is asked by the first signal.
    pub stop: CancellationToken,
    /// Knows what was fetched, and what was not.
    pub report: Arc<Report>,
}

/// Does `work` with the engines and then ends them in good order. A command that stays, stays for long: idle models leave
/// memory then.
pub(super) async fn with_engine<F: Future<Output = Result<Outcome, Failure>>>(
    loaded: &Loaded,
    stays: bool,
    work: impl FnOnce(Session) -> F,
) -> Result<Outcome, Failure> {
    let mut config = wiring::engine_config(loaded)?;
    let report = Arc::new(Report::new());
    config.progress = Arc::clone(&report) as _;
    if !stays {
        config.model_ttl = None;
    }
    let engine = Engine::new(config)?;
    let result = async {
        let stop = signals::first()?;
        let backend = routing::backend(&loaded.config, &engine)?;
        work(Session { engine: engine.clone(), backend, stop, report }).await
    }
    .await;
    // Only a panic ends it otherwise, after which nothing is waited for.
    let in_time = spawn_blocking(move || engine.stop(PATIENCE)).await.unwrap_or(false);
    if !in_time {
        // Its thread must not be taken apart while it computes.
        if let Err(failure) = &result {
            failure.report();
        }
        viewfinder_engine::runtime::leave(u8::from(!matches!(result, Ok(Outcome::Done))));
    }
    result
}

/// One comparison with the folders, and what follows from it.
struct Round<'a> {
    same_person: f32,
    store: Arc<dyn Store>,
    backend: Arc<dyn Backend>,
    /// Does the command stay?
    watching: bool,
    missing: MissingModels<'a>,
}

impl Round<'_> {
    /// Tells how it ended, and whether there are files that were still being written.
    async fn run(
        self,
        scan: Scan,
        analysis: Analysis,
        stop: &CancellationToken,
    ) -> Result<(Outcome, bool), Failure> {
        let Self { same_person, store, backend, watching, missing } = self;
        let models = analysis.models.clone();
        let counter = Arc::new(Counter::new(watching));
        let listener = Arc::clone(&counter) as Arc<dyn viewfinder_index::Listener>;
        let ended =
            viewfinder_index::index(scan, analysis, same_person, store, backend, stop, listener).await;
        counter.end();
        let summary = ended.map_err(Failure::from)?;
        let told = tell(&summary, watching);
        // A watch that sees nothing of interest says nothing.
        if !told.is_empty() || !watching {
            output::complain(if told.is_empty() { "nothing to index" } else { &told });
        }
        let Summary { scanned, analysed, .. } = summary;
        let unsettled = scanned.unsettled > 0 || analysed.changed > 0;
        let mut problems = scanned.problems;
        problems.merge(analysed.problems);
        let outcome = conclude(&problems, &analysed.left_out);
        missing.tell(&analysed.left_out, &models);
        Ok((outcome, unsettled))
    }
}

/// What a round did, in one line.
fn tell(summary: &Summary, watching: bool) -> String {
    let Summary { scanned, analysed, grouped } = summary;
    let counts = [
        (scanned.new, ["new"; 2]),
        (scanned.copies, ["copy of another", "copies of others"]),
        (scanned.changed, ["changed"; 2]),
        (scanned.moved, ["moved"; 2]),
        (scanned.gone, ["gone"; 2]),
        (scanned.kept, ["missing but kept"; 2]),
        (scanned.unsettled, ["still being written"; 2]),
        (if watching { 0 } else { scanned.unchanged }, ["unchanged"; 2]),
        (analysed.done, ["analysed"; 2]),
        (analysed.changed, ["changed while being read"; 2]),
        (grouped.joined, ["face of known people", "faces of known people"]),
        (grouped.new, ["face of new people", "faces of new people"]),
    ];
    let told = counts.iter().filter(|(number, _)| *number > 0);
    let told = told.map(|(number, [one, several])| counted(*number, one, several));
    told.collect::<Vec<_>>().join(", ")
}

/// Names what went wrong, group by group.
pub(super) fn conclude(problems: &Problems, left_out: &HashMap<AnalysisKind, TaskError>) -> Outcome {
    for (kind, problem) in problems.iter() {
        output::complain(&format!("{kind}: {}", problem.count));
        for (file, message) in &problem.files {
            output::complain(&format!("  {file}: {message}"));
        }
        let unnamed = problem.count - problem.files.len() as u64;
        if unnamed > 0 {
            output::complain(&format!("  and {unnamed} more"));
        }
    }
    match (left_out.is_empty(), problems.is_empty()) {
        (false, _) => Outcome::EnvironmentLacking,
        (true, false) => Outcome::SomeFailed,
        (true, true) => Outcome::Done,
    }
}

/// The folders, absolute, none inside another.
fn roots(folders: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut roots: Vec<PathBuf> = Vec::new();
    for folder in folders {
        // A folder whose disk is missing has to be named in some way, too.
        let root = folder
            .canonicalize()
            .or_else(|_| std::path::absolute(folder))
            .with_context(|| folder.display().to_string())
            .map_err(Failure::Usage)?;
        if root.is_file() {
            return Err(Failure::Usage(anyhow!("{} is a file; a folder is expected", folder.display())));
        }
        if root.to_str().is_none() {
            return Err(Failure::Usage(anyhow!("{}: the name is not valid Unicode", folder.display())));
        }
        roots.push(root);
    }
    let inside = |root: &Path| roots.iter().any(|other| other != root && root.starts_with(other));
    let mut outer: Vec<PathBuf> = roots.iter().filter(|root| !inside(root)).cloned().collect();
    outer.sort();
    outer.dedup();
    Ok(outer)
}

/// What the flags leave of the configured kinds.
fn kinds(args: &KindArgs, config: &Config) -> Vec<AnalysisKind> {
    let chosen: Vec<AnalysisKind> =
        [(args.ocr, AnalysisKind::Ocr), (args.clip, AnalysisKind::Clip), (args.faces, AnalysisKind::Faces)]
            .into_iter()
            .filter_map(|(chosen, kind)| chosen.then_some(kind))
            .collect();
    let configured = || config.index.kinds.iter().map(|kind| AnalysisKind::from(*kind)).collect();
    let mut kinds = if chosen.is_empty() { configured() } else { chosen };
    let unwanted = |kind: &AnalysisKind| match kind {
        AnalysisKind::Ocr => args.no_ocr,
        AnalysisKind::Clip => args.no_clip,
        AnalysisKind::Faces => args.no_faces,
    };
    kinds.retain(|kind| !unwanted(kind));
    kinds.sort();
    kinds.dedup();
    kinds
}

fn plan(
    config: &Config,
    roots: &[PathBuf],
    within: Vec<PathBuf>,
    kinds: &[AnalysisKind],
    models: Models,
    prune: bool,
    watching: bool,
) -> (Scan, Analysis) {
    let tools = Tools::find();
    let folders = if within.is_empty() { roots.to_vec() } else { within.clone() };
    let scan = Scan {
        roots: roots.to_vec(),
        within,
        prune,
        settle: if watching { SETTLE } else { Duration::ZERO },
        kinds: kinds.to_vec(),
        tools: tools.clone(),
        max_bytes: config.limits.max_bytes,
        links: wiring::links(config),
    };
    (scan, analysis(config, kinds, models, Scope::Folders(folders), tools))
}

pub(super) fn analysis(
    config: &Config,
    kinds: &[AnalysisKind],
    models: Models,
    scope: Scope,
    tools: Tools,
) -> Analysis {
    let pictures = Arc::new(wiring::files(config, tools));
    Analysis { kinds: kinds.to_vec(), models, scope, pictures }
}

async fn status(args: &IndexArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let store = catalogue::open(&args.catalog, loaded, false).await?.store;
    let counts = CountsView::from(store.counts().await?);
    if args.json {
        json_line(&counts)?;
        return Ok(Outcome::Done);
    }
    let kinds = [("ocr", counts.ocr), ("clip", counts.clip), ("faces", counts.faces)];
    if args.csv {
        output::line("kind,done,waiting,failed")?;
        for (kind, StatesView { waiting, done, failed }) in kinds {
            output::line(&format!("{kind},{done},{waiting},{failed}"))?;
        }
        return Ok(Outcome::Done);
    }
    output::line(&counted(counts.assets, "picture or video", "pictures and videos"))?;
    for (kind, StatesView { waiting, done, failed }) in kinds {
        output::line(&format!("{kind:<6} {done} done, {waiting} waiting, {failed} failed"))?;
    }
    for asset in store.failures(FAILURES).await? {
        for (reason, kinds) in reasons(&asset) {
            output::line(&format!("  {}: {}: {reason}", asset.file.path, kinds.join(", ")))?;
        }
    }
    Ok(Outcome::Done)
}

/// Why analyses of an asset failed, each reason once, and which.
fn reasons(asset: &Asset) -> BTreeMap<String, Vec<&'static str>> {
    let mut reasons: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for (kind, state) in AnalysisKind::ALL.iter().zip(&asset.states) {
        if let AnalysisState::Failed { code, message, .. } = state {
            reasons.entry(format!("{code}: {message}")).or_default().push(kind.as_str());
        }
    }
    reasons
}

/// Failures that `--status` lists, at most.
const FAILURES: usize = 20;

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Store(error) => error.into(),
            IndexError::Engine(error) => error.into(),
            IndexError::Internal(_) => Self::Other(error.into()),
        }
    }
}
