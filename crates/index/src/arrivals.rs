//! Kinds of analysis whose networks are fetched while others are at work.
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinSet,
};
use viewfinder_catalog::AnalysisKind;
use viewfinder_core::TaskError;

use std::sync::Arc;

use crate::analyse::Context;

/// Kinds that wait for their networks, and what becomes of them.
pub(crate) struct Arrivals {
    waiting: Vec<AnalysisKind>,
    come: UnboundedReceiver<(AnalysisKind, Result<(), TaskError>)>,
    /// Ends with it.
    _fetching: JoinSet<()>,
}

impl Arrivals {
    /// Tells which kinds can begin, and has the networks of the others fetched, text first, one after the other: each then has the
    /// whole line.
    pub(crate) async fn start(context: &Arc<Context>) -> (Vec<AnalysisKind>, Self) {
        let (mut ready, mut waiting) = (Vec::new(), Vec::new());
        for kind in context.kinds() {
            // If that cannot be told, asking about a picture will.
            let lacks = context.backend.lacks(context.task(kind)).await.unwrap_or(false);
            if lacks { waiting.push(kind) } else { ready.push(kind) }
        }
        let (sender, come) = unbounded_channel();
        let mut fetching = JoinSet::new();
        let (context, wanted) = (Arc::clone(context), waiting.clone());
        fetching.spawn(async move {
            for kind in wanted {
                let fetched = context.backend.fetch(context.task(kind)).await;
                if sender.send((kind, fetched)).is_err() {
                    return;
                }
            }
        });
        (ready, Self { waiting, come, _fetching: fetching })
    }

    /// Those that still wait.
    pub(crate) fn waiting(&self) -> &[AnalysisKind] {
        &self.waiting
    }

    /// The next one whose network is here, or will not come. Only while some wait.
    pub(crate) async fn next(&mut self) -> (AnalysisKind, Result<(), TaskError>) {
        let Some((kind, fetched)) = self.come.recv().await else { return std::future::pending().await };
        self.waiting.retain(|other| *other != kind);
        (kind, fetched)
    }
}
