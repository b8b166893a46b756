//! What a run comes to.
use std::collections::HashSet;

use tokio::sync::mpsc;
use viewfinder_catalog::{AnalysisKind, AssetId, Finding};
use viewfinder_core::{ErrorScope, TaskError};

use crate::{
    Event, IndexError,
    analyse::{Analysed, Context, Ended},
    record::AnalysedFile,
};

/// What a run has come to so far. A file is counted once, however many of its kinds came later.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) analysed: Analysed,
    ended: HashSet<AssetId>,
    done: HashSet<AssetId>,
    failed: HashSet<AssetId>,
}

impl Tally {
    /// Counts an end and hands on what there is to record. Tells whether this asset ended before, and whether anybody records.
    pub(crate) fn take(
        &mut self,
        ended: Ended,
        sender: &mpsc::UnboundedSender<AnalysedFile>,
    ) -> (bool, bool) {
        let analysed = &mut self.analysed;
        for (code, message) in ended.troubles {
            analysed.problems.add(&code, &ended.path, message);
        }
        analysed.changed += u64::from(ended.changed);
        let again = !self.ended.insert(ended.asset);
        let Some(done) = ended.done else { return (again, true) };
        for outcome in &done.outcomes {
            if let Finding::Failure { kind, code, message } = &outcome.finding {
                self.failed.insert(ended.asset);
                analysed.problems.add(code, &ended.path, format!("{}: {message}", kind.as_str()));
            }
        }
        self.done.insert(ended.asset);
        analysed.done = self.done.len() as u64;
        analysed.failed = self.failed.len() as u64;
        (again, sender.send(done).is_ok())
    }

    /// A kind that no picture can get; an error if that holds for every kind.
    pub(crate) fn leave_out(
        &mut self,
        kind: AnalysisKind,
        error: &TaskError,
        context: &Context,
    ) -> Result<(), IndexError> {
        if error.code.scope() == ErrorScope::Machine {
            return Err(error.clone().into());
        }
        self.analysed.left_out.entry(kind).or_insert_with(|| {
            context.listener.tell(Event::LeftOut { kind, reason: error.to_string() });
            error.clone()
        });
        Ok(())
    }
}
