//! Our own routes for those who run the server.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use viewfinder_core::{ErrorCode, TaskError};

use super::Shared;
use crate::{failure::Failure, metric};

/// `GET /health`: 200 if pictures can be answered, else 503 and why not.
pub(super) async fn health(State(app): Shared) -> Response {
    let status = app.status();
    let nodes = app.nodes();
    // Whoever asks for a picture gets an answer, wherever it comes from.
    let ready = match status.ready {
        Err(_) if nodes.iter().any(|node| node.up) => Ok(()),
        ready => ready,
    };
    let mut body = json!({
        "ready": ready.is_ok(),
        "why": ready.as_ref().err(),
        "version": env!("CARGO_PKG_VERSION"),
        "provider": status.provider,
        "fallback": status.fallback,
        "runtime_version": status.runtime_version,
        "workers": status.workers,
        "threads": status.threads,
        "queues": {"pictures": status.queued_pictures, "sentences": status.queued_sentences},
        "running": status.running,
        "models": status.models,
        "refused_models": status.refused_models,
        "nodes": nodes,
        "uptime_s": app.started.elapsed().as_secs(),
    });
    for (name, part) in &app.health {
        body[*name] = part();
    }
    match ready {
        Ok(()) => Json(body).into_response(),
        Err(why) => {
            let failure = Failure::from(TaskError::new(ErrorCode::RuntimeUnavailable, why));
            failure.mark((StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response())
        }
    }
}

/// `GET /metrics`, for Prometheus.
pub(super) async fn metrics(State(app): Shared) -> Response {
    let text = metric::render(&app.status(), app.bodies.held());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// `GET /api/failures`: tasks that failed for good, those that failed last first; `?limit=` shows fewer.
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
    Json(json!({
        "entries": app.ledger.len(),
        "capacity": app.config.failures.capacity,
        "failures": app.ledger.newest(limit),
    }))
    .into_response()
}

/// `GET /api/openapi.json`.
pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json")).into_response()
}
