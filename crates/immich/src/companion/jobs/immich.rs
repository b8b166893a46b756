//! The route of Immich's own jobs for single assets, which takes ours too.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::{HeaderMap, Request, Response, StatusCode, header::COOKIE};
use tokio::time::timeout;
use viewfinder_http::proxy::{Body, Visitor};

use super::{
    Queue,
    job::End,
    start::{kind, start},
};
use crate::{
    companion::{Companion, metric, read::Read, reply, shared_link::is_of_shared_link},
    library::RerunKind,
};

/// The route.
pub(crate) const PATH: &str = "/api/assets/jobs";

const LABEL: &str = "jobs";

/// So long an answer waits for the job's end, which may tell a failure. A few pictures are done by then; more go on.
const PATIENCE: Duration = Duration::from_secs(3);

/// The cookie by which the page's script says that one of Immich's jobs was chosen only to learn what is selected, and must not
/// be done.
const LISTENING: &str = "viewfinder_listening=1";

/// Starts a job of ours, or lets Immich do its own.
pub(crate) async fn answer(
    companion: &Companion,
    request: Request<Body>,
    visitor: &Visitor,
) -> Response<Body> {
    let read = match Read::json(companion, request, visitor).await {
        Ok(read) => read,
        Err(unread) if only_listens(unread.request.headers()) => return not_meant(),
        Err(unread) => return unread.forward(companion, visitor).await,
    };
    let kind = kind(&read).await.filter(|_| !is_of_shared_link(&read.parts));
    let (Some(jobs), Some(kind)) = (companion.jobs.as_ref(), kind) else {
        // Immich does its own, if it is meant to.
        if only_listens(&read.parts.headers) {
            return not_meant();
        }
        return companion.client.proxy().forward(read.again(), visitor).await;
    };
    let started = Instant::now();
    let (outcome, response) = run(companion, jobs, kind, &read, visitor).await;
    metric::ended(LABEL, outcome);
    metric::took(LABEL, started.elapsed());
    response
}

fn not_meant() -> Response<Body> {
    reply::refusal(StatusCode::BAD_REQUEST, "this job is not meant to be done")
}

fn only_listens(headers: &HeaderMap) -> bool {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).any(|cookie| cookie.trim() == LISTENING)
}

async fn run(
    companion: &Companion,
    jobs: &Arc<Queue>,
    kind: RerunKind,
    read: &Read,
    visitor: &Visitor,
) -> (&'static str, Response<Body>) {
    let (_, added) = match start(companion, jobs, kind, read, visitor).await {
        Ok(started) => started,
        Err((outcome, response)) => return (outcome, *response),
    };
    match timeout(PATIENCE, jobs.end(added.id)).await {
        Ok(Some((End::Failed, message))) => {
            let message = message.unwrap_or_default();
            ("failed", reply::coded(StatusCode::SERVICE_UNAVAILABLE, "failed", &message))
        }
        // A key that starts jobs need not be one that sees pictures: Immich's own jobs are accepted from it, so ours are. The
        // job itself says that it was refused the previews.
        _ => ("answered", reply::done()),
    }
}
