//! What Prometheus is told of engines, of pictures that wait, and of second attempts.
use std::time::Duration;

use metrics::{Gauge, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const UP: &str = "viewfinder_engine_up";
const IN_FLIGHT: &str = "viewfinder_engine_in_flight";
const REQUESTS: &str = "viewfinder_engine_requests_total";
const ENGINE_SECONDS: &str = "viewfinder_engine_seconds";
const HELD: &str = "viewfinder_held_pictures";
const HELD_TOTAL: &str = "viewfinder_held_pictures_total";
const HELD_BYTES: &str = "viewfinder_held_picture_bytes";
const HELD_SECONDS: &str = "viewfinder_held_seconds";
const RETRIES: &str = "viewfinder_retries_total";
const HEDGES: &str = "viewfinder_hedges_total";
const HEDGES_WON: &str = "viewfinder_hedges_won_total";

/// Explains the metrics. The process's recorder must be there before the first of them is used.
pub(crate) fn describe() {
    describe_gauge!(UP, "1 if the engine gets work, else 0");
    describe_gauge!(IN_FLIGHT, "Requests an engine is working on");
    describe_counter!(REQUESTS, "Requests to engines, by engine and outcome (ok, or an error code)");
    describe_histogram!(
        ENGINE_SECONDS,
        "Seconds from giving a task to an engine to its answer, by engine and task"
    );
    describe_gauge!(HELD, "Pictures waiting for an engine");
    describe_counter!(
        HELD_TOTAL,
        "Pictures that had to wait for an engine, by outcome (taken, expired, refused for want of room, cancelled)"
    );
    describe_gauge!(HELD_BYTES, "Bytes of pictures waiting for an engine");
    describe_histogram!(HELD_SECONDS, "Seconds that a picture waited for an engine");
    describe_counter!(
        RETRIES,
        "Questions asked again, of another engine or later, by what stood in the way (bad_picture, unsuited, busy, crashed, sick)"
    );
    describe_counter!(HEDGES, "Sentences asked of a second engine because the first was slower than usual");
    describe_counter!(HEDGES_WON, "Sentences that the second engine answered first");
}

pub(crate) fn up(engine: &str, up: bool) {
    gauge!(UP, "engine" => engine.to_owned()).set(f64::from(u8::from(up)));
}

pub(crate) fn in_flight(engine: &str) -> Gauge {
    gauge!(IN_FLIGHT, "engine" => engine.to_owned())
}

pub(crate) fn asked(engine: &str, outcome: &'static str) {
    counter!(REQUESTS, "engine" => engine.to_owned(), "outcome" => outcome).increment(1);
}

pub(crate) fn answered(engine: &str, task: &'static str, took: Duration) {
    histogram!(ENGINE_SECONDS, "engine" => engine.to_owned(), "task" => task).record(took);
}

pub(crate) fn holding(pictures: f64, bytes: usize) {
    gauge!(HELD).increment(pictures);
    gauge!(HELD_BYTES).increment(pictures * bytes as f64);
}

pub(crate) fn held(outcome: &'static str, waited: Duration) {
    counter!(HELD_TOTAL, "outcome" => outcome).increment(1);
    histogram!(HELD_SECONDS).record(waited);
}

pub(crate) fn no_room() {
    counter!(HELD_TOTAL, "outcome" => "refused").increment(1);
}

pub(crate) fn retried(reason: &'static str) {
    counter!(RETRIES, "reason" => reason).increment(1);
}

pub(crate) fn hedged() {
    counter!(HEDGES).increment(1);
}

pub(crate) fn hedge_won() {
    counter!(HEDGES_WON).increment(1);
}
