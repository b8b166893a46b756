//! Tells when something that the companion adds is lost, and when it is back.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    companion::{Companion, metric},
    library::{Capabilities, Capability},
};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);
/// Before the first one: a database opens a moment after the program starts.
const FIRST: Duration = Duration::from_secs(10);

impl Companion {
    /// Watches what there is, for the log and for metrics; ends with whoever runs it.
    pub async fn watch(self: Arc<Self>) {
        let mut before = Capabilities::default();
        metric::capable(&self.capabilities());
        sleep(FIRST).await;
        loop {
            let now = self.capabilities();
            for line in lost(&before, &now) {
                tracing::warn!("{line}");
            }
            if let Some(line) = regained(&before, &now) {
                tracing::info!("{line}");
            }
            metric::capable(&now);
            before = now;
            sleep(EVERY).await;
        }
    }
}

/// A line for each that is newly missing; one for all that are missing for the same reason.
fn lost(before: &Capabilities, now: &Capabilities) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<Capability>> = BTreeMap::new();
    for (capability, reason) in now.reasons() {
        if before.reason(capability) != Some(reason) {
            by_reason.entry(reason).or_default().push(capability);
        }
    }
    let line = |(reason, capabilities): (&str, Vec<Capability>)| match &capabilities[..] {
        [one] => now.told(*one).unwrap_or_default(),
        several => format!("not possible now: {}: {reason}", names(several)),
    };
    by_reason.into_iter().map(line).collect()
}

fn regained(before: &Capabilities, now: &Capabilities) -> Option<String> {
    let back: Vec<Capability> = before
        .reasons()
        .map(|(capability, _)| capability)
        .filter(|capability| now.has(*capability))
        .collect();
    (!back.is_empty()).then(|| format!("possible again: {}", names(&back)))
}

fn names(capabilities: &[Capability]) -> String {
    capabilities.iter().map(|capability| capability.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_is_told_once_and_what_is_back_too() {
        let all = Capabilities::default();
        let mut some = all.clone();
        some.lose(Capability::PeopleFilter, "no column");
        assert_eq!(
            lost(&all, &some),
            ["people cannot be filtered: no column; Immich answers such searches itself"]
        );
        assert!(lost(&some, &some).is_empty());
        let mut more = some.clone();
        more.lose(Capability::RedoText, "no database");
        more.lose(Capability::RedoVectors, "no database");
        assert_eq!(lost(&some, &more), ["not possible now: redo_text, redo_vectors: no database"]);
        assert_eq!(regained(&more, &some).unwrap(), "possible again: redo_text, redo_vectors");
        assert_eq!(regained(&all, &some), None);
        // Another reason is told again.
        let mut other = all.clone();
        other.lose(Capability::PeopleFilter, "no table");
        assert_eq!(lost(&some, &other).len(), 1);
    }
}
