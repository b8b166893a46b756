use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, histogram};

const ANSWERS: &str = "viewfinder_companion_answers_total";
const SECONDS: &str = "viewfinder_companion_answer_seconds";

/// Describes the companion's metrics, and those of its proxy, to the process's recorder.
pub fn describe() {
    viewfinder_proxy::describe_metrics();
    describe_counter!(
        ANSWERS,
        "Searches and jobs by route and outcome: answered, refused by Immich, or the reason why they were left to Immich"
    );
    describe_histogram!(SECONDS, "Seconds of searches and jobs that were answered here, by route");
}

pub(crate) fn ended(route: &'static str, outcome: &'static str) {
    counter!(ANSWERS, "route" => route, "outcome" => outcome).increment(1);
}

pub(crate) fn took(route: &'static str, time: Duration) {
    histogram!(SECONDS, "route" => route).record(time.as_secs_f64());
}
