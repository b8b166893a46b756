//! An analysis once more.
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use tokio::sync::watch;
use viewfinder_catalog::{AnalysisKind, AssetId, Store};
use viewfinder_index::{Event, Listener, Scope, Tools};

use super::index::{Session, analysis, conclude, models, with_engine};
use crate::cli::RerunArgs;
use crate::config::Loaded;
use crate::counting::Counter;
use crate::failure::{Failure, Outcome};
use crate::{catalogue, output};

/// Assets read from the catalogue at a time.
const PAGE: usize = 1000;

/// Marks what is named as never analysed, and analyses it.
pub(crate) fn run(args: &RerunArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let kind = AnalysisKind::ALL.into_iter().find(|kind| kind.as_str() == args.kind);
    let kind = kind.ok_or_else(|| Failure::Usage(anyhow!("there is no analysis called {}", args.kind)))?;
    let store = catalogue::open(&args.catalog, loaded, false)?;
    let mut ids = HashSet::new();
    for target in &args.targets {
        let found = named(&*store, target)?;
        if found.is_empty() {
            return Err(Failure::Usage(anyhow!("the catalogue has nothing at {target}")));
        }
        ids.extend(found);
    }
    with_engine(loaded, false, |Session { engine, backend, stop }| async move {
        let all: Vec<AssetId> = ids.iter().copied().collect();
        store.forget(kind, &all, args.replace_corrections)?;
        let models = models(&loaded.config, &engine);
        let analysis = analysis(&loaded.config, &[kind], models.clone(), Scope::Assets(ids), Tools::find());
        let counter = Arc::new(Counter::new());
        counter.tell(Event::Waiting { files: all.len() as u64 });
        let listener = Arc::clone(&counter) as Arc<dyn Listener>;
        let complete = watch::channel(true).1;
        let analysed =
            viewfinder_index::analyse(analysis, Arc::clone(&store), backend, &stop, listener, complete).await;
        counter.end();
        let analysed = analysed?;
        if kind == AnalysisKind::Faces {
            viewfinder_index::group(&*store, &models.faces, loaded.config.faces_same_person, &stop)?;
        }
        output::complain(&format!("{} analysed", analysed.done));
        if stop.asked() {
            output::complain("stopped; `viewfinder index` goes on from here");
            return Ok(Outcome::SomeFailed);
        }
        Ok(conclude(&analysed.problems, &analysed.left_out))
    })
}

/// The assets at a path: a file's, or all in a folder.
fn named(store: &dyn Store, target: &str) -> Result<Vec<AssetId>, Failure> {
    let path = Path::new(target).canonicalize().or_else(|_| std::path::absolute(target))?;
    let path = path.to_string_lossy();
    if let Some(asset) = store.by_path(&path)? {
        return Ok(vec![asset.id]);
    }
    let folder = format!("{}/", path.trim_end_matches('/'));
    let mut ids = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.list(&folder, after.as_deref(), PAGE)?;
        ids.extend(page.iter().map(|asset| asset.id));
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.file.path.clone()),
            _ => return Ok(ids),
        }
    }
}
