//! What surrounds every request: an id, a span, one line in the log, a count.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, Span, field};
use viewfinder_core::{
    Fault,
    trace::{Context, REQUEST_ID},
};

use crate::{ROUTES, failure::Failure, log_limit::LogLimiter, metric, routes::App, stream::Peer};

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

pub(crate) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let context = Context::of(request.headers());
    let method = request.method().clone();
    let path: String = request.uri().path().chars().take(128).collect();
    let route = route(&path);
    let peer = request.extensions().get::<Peer>().map(|Peer(address)| *address);
    let id = context.id().clone();
    let id_text = id.to_str().unwrap_or_default();
    let (trace, asked, bytes) = (context.trace_id(), field::Empty, field::Empty);
    let span = tracing::info_span!("request", id = id_text, trace, %method, path, asked, bytes);
    let in_flight = metric::InFlight::start();
    let started = Instant::now();
    let answer = async move {
        let mut gone = Gone(Some(&app.lines));
        let mut response = next.run(request).await;
        gone.0 = None;
        let status = response.status().as_u16();
        metric::answered(route, status);
        let ms = started.elapsed().as_millis() as u64;
        tell(&app, status, ms, response.extensions().get(), peer);
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, id);
        // Nothing of it is for pages of others.
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
        drop(gone);
        drop(in_flight);
        response
    };
    context.scope(answer).instrument(span).await
}

/// Writes what the log is to know of an answer.
fn tell(app: &App, status: u16, ms: u64, failure: Option<&Failure>, peer: Option<SocketAddr>) {
    let Some(failure) = failure else {
        if let Some(unsaid) = (status >= 400).then(|| app.lines.one_more("")).flatten() {
            tracing::info!(status, ms, unsaid = counted(unsaid), "failed");
        } else {
            tracing::debug!(status, ms, "answered");
        }
        return;
    };
    let Failure { code, message, fault, .. } = failure;
    if failure.status == StatusCode::UNAUTHORIZED {
        app.key_refusals.one_more(peer, failure);
        tracing::debug!(status, ms, code, "failed");
        return;
    }
    match (app.lines.one_more(code), fault) {
        (None, _) => tracing::debug!(status, ms, code, message, "failed"),
        (Some(unsaid), Fault::Caller) => {
            tracing::info!(status, ms, code, message, unsaid = counted(unsaid), "failed");
        }
        // Somebody who runs this server has to know, whatever little they log.
        (Some(unsaid), _) => {
            tracing::warn!(status, ms, code, message, unsaid = counted(unsaid), "failed");
        }
    }
}

/// How many like it were not written before it, if there were any.
fn counted(unsaid: u64) -> Option<u64> {
    (unsaid > 0).then_some(unsaid)
}

/// The route as metrics call it; those with numbers in their paths go under one name.
fn route(path: &str) -> &'static str {
    let known = ROUTES.iter().map(|(_, route)| *route).find(|route| *route == path);
    let catalogue = || path.starts_with("/api/v1/").then_some("/api/v1");
    known.or_else(catalogue).unwrap_or("other")
}

/// Adds to the request's lines in the log what it asks for: tasks with their models, and the size of what they are
/// about. Its sender's own log tells time and model, so that the two can be matched.
pub(crate) fn note<'a>(questions: impl Iterator<Item = (&'static str, &'a str)>, bytes: usize) {
    let mut asked = String::new();
    for (task, model) in questions {
        if !asked.is_empty() {
            asked.push_str(", ");
        }
        asked.push_str(task);
        asked.push(' ');
        // Names come from outside and may be of any length.
        asked.extend(model.chars().take(64));
    }
    Span::current().record("asked", asked).record("bytes", bytes);
}

/// Says so when a request is dropped half-way.
struct Gone<'a>(Option<&'a LogLimiter>);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        if let Some(unsaid) = self.0.and_then(|lines| lines.one_more("gone")) {
            tracing::info!(unsaid = counted(unsaid), "the client went away");
        }
    }
}
