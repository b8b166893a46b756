//! A whole run: compare, analyse, group.
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use viewfinder_catalog::{AnalysisKind, Store, StoreError};
use viewfinder_core::{Backend, ErrorCode};

use crate::{
    Analysed, Analysis, Grouped, IndexError, Listener, Models, Scan, Scanned, analyse::analyse,
    people::group, retry::retry, scan,
};

/// Texts cut anew at a time, when the rules of cutting have changed.
const TEXTS: usize = 1000;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The comparison of folders and catalogue.
    pub scanned: Scanned,
    /// The analysis.
    pub analysed: Analysed,
    /// The grouping of faces.
    pub grouped: Grouped,
}

/// Brings the catalogue up to date with folders. What was found by other models than those of `analysis` is found anew, and
/// stays searchable until then.
///
/// `same_person` is the least cosine of two faces of one person.
pub async fn index(
    scan: Scan,
    analysis: Analysis,
    same_person: f32,
    store: Arc<dyn Store>,
    backend: Arc<dyn Backend>,
    stop: &CancellationToken,
    listener: Arc<dyn Listener>,
) -> Result<Summary, IndexError> {
    // Each half may end the other, and nothing else of the caller's.
    let stop = &stop.child_token();
    prepare(&analysis.kinds, &analysis.models, &*store, stop, &*listener).await?;
    let (complete, completed) = watch::channel(false);
    let scanning = {
        let (store, stop, listener) = (Arc::clone(&store), stop.clone(), Arc::clone(&listener));
        tokio::spawn(async move {
            let scanned = self::scan(scan, &*store, &stop, &*listener).await;
            complete.send_replace(true);
            scanned
        })
    };
    let analysed = analyse_and_group(analysis, same_person, store, backend, stop, listener, completed).await;
    if analysed.is_err() {
        stop.cancel();
    }
    let scanned = scanning.await.map_err(|error| IndexError::Internal(error.to_string()))?;
    // If both failed, the analysis says more: an engine that does not work.
    let ((analysed, grouped), scanned) = (analysed?, scanned?);
    Ok(Summary { scanned, analysed, grouped })
}

/// Makes everything wait that other models than these found, and cuts texts anew if the rules of cutting have changed.
pub async fn prepare(
    kinds: &[AnalysisKind],
    models: &Models,
    store: &dyn Store,
    stop: &CancellationToken,
    listener: &dyn Listener,
) -> Result<(), StoreError> {
    for kind in kinds {
        retry(stop, listener, || store.forget_other_models(*kind, models.of(*kind))).await?;
    }
    while !stop.is_cancelled() && retry(stop, listener, || store.refresh_text(TEXTS)).await? > 0 {}
    Ok(())
}

/// Makes what failed for want of a program wait again: it may be installed by now.
pub async fn take_up_undecoded(
    kinds: &[AnalysisKind],
    store: &dyn Store,
    stop: &CancellationToken,
    listener: &dyn Listener,
) -> Result<(), StoreError> {
    let code = Some(ErrorCode::DecoderMissing.as_str());
    for kind in kinds {
        retry(stop, listener, || store.forget_failures(*kind, code)).await?;
    }
    Ok(())
}

/// Analyses what waits until `complete` says that no more will come, and then groups new faces.
///
/// `same_person` is the least cosine of two faces of one person.
pub async fn analyse_and_group(
    analysis: Analysis,
    same_person: f32,
    store: Arc<dyn Store>,
    backend: Arc<dyn Backend>,
    stop: &CancellationToken,
    listener: Arc<dyn Listener>,
    complete: watch::Receiver<bool>,
) -> Result<(Analysed, Grouped), IndexError> {
    let faces = analysis.kinds.contains(&AnalysisKind::Faces).then(|| analysis.models.faces.clone());
    let analysed = analyse(analysis, Arc::clone(&store), backend, stop, listener, complete).await?;
    let Some(model) = faces else { return Ok((analysed, Grouped::default())) };
    let grouped = group(&*store, &model, same_person, stop).await?;
    Ok((analysed, grouped))
}
