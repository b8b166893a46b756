//! From a request to a job.

use std::sync::Arc;

use hyper::{Response, StatusCode, http::request::Parts};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;
use viewfinder_http::proxy::{Body, Visitor};

use super::{Queue, immich::PATH, queue::Added, table::Refusal};
use crate::{
    companion::{
        Companion,
        as_caller::Sender,
        judge::{Authorization, Probe, judge, unauthorized},
        read::Read,
        reply,
    },
    library::{Caller, Capability, LibraryError, RerunKind},
};

/// A refusal, with its name for metrics.
pub(super) type Refused = (&'static str, Box<Response<Body>>);

/// What a job of ours is called.
#[derive(Deserialize)]
struct JobName {
    name: RerunKind,
}

/// What it is to do.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewJob {
    asset_ids: Vec<Uuid>,
    /// The job that they are added to.
    job: Option<Uuid>,
}

/// What a job of ours does; none if it is one of Immich's.
pub(super) async fn kind(read: &Read) -> Option<RerunKind> {
    read.parse::<JobName>().await.map(|named| named.name)
}

/// Makes a job of a request's pictures, or adds them to one, if Immich lets the caller start jobs and all of the pictures are the
/// caller's own. Gives it with the caller's id.
pub(super) async fn start(
    companion: &Companion,
    jobs: &Arc<Queue>,
    kind: RerunKind,
    read: &Read,
    visitor: &Visitor,
) -> Result<(Uuid, Added), Refused> {
    let caller = allowed(companion, &read.parts, visitor).await?;
    let wanted = read.parse().await;
    let NewJob { asset_ids: assets, job: into } =
        wanted.ok_or_else(|| refused("each value in assetIds must be a UUID, and so must job"))?;
    let needed = match kind {
        RerunKind::Ocr => Capability::RedoText,
        RerunKind::Clip => Capability::RedoVectors,
    };
    if let Some(why) = companion.capabilities().told(needed) {
        return Err(refusal("unavailable", StatusCode::SERVICE_UNAVAILABLE, "unavailable", &why));
    }
    let library = companion.library.clone();
    let sender = Arc::new(Sender::new(companion, &read.parts, visitor));
    let jobs = Arc::clone(jobs);
    // What was begun for whoever leaves is done.
    let added = tokio::spawn(async move {
        if let Some(library) = library {
            library.require_own(&caller, &assets).await?;
        }
        Ok(jobs.add(&caller, kind, &assets, into, &sender).await)
    });
    let broke = |_| {
        let message = "the library broke over the question".to_owned();
        Err(LibraryError::Failed { code: "internal", message })
    };
    match added.await.unwrap_or_else(broke) {
        Ok(Ok(added)) => Ok((caller.user, added)),
        Ok(Err(reason)) => Err(too_much(reason)),
        Err(error) => {
            if let LibraryError::Failed { code, message } = &error
                && let Some(often) = companion.warnings.hear((code, (&caller).into()))
            {
                tracing::warn!(code, message, "a job cannot be started{often}");
            }
            Err(not_yours(&error))
        }
    }
}

/// Who asks, if Immich lets them start jobs, and so stop them.
pub(super) async fn allowed(
    companion: &Companion,
    parts: &Parts,
    visitor: &Visitor,
) -> Result<Caller, Refused> {
    // A job of Immich's own for no asset at all: Immich looks at who asks and at the key's permissions, and has nothing to
    // do. It looks at permissions before it looks at the body, so a version that dislikes the empty list allows it too.
    let probe = Probe {
        path: PATH,
        body: json!({"assetIds": [], "name": "refresh-faces"}),
        granted: &[StatusCode::NO_CONTENT, StatusCode::BAD_REQUEST],
        needs_user: true,
    };
    let judged = timeout(companion.time, judge(&companion.client, visitor, parts, &probe)).await;
    match judged.unwrap_or_else(|_| Authorization::Unclear("Immich does not answer in time".to_owned())) {
        Authorization::Granted(caller, _) => Ok(caller),
        Authorization::Refused(response) => Err(("refused", response)),
        Authorization::Unclear(why) => {
            if let Some(often) = companion.warnings.hear(("unclear_job", visitor.into())) {
                tracing::warn!(why, "a job cannot be judged{often}");
            }
            Err(("unclear", Box::new(unauthorized())))
        }
    }
}

fn refused(message: &str) -> Refused {
    refusal("refused", StatusCode::BAD_REQUEST, "bad_request", message)
}

fn refusal(outcome: &'static str, status: StatusCode, code: &str, message: &str) -> Refused {
    (outcome, Box::new(reply::coded(status, code, message)))
}

fn not_yours(error: &LibraryError) -> Refused {
    match error {
        LibraryError::NotYours => {
            let message = "Not found or no asset.update access";
            refusal("refused", StatusCode::BAD_REQUEST, "not_yours", message)
        }
        LibraryError::Unsupported(_) | LibraryError::NothingFound => refused(&error.to_string()),
        LibraryError::Failed { code, message } | LibraryError::Picture { code, message } => {
            refusal(code, StatusCode::SERVICE_UNAVAILABLE, code, message)
        }
    }
}

fn too_much(reason: Refusal) -> Refused {
    let (status, code) = match reason {
        Refusal::NothingToDo => (StatusCode::BAD_REQUEST, "no_pictures"),
        Refusal::NoSuchJob => (StatusCode::NOT_FOUND, "no_such_job"),
        Refusal::Ended => (StatusCode::CONFLICT, "job_ended"),
        Refusal::Stopped => (StatusCode::CONFLICT, "job_stopped"),
        Refusal::OtherKind => (StatusCode::CONFLICT, "other_job"),
        Refusal::JobFull => (StatusCode::PAYLOAD_TOO_LARGE, "job_full"),
        Refusal::UserFull => (StatusCode::TOO_MANY_REQUESTS, "too_many_pictures"),
        Refusal::TooManyJobs => (StatusCode::TOO_MANY_REQUESTS, "too_many_jobs"),
    };
    refusal("refused", status, code, &reason.to_string())
}
