//! What surrounds every request: an id, a span, one line in the log, a count.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, Span, field};
use viewfinder_engine::Fault;
use viewfinder_trace::{Context, REQUEST_ID};

use crate::{ROUTES, failure::Failure, metric, routes::App, stream::Peer};

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
        let mut gone = Gone { still_here: false };
        let mut response = next.run(request).await;
        gone.still_here = true;
        let status = response.status().as_u16();
        metric::answered(route, status);
        let ms = started.elapsed().as_millis() as u64;
        match response.extensions().get::<Failure>() {
            Some(failure) if failure.status == StatusCode::UNAUTHORIZED => {
                app.knocks.one_more(peer, failure);
                tracing::debug!(status, ms, code = failure.code, "failed");
            }
            Some(Failure { code, message, fault: Fault::Caller, .. }) => {
                tracing::info!(status, ms, code, message, "failed");
            }
            // Somebody who runs this server has to know, whatever little they log.
            Some(Failure { code, message, .. }) => tracing::warn!(status, ms, code, message, "failed"),
            None if status >= 400 => tracing::info!(status, ms, "failed"),
            None => tracing::debug!(status, ms, "answered"),
        }
        response.headers_mut().insert(REQUEST_ID, id);
        drop(in_flight);
        response
    };
    context.scope(answer).instrument(span).await
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
struct Gone {
    still_here: bool,
}

impl Drop for Gone {
    fn drop(&mut self) {
        if !self.still_here {
            tracing::info!("the client went away");
        }
    }
}
