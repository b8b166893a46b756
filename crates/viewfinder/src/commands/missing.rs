//! What is said of models without which an analysis was left out.
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use viewfinder_catalog::AnalysisKind;
use viewfinder_core::{ErrorCode, TaskError};
use viewfinder_index::Models;
use viewfinder_models::Store;

use crate::output;
use crate::progress::Report;
use crate::remedies::remedies;

/// What there is to say of models that are missing.
pub(super) struct MissingModels<'a> {
    pub store: &'a Store,
    pub report: &'a Report,
    /// What was said last: who stays and watches is not told again and again.
    pub said: &'a Mutex<Vec<String>>,
}

impl MissingModels<'_> {
    /// Names once what was left out, why, and what helps.
    pub(super) fn tell(&self, left_out: &HashMap<AnalysisKind, TaskError>, models: &Models) {
        let lines = self.lines(left_out, models);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != lines {
            for line in &lines {
                output::complain(line);
            }
            *said = lines;
        }
    }

    fn lines(&self, left_out: &HashMap<AnalysisKind, TaskError>, models: &Models) -> Vec<String> {
        let (mut names, mut missing, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for kind in AnalysisKind::ALL {
            let Some(error) = left_out.get(&kind) else { continue };
            match error.code {
                ErrorCode::ModelUnavailable | ErrorCode::ModelMissingOffline => {
                    names.push(kind.as_str());
                    missing.push(models.of(kind));
                }
                _ => lines.push(format!("{} is left out: {error}", kind.as_str())),
            }
        }
        if names.is_empty() {
            return lines;
        }
        let are = if names.len() == 1 { "is" } else { "are" };
        let (kinds, wanted) = (names.join(" and "), missing.join(" and "));
        lines.push(format!("{kinds} {are} left out, for want of {wanted}; the next run takes up what waits"));
        let sources = self.report.failed_sources();
        lines.extend(sources.iter().map(|(source, reason)| format!("  {source}: {reason}")));
        lines.push("what helps:".to_owned());
        lines.extend(remedies(self.store, &missing).iter().map(|line| format!("  {line}")));
        let flags = names.iter().map(|name| format!("--no-{name}")).collect::<Vec<_>>().join(" ");
        lines.push(format!("  {flags} (or index.kinds) does without"));
        lines
    }
}
