//! Our own routes for those who run the server.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::{ToSchema, openapi::OpenApi};
use viewfinder_core::{ErrorCode, LoadedModel, NodeStatus, TaskError};

use super::{Shared, document::DOCUMENT};
use crate::{failure::Failure, ledger::Entry, metric, refusal::Error};

/// Whether pictures can be answered, and what is going on.
#[derive(Serialize, ToSchema)]
struct Health {
    ready: bool,
    /// Why it is not ready.
    why: Option<String>,
    version: &'static str,
    /// Execution provider really in use, such as `cpu` or `cuda`.
    provider: String,
    /// Said when a configured accelerator was refused and the CPU is used instead.
    fallback: Option<String>,
    /// Version of the ONNX Runtime library in use.
    runtime_version: Option<String>,
    /// Worker threads for pictures.
    workers: usize,
    /// Threads one network call may use.
    threads: usize,
    queues: Queues,
    /// Jobs being worked on.
    running: usize,
    models: Vec<LoadedModel>,
    /// Asked for, not on this machine, and not to be fetched for a request (`store.on_request`).
    refused_models: Vec<String>,
    nodes: Vec<NodeStatus>,
    uptime_s: u64,
    #[serde(flatten)]
    #[schema(value_type = MoreHealth)]
    more: BTreeMap<&'static str, Value>,
}

/// Jobs waiting, by kind.
#[derive(Serialize, ToSchema)]
struct Queues {
    pictures: usize,
    sentences: usize,
}

/// Parts that the program adds.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what others provide, see `Server::with_health`")]
struct MoreHealth {
    /// Where an Immich is opened through this server.
    #[schema(required = false)]
    companion: CompanionHealth,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "as `MoreHealth`")]
struct CompanionHealth {
    immich_up: bool,
    library: LibraryHealth,
    script: bool,
}

/// What can be searched.
#[derive(ToSchema)]
#[expect(dead_code, reason = "as `MoreHealth`")]
struct LibraryHealth {
    text: bool,
    meaning: bool,
}

/// Ready or not, and why.
#[utoipa::path(
    get, path = "/health", tag = "viewfinder",
    responses(
        (status = 200, description = "Ready", body = Health),
        (status = 503, description = "Not ready", body = Health),
    ),
)]
pub(super) async fn health(State(app): Shared) -> Response {
    let status = app.status();
    let nodes = app.nodes();
    // Whoever asks for a picture gets an answer, wherever it comes from.
    let ready = match status.ready {
        Err(_) if nodes.iter().any(|node| node.up) => Ok(()),
        ready => ready,
    };
    let health = Health {
        ready: ready.is_ok(),
        why: ready.as_ref().err().cloned(),
        version: env!("CARGO_PKG_VERSION"),
        provider: status.provider,
        fallback: status.fallback,
        runtime_version: status.runtime_version,
        workers: status.workers,
        threads: status.threads,
        queues: Queues { pictures: status.queued_pictures, sentences: status.queued_sentences },
        running: status.running,
        models: status.models,
        refused_models: status.refused_models,
        nodes,
        uptime_s: app.started.elapsed().as_secs(),
        more: app.health.iter().map(|(name, part)| (*name, part())).collect(),
    };
    match ready {
        Ok(()) => Json(health).into_response(),
        Err(why) => {
            let failure = Failure::from(TaskError::new(ErrorCode::RuntimeUnavailable, why));
            failure.mark((StatusCode::SERVICE_UNAVAILABLE, Json(health)).into_response())
        }
    }
}

/// Metrics for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "viewfinder",
    responses((
        status = 200, description = "Text exposition format 0.0.4", body = String, content_type = "text/plain",
    )),
)]
pub(super) async fn metrics(State(app): Shared) -> Response {
    let text = metric::render(&app.status(), app.bodies.held());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// The ledger.
#[derive(Serialize, ToSchema)]
#[schema(as = Failures)]
struct LedgerView {
    /// Entries there are.
    entries: usize,
    /// Entries kept at most; the oldest give way.
    capacity: usize,
    failures: Vec<Entry>,
}

/// Tasks that failed for good, those that failed last first; never the pictures.
#[utoipa::path(
    get, path = "/api/failures", tag = "viewfinder",
    params(("limit" = Option<usize>, Query, description = "Entries at most")),
    responses((status = 200, description = "The ledger", body = LedgerView), (status = 400, response = Error)),
)]
pub(super) async fn failures(State(app): Shared, uri: Uri) -> Response {
    let limit = uri
        .query()
        .into_iter()
        .flat_map(|query| query.split('&'))
        .find_map(|pair| pair.strip_prefix("limit="));
    let Ok(limit) = limit.map_or(Ok(usize::MAX), str::parse) else {
        let message = "limit must be a whole number";
        return Failure::caller(StatusCode::BAD_REQUEST, "request_malformed", message).own();
    };
    Json(LedgerView {
        entries: app.ledger.len(),
        capacity: app.config.failures.capacity,
        failures: app.ledger.newest(limit),
    })
    .into_response()
}

/// This document.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "viewfinder",
    responses((status = 200, description = "Answer", body = Object)),
)]
pub(super) async fn openapi() -> Json<&'static OpenApi> {
    Json(&DOCUMENT)
}
