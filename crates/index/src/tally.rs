//! What a run comes to.
use std::collections::HashSet;

use tokio::sync::mpsc;
use viewfinder_catalog::{AnalysisKind, AssetId, Finding, Outcome};
use viewfinder_core::{ErrorCode, ErrorScope, TaskError};

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
    /// Files that were named with what is wrong with them, which does not depend on what is looked for.
    named: HashSet<(AssetId, String)>,
}

/// What failed, each reason once: kinds, code and message.
fn failures(outcomes: &[Outcome]) -> Vec<(Vec<&'static str>, &str, &str)> {
    let mut failures: Vec<(Vec<&'static str>, &str, &str)> = Vec::new();
    for outcome in outcomes {
        let Finding::Failure { kind, code, message } = &outcome.finding else { continue };
        match failures.iter_mut().find(|(_, one, said)| one == code && said == message) {
            Some((kinds, ..)) => kinds.push(kind.as_str()),
            None => failures.push((vec![kind.as_str()], code, message)),
        }
    }
    failures
}

/// Does a failure of this code befall every kind of analysis alike?
fn is_of_picture(code: &str) -> bool {
    let is_it = |known: &&ErrorCode| known.as_str() == code;
    let code = ErrorCode::ALL.iter().find(is_it);
    code.is_some_and(|code| code.scope() == ErrorScope::Picture || *code == ErrorCode::DecoderMissing)
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
        for (kinds, code, message) in failures(&done.outcomes) {
            self.failed.insert(ended.asset);
            if !is_of_picture(code) {
                analysed.problems.add(code, &ended.path, format!("{}: {message}", kinds.join(", ")));
            } else if self.named.insert((ended.asset, code.to_owned())) {
                analysed.problems.add(code, &ended.path, message);
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
