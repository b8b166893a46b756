use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::library::{Capabilities, Capability, RerunKind};

const ANSWERS: &str = "viewfinder_companion_answers_total";
const CAPABLE: &str = "viewfinder_companion_capability";
const MISSING: &str = "viewfinder_companion_missing_anchors_total";
const SECONDS: &str = "viewfinder_companion_answer_seconds";
const PICTURES: &str = "viewfinder_companion_rerun_pictures_total";
const WAITING: &str = "viewfinder_companion_rerun_pictures_waiting";

/// Describes the companion's metrics, and those of its proxy, to the process's recorder.
pub fn describe() {
    viewfinder_http::proxy::describe_metrics();
    describe_counter!(
        ANSWERS,
        "Searches and jobs by route and outcome: answered, refused by Immich, or the reason why they were left to Immich"
    );
    describe_gauge!(
        CAPABLE,
        "Whether something that the companion adds to Immich is possible right now: 1 or 0"
    );
    describe_counter!(
        MISSING,
        "How often the script missed its place in a page of Immich's, by what it would have added there"
    );
    describe_histogram!(SECONDS, "Seconds of searches and jobs that were answered here, by route");
    describe_counter!(
        PICTURES,
        "Pictures that were read or embedded again on somebody's word, by kind and outcome"
    );
    describe_gauge!(WAITING, "Pictures still to be read or embedded again on somebody's word, by kind");
}

pub(crate) fn ended(route: &'static str, outcome: &'static str) {
    counter!(ANSWERS, "route" => route, "outcome" => outcome).increment(1);
}

pub(crate) fn capable(capabilities: &Capabilities) {
    for capability in Capability::ALL {
        let on = if capabilities.has(capability) { 1.0 } else { 0.0 };
        gauge!(CAPABLE, "capability" => capability.name()).set(on);
    }
}

/// The page had no place for this one.
pub(crate) fn anchor_missed(capability: Capability) {
    counter!(MISSING, "anchor" => capability.name()).increment(1);
}

pub(crate) fn took(route: &'static str, time: Duration) {
    histogram!(SECONDS, "route" => route).record(time.as_secs_f64());
}

/// A picture of a job was done, or failed.
pub(crate) fn picture_ended(kind: RerunKind, good: bool) {
    let outcome = if good { "done" } else { "failed" };
    counter!(PICTURES, "kind" => label(kind), "outcome" => outcome).increment(1);
}

/// So many pictures are still to do.
pub(crate) fn pictures_wait(kind: RerunKind, pictures: usize) {
    gauge!(WAITING, "kind" => label(kind)).set(pictures as f64);
}

fn label(kind: RerunKind) -> &'static str {
    match kind {
        RerunKind::Ocr => "ocr",
        RerunKind::Clip => "clip",
    }
}
