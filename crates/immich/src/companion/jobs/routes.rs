//! The routes of jobs, which Immich lacks: `/_viewfinder/jobs`, and each job below it.

use std::{sync::Arc, time::Duration};

use hyper::{
    Method, Request, Response, StatusCode,
    header::{CACHE_CONTROL, HeaderValue},
    http::request::Parts,
};
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;
use viewfinder_http::proxy::{Body, Visitor};

use super::{
    Queue,
    start::{allowed, kind, start},
};
use crate::companion::{
    Companion,
    as_caller::Sender,
    judge::user,
    metric,
    read::{self, Read, Why},
    reply,
    shared_link::is_of_shared_link,
};

const PATH: &str = "/_viewfinder/jobs";

const LABEL: &str = "viewfinder_jobs";

/// So long whoever stops a job waits for its pictures in hand.
const IN_HAND: Duration = Duration::from_secs(2);

/// Is this one of them?
pub(crate) fn is_ours(method: &Method, path: &str) -> bool {
    let rest = path.strip_prefix(PATH);
    match *method {
        Method::POST => rest == Some(""),
        Method::GET => rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        Method::DELETE => rest.is_some_and(|rest| rest.starts_with('/')),
        _ => false,
    }
}

/// Answers one of them.
pub(crate) async fn answer(
    companion: &Companion,
    request: Request<Body>,
    visitor: &Visitor,
) -> Response<Body> {
    let Some(jobs) = &companion.jobs else {
        return reply::coded(StatusCode::NOT_FOUND, "no_library", "nothing is known of Immich's library");
    };
    let mut response = if *request.method() == Method::POST {
        post(companion, jobs, request, visitor).await
    } else {
        let (parts, _) = request.into_parts();
        look(companion, jobs, &parts, visitor).await.unwrap_or_else(|refused| refused)
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Starts a job, or adds to one.
async fn post(
    companion: &Companion,
    jobs: &Arc<Queue>,
    request: Request<Body>,
    visitor: &Visitor,
) -> Response<Body> {
    let bad = |message| reply::coded(StatusCode::BAD_REQUEST, "bad_request", message);
    let read = match Read::json(companion, request, visitor).await {
        Ok(read) => read,
        Err(unread) => {
            return match unread.why {
                Why::Stranger(refusal) => *refusal,
                Why::Unfit => bad("the body must be JSON of 1 MiB at most; send large selections in parts"),
                Why::Slow => read::slow(),
                Why::Full => {
                    let message = "too much is asked for at once; try again";
                    reply::coded(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
                }
            };
        }
    };
    if is_of_shared_link(&read.parts) {
        return of_shared_link();
    }
    let Some(kind) = kind(&read).await else {
        return bad("the body must be an object, with refresh-ocr or refresh-smart-search as its name");
    };
    let (user, added) = match start(companion, jobs, kind, &read, visitor).await {
        Ok(started) => started,
        Err((outcome, response)) => {
            metric::ended(LABEL, outcome);
            return *response;
        }
    };
    metric::ended(LABEL, "answered");
    let Some(mut told) = jobs.told(user, added.id) else { return no_such_job() };
    if added.already {
        told["already"] = json!(true);
    }
    let mut response = reply::json(&read.parts.headers, &told);
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

/// Tells of jobs, or stops one.
async fn look(
    companion: &Companion,
    jobs: &Arc<Queue>,
    parts: &Parts,
    visitor: &Visitor,
) -> Result<Response<Body>, Response<Body>> {
    if is_of_shared_link(parts) {
        return Err(of_shared_link());
    }
    let stops = parts.method == Method::DELETE;
    let user = if stops {
        allowed(companion, parts, visitor).await.map_err(|(_, refused)| *refused)?.user
    } else {
        user(companion, parts, visitor).await?
    };
    let path = parts.uri.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let told = match path.strip_prefix(PATH).and_then(|rest| rest.strip_prefix('/')) {
        None => Some(jobs.told_all(user)),
        Some(id) => {
            let id = Uuid::parse_str(id).map_err(|_| no_such_job())?;
            if stops {
                stop(jobs, user, id).await;
            }
            jobs.told(user, id)
        }
    };
    // Whoever is here gives the jobs that wait for credentials new ones. They waited until now, and are told so.
    jobs.lend(user, &Arc::new(Sender::new(companion, parts, visitor)));
    Ok(reply::json(&parts.headers, &told.ok_or_else(no_such_job)?))
}

/// Stops a job, and waits a while for the pictures in hand, so that what is told of it is the end.
async fn stop(jobs: &Arc<Queue>, user: Uuid, id: Uuid) {
    jobs.stop(user, id).await;
    // Nothing was stopped of somebody else's job.
    if jobs.told(user, id).is_some() {
        let _ = timeout(IN_HAND, jobs.settle(id)).await;
    }
}

fn no_such_job() -> Response<Body> {
    reply::coded(StatusCode::NOT_FOUND, "no_such_job", "there is no such job")
}

fn of_shared_link() -> Response<Body> {
    reply::coded(StatusCode::FORBIDDEN, "shared_link", "shared links have no jobs")
}
