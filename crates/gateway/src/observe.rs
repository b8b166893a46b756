//! What surrounds every request: an id, a span, one line in the log, a count.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, Span, field};
use viewfinder_engine::Fault;

use crate::{ROUTES, failure::Failure, metric};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let id = given_id(request.headers()).unwrap_or_else(new_id);
    let method = request.method().clone();
    let path: String = request.uri().path().chars().take(128).collect();
    let route = ROUTES.iter().find(|(_, route)| *route == path).map_or("other", |(_, route)| route);
    let id_text = id.to_str().unwrap_or_default();
    let (asked, bytes) = (field::Empty, field::Empty);
    let span = tracing::info_span!("request", id = id_text, %method, path, asked, bytes);
    let in_flight = metric::InFlight::start();
    let started = Instant::now();
    async move {
        let mut gone = Gone { still_here: false };
        let mut response = next.run(request).await;
        gone.still_here = true;
        let status = response.status().as_u16();
        metric::answered(route, status);
        let ms = started.elapsed().as_millis() as u64;
        match response.extensions().get::<Failure>() {
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
    }
    .instrument(span)
    .await
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

/// The caller's own id, if it is fit for a log.
fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(REQUEST_ID)?;
    let fit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    (!id.is_empty() && id.len() <= 128 && id.as_bytes().iter().all(fit)).then(|| id.clone())
}

/// Unique among the processes of one installation: a random half, and a count.
fn new_id() -> HeaderValue {
    static PROCESS: OnceLock<u32> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let process = PROCESS.get_or_init(|| RandomState::new().build_hasher().finish() as u32);
    let id = format!("{process:08x}-{:06x}", COUNT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}
