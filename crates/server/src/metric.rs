//! What Prometheus is told. One recorder serves the whole process, so other crates' metrics appear too.

use std::{sync::OnceLock, time::Instant};

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use viewfinder_core::{EngineStatus, resident_bytes};

const TASKS: &str = "viewfinder_tasks_total";
const TASK_SECONDS: &str = "viewfinder_task_seconds";
const FAILURES: &str = "viewfinder_failures_total";
const HTTP_REQUESTS: &str = "viewfinder_http_requests_total";
const HTTP_IN_FLIGHT: &str = "viewfinder_http_requests_in_flight";
const RECEIVED: &str = "viewfinder_received_bytes_total";
const HELD: &str = "viewfinder_held_body_bytes";
const READY: &str = "viewfinder_ready";
const QUEUED: &str = "viewfinder_queued_jobs";
const RUNNING: &str = "viewfinder_running_jobs";
const MODELS: &str = "viewfinder_loaded_networks";
const RESIDENT: &str = "process_resident_memory_bytes";

/// Seconds; pictures take from tens of milliseconds to, with a first load, minutes.
const BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Installs the process's recorder, if it is not there yet. What is recorded before is lost.
pub fn install() {
    recorder();
}

/// The process's recorder, installed on first use.
pub(crate) fn recorder() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed; /metrics will be empty");
        }
        describe_counter!(TASKS, "Tasks by protocol, task and outcome (ok, cancelled, or an error code)");
        describe_histogram!(TASK_SECONDS, "Seconds from understood request to answer");
        describe_counter!(
            FAILURES,
            "Tasks that failed for good and are in the ledger, by task and error code"
        );
        describe_counter!(HTTP_REQUESTS, "HTTP requests by route and status");
        describe_gauge!(HTTP_IN_FLIGHT, "HTTP requests being answered");
        describe_counter!(RECEIVED, "Bytes of request bodies received");
        describe_gauge!(HELD, "Bytes of request bodies in memory");
        describe_gauge!(READY, "1 if pictures can be answered, else 0");
        describe_gauge!(QUEUED, "Jobs waiting, by kind");
        describe_gauge!(RUNNING, "Jobs being worked on");
        describe_gauge!(MODELS, "Networks in memory");
        describe_gauge!(RESIDENT, "Resident memory of the process");
        handle
    })
}

/// Renders everything, after setting what is measured rather than counted.
pub(crate) fn render(status: &EngineStatus, held: usize) -> String {
    let recorder = recorder();
    gauge!(READY).set(f64::from(u8::from(status.ready.is_ok())));
    gauge!(QUEUED, "kind" => "picture").set(status.queued_pictures as f64);
    gauge!(QUEUED, "kind" => "sentence").set(status.queued_sentences as f64);
    gauge!(RUNNING).set(status.running as f64);
    gauge!(MODELS).set(status.models.len() as f64);
    gauge!(HELD).set(held as f64);
    if let Some(bytes) = resident_bytes() {
        gauge!(RESIDENT).set(bytes as f64);
    }
    recorder.render()
}

/// A task was entered into the ledger.
pub(crate) fn failed(task: &'static str, code: &'static str) {
    counter!(FAILURES, "task" => task, "code" => code).increment(1);
}

/// Bytes of bodies have arrived.
pub(crate) fn received(bytes: usize) {
    counter!(RECEIVED).increment(bytes as u64);
}

/// A request was answered.
pub(crate) fn answered(route: &'static str, status: u16) {
    counter!(HTTP_REQUESTS, "route" => route, "status" => status.to_string()).increment(1);
}

/// Counts a request as in flight until dropped.
pub(crate) struct InFlight;

impl InFlight {
    pub(crate) fn start() -> Self {
        gauge!(HTTP_IN_FLIGHT).increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!(HTTP_IN_FLIGHT).decrement(1.0);
    }
}

/// Tasks of one request. Unless told otherwise they count as cancelled, which is what happens when the client
/// goes away and the request is dropped.
pub(crate) struct Tasks {
    protocol: &'static str,
    /// What each is called, and how it ended.
    outcomes: Vec<(&'static str, &'static str)>,
    started: Instant,
}

impl Tasks {
    pub(crate) fn start(protocol: &'static str, labels: impl Iterator<Item = &'static str>) -> Self {
        let outcomes = labels.map(|label| (label, "cancelled")).collect();
        Self { protocol, outcomes, started: Instant::now() }
    }

    /// Records how each ended: `ok`, or an error code.
    pub(crate) fn end(mut self, outcomes: impl Iterator<Item = &'static str>) {
        for ((_, ended), outcome) in self.outcomes.iter_mut().zip(outcomes) {
            *ended = outcome;
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        let seconds = self.started.elapsed().as_secs_f64();
        for (task, outcome) in &self.outcomes {
            counter!(TASKS, "protocol" => self.protocol, "task" => *task, "outcome" => *outcome).increment(1);
            histogram!(TASK_SECONDS, "protocol" => self.protocol, "task" => *task).record(seconds);
        }
    }
}
