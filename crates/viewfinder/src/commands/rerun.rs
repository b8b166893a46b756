//! An analysis once more.
use std::collections::HashSet;
use std::path::{MAIN_SEPARATOR, Path};
use std::sync::{Arc, Mutex};

use anyhow::anyhow;
use tokio::sync::watch;
use viewfinder_catalog::search::{MOST_HITS, Page};
use viewfinder_catalog::{AnalysisKind, AssetId, Store};
use viewfinder_index::{Event, Listener, Scope, Tools, analyse_and_group};

use super::index::{Session, analysis, conclude, with_engine};
use super::missing::MissingModels;
use super::on_threads;
use super::search::searcher;
use crate::catalogue::{self, Catalogue};
use crate::cli::RerunArgs;
use crate::config::Loaded;
use crate::counting::Counter;
use crate::failure::{Failure, Outcome};
use crate::{output, wiring};

/// Assets read from the catalogue at a time.
const PAGE: usize = 1000;

/// Marks what is named as never analysed, and analyses it.
pub(crate) fn run(args: &RerunArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    on_threads(rerun(args, loaded))
}

async fn rerun(args: &RerunArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let kind = AnalysisKind::ALL.into_iter().find(|kind| kind.as_str() == args.kind);
    let kind = kind.ok_or_else(|| Failure::Usage(anyhow!("there is no analysis called {}", args.kind)))?;
    let catalogue = catalogue::open(&args.catalog, loaded, false).await?;
    let mut ids = HashSet::new();
    for target in &args.targets {
        ids.extend(named(&catalogue, target, loaded).await?);
    }
    let all: Vec<AssetId> = ids.iter().copied().collect();
    let store = &catalogue.store;
    store.forget(kind, &all, args.replace_corrections).await?;
    with_engine(loaded, false, |Session { engine, backend, stop, report }| {
        let models = wiring::index_models(&loaded.config, &engine);
        let analysis = analysis(&loaded.config, &[kind], models.clone(), Scope::Assets(ids), Tools::find());
        async move {
            let counter = Arc::new(Counter::new(false));
            counter.tell(Event::Waiting { files: all.len() as u64 });
            let listener = Arc::clone(&counter) as Arc<dyn Listener>;
            let complete = watch::channel(true).1;
            let store = Arc::clone(store);
            let same_person = loaded.config.faces.same_person;
            let ended =
                analyse_and_group(analysis, same_person, store, backend, &stop, listener, complete).await;
            counter.end();
            let (analysed, _) = ended?;
            output::complain(&format!("{} analysed", analysed.done));
            if stop.is_cancelled() {
                output::complain("stopped; `viewfinder index` goes on from here");
                return Ok(Outcome::SomeFailed);
            }
            let said = Mutex::default();
            MissingModels { store: engine.store(), report: &report, said: &said }
                .tell(&analysed.left_out, &models);
            Ok(conclude(&analysed.problems, &analysed.left_out))
        }
    })
    .await
}

/// The assets at a path, a file's or all in a folder; those that a query finds where it is none.
async fn named(catalogue: &Catalogue, target: &str, loaded: &Loaded) -> Result<Vec<AssetId>, Failure> {
    let path = Path::new(target).canonicalize().or_else(|_| std::path::absolute(target))?;
    let mut ids = at(&*catalogue.store, &path.to_string_lossy()).await?;
    if ids.is_empty() && !path.exists() && !target.starts_with(['/', '.']) {
        let page = Page { cursor: None, limit: MOST_HITS };
        let results = searcher(catalogue, loaded).search(target, &page).await?;
        ids = results.hits.iter().map(|hit| hit.asset.id).collect();
    }
    if ids.is_empty() {
        return Err(Failure::Usage(anyhow!("the catalogue has nothing at {target}")));
    }
    Ok(ids)
}

async fn at(store: &dyn Store, path: &str) -> Result<Vec<AssetId>, Failure> {
    if let Some(asset) = store.by_path(path).await? {
        return Ok(vec![asset.id]);
    }
    let folder = format!("{}{MAIN_SEPARATOR}", path.trim_end_matches(MAIN_SEPARATOR));
    let mut ids = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.list(&folder, after.as_deref(), PAGE).await?;
        ids.extend(page.iter().map(|asset| asset.id));
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.file.path.clone()),
            _ => return Ok(ids),
        }
    }
}
