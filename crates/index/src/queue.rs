//! What waits for its analysis, as the catalogue tells it.
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use viewfinder_catalog::{AnalysisKind, AnalysisState, Asset, AssetId, Store};

use crate::{IndexError, analyse::Context, retry::retry};

/// Assets read from the catalogue at a time.
const PAGE: usize = 64;

/// What comes next.
pub(crate) enum Next {
    Asset(Box<Asset>, Vec<AnalysisKind>),
    /// Nothing yet.
    Later,
    /// Nothing any more.
    Nothing,
}

/// Assets that wait, each once in a run for each kind, or once more if its file changed meanwhile.
///
/// The catalogue is gone through by number, again and again while it still grows: a changed file keeps its number.
pub(crate) struct AssetQueue {
    context: Arc<Context>,
    store: Arc<dyn Store>,
    stop: CancellationToken,
    complete: watch::Receiver<bool>,
    kinds: Vec<AnalysisKind>,
    /// Kinds that will be taken up once their networks are here.
    pub(crate) awaited: Vec<AnalysisKind>,
    /// Assets handed out that lack these, by kind.
    owed: [u64; AnalysisKind::ALL.len()],
    queue: VecDeque<Asset>,
    /// By number, size and time: the kinds that were handed out, a bit each.
    taken: HashMap<(AssetId, u64, i64), u8>,
    after: Option<AssetId>,
    /// Was the catalogue complete when this pass began?
    last_pass: bool,
    exhausted: bool,
}

impl AssetQueue {
    pub(crate) fn new(
        context: Arc<Context>,
        kinds: Vec<AnalysisKind>,
        store: Arc<dyn Store>,
        stop: CancellationToken,
        complete: watch::Receiver<bool>,
    ) -> Self {
        Self {
            kinds,
            awaited: Vec::new(),
            owed: [0; AnalysisKind::ALL.len()],
            last_pass: is_complete(&complete),
            context,
            store,
            stop,
            complete,
            queue: VecDeque::new(),
            taken: HashMap::new(),
            after: None,
            exhausted: false,
        }
    }

    pub(crate) fn leave_out(&mut self, kind: AnalysisKind) {
        self.kinds.retain(|other| *other != kind);
    }

    /// Goes through the catalogue once more for a kind whose network has come. Tells how many assets lack it that were handed out.
    pub(crate) fn take_up(&mut self, kind: AnalysisKind) -> u64 {
        self.kinds.push(kind);
        self.kinds.sort_unstable();
        self.queue.clear();
        self.after = None;
        self.exhausted = false;
        self.last_pass = is_complete(&self.complete);
        std::mem::take(&mut self.owed[kind as usize])
    }

    pub(crate) async fn next(&mut self) -> Result<Next, IndexError> {
        loop {
            while let Some(asset) = self.queue.pop_front() {
                let waits = |kind: &AnalysisKind| asset.states[*kind as usize] == AnalysisState::Never;
                let version = (asset.id, asset.file.size, asset.file.modified_ns);
                let taken = self.taken.entry(version).or_default();
                let open = |kind: &AnalysisKind| waits(kind) && *taken & (1 << *kind as u8) == 0;
                let kinds: Vec<_> = self.kinds.iter().copied().filter(open).collect();
                if kinds.is_empty() {
                    continue;
                }
                if *taken == 0 {
                    self.awaited
                        .iter()
                        .filter(|kind| waits(kind))
                        .for_each(|kind| self.owed[*kind as usize] += 1);
                }
                *taken |= kinds.iter().fold(0, |bits, kind| bits | (1 << *kind as u8));
                return Ok(Next::Asset(Box::new(asset), kinds));
            }
            if self.exhausted || self.kinds.is_empty() {
                return Ok(Next::Nothing);
            }
            if !self.fill().await? {
                return Ok(Next::Later);
            }
        }
    }

    /// Reads on. False if a pass ended that will not be the last.
    async fn fill(&mut self) -> Result<bool, IndexError> {
        let pending = || self.store.pending(&self.kinds, self.after, PAGE);
        let page = retry(&self.stop, &*self.context.listener, pending).await?;
        let more = page.len() == PAGE;
        self.after = page.last().map(|asset| asset.id);
        let scope = &self.context.analysis.scope;
        self.queue.extend(page.into_iter().filter(|asset| scope.holds(asset)));
        if more {
            return Ok(true);
        }
        self.after = None;
        self.exhausted = self.last_pass;
        self.last_pass = is_complete(&self.complete);
        Ok(self.exhausted || self.last_pass || !self.queue.is_empty())
    }
}

/// Also if whoever would say so is gone.
fn is_complete(complete: &watch::Receiver<bool>) -> bool {
    *complete.borrow() || complete.has_changed().is_err()
}
