//! What is in the catalogue of indexed folders.
use viewfinder_catalog::{AnalysisKind, Counts};

use super::Finding;
use crate::amounts::counted;
use crate::catalogue;
use crate::cli::CatalogArgs;
use crate::config::Loaded;
use crate::failure::Failure;

/// Where it is, how many pictures it has, and how far their analyses are.
pub(super) async fn catalogue(args: &CatalogArgs, loaded: &Loaded) -> Finding {
    let place = match catalogue::shown_place(args, &loaded.config) {
        Ok(place) => place,
        Err(failure) => return Finding::fail("catalogue", failure.to_string(), "see catalog.file"),
    };
    if !catalogue::exists(args, &loaded.config) {
        return Finding::ok("catalogue", format!("none at {place}; `viewfinder index DIR` makes one"));
    }
    let counted = async {
        let store = catalogue::open(args, loaded, false).await?.store;
        Ok::<_, Failure>(store.counts().await?)
    };
    match counted.await {
        Ok(counts) => Finding::ok("catalogue", format!("{place}: {}", told(&counts))),
        Err(failure) => Finding::fail(
            "catalogue",
            format!("{place} cannot be read: {failure}"),
            "see catalog.file and catalog.url; a damaged file can be moved away and made anew by `viewfinder index DIR`",
        ),
    }
}

fn told(counts: &Counts) -> String {
    let Counts { assets, states } = counts;
    let kinds = AnalysisKind::ALL.map(|kind| {
        let [waiting, done, failed] = states[kind as usize];
        format!("{}: {done} done, {waiting} waiting, {failed} failed", kind.as_str())
    });
    format!("{}; {}", counted(*assets, "picture or video", "pictures and videos"), kinds.join("; "))
}
