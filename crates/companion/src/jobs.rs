//! Jobs for single assets that a stock Immich lacks.

use std::{sync::Arc, time::Instant};

use hyper::{HeaderMap, Request, Response, StatusCode, header::COOKIE};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use viewfinder_proxy::{Body, Visitor};

use crate::{
    Companion, LibraryError, RerunKind,
    as_caller::Sender,
    ask::{self, Read},
    judge::{Probe, Verdict, judge},
    metric, reply,
};

/// The route of jobs.
pub(crate) const PATH: &str = "/api/assets/jobs";

const LABEL: &str = "jobs";

/// The cookie by which the page's script says that one of Immich's jobs was chosen only to learn what is selected, and must not
/// be done.
const LISTENING: &str = "viewfinder_listening=1";

/// Does a job again, or lets Immich do its own.
pub(crate) async fn answer(
    companion: &Arc<Companion>,
    request: Request<Body>,
    visitor: &Visitor,
) -> Response<Body> {
    let read = match Read::json(request).await {
        Ok(read) => read,
        Err(request) => return leave(companion, request, visitor).await,
    };
    let body = read.object().filter(|_| companion.library.is_some() && !ask::is_of_shared_link(&read.parts));
    let Some((kind, body)) = body.and_then(|body| Some((kind(&body)?, body))) else {
        return leave(companion, read.again(), visitor).await;
    };
    let started = Instant::now();
    let (outcome, response) = run(companion, kind, &body, &read, visitor).await;
    metric::ended(LABEL, outcome);
    metric::took(LABEL, started.elapsed());
    response
}

/// Lets Immich do its own, if it is meant to.
async fn leave(companion: &Companion, request: Request<Body>, visitor: &Visitor) -> Response<Body> {
    if only_listens(request.headers()) {
        return reply::refusal(StatusCode::BAD_REQUEST, "this job is not meant to be done");
    }
    companion.proxy.forward(request, visitor).await
}

fn only_listens(headers: &HeaderMap) -> bool {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).any(|cookie| cookie.trim() == LISTENING)
}

/// What a job of ours does, by the names that the seed's fork of Immich gave them.
fn kind(body: &Map<String, Value>) -> Option<RerunKind> {
    match body.get("name")?.as_str()? {
        "refresh-ocr" => Some(RerunKind::Ocr),
        "refresh-smart-search" => Some(RerunKind::Clip),
        _ => None,
    }
}

async fn run(
    companion: &Arc<Companion>,
    kind: RerunKind,
    body: &Map<String, Value>,
    read: &Read,
    visitor: &Visitor,
) -> (&'static str, Response<Body>) {
    let refused = |message| ("refused", reply::refusal(StatusCode::BAD_REQUEST, message));
    // A job of Immich's own for no asset at all: Immich looks at who asks and at the key's permissions, and has nothing to
    // do. It looks at permissions before it looks at the body, so a version that dislikes the empty list allows it too.
    let probe = Probe {
        path: PATH,
        body: json!({"assetIds": [], "name": "refresh-faces"}),
        granted: &[StatusCode::NO_CONTENT, StatusCode::BAD_REQUEST],
        needs_user: true,
    };
    let caller = match judge(&companion.proxy, visitor, &read.parts, &probe).await {
        Verdict::Granted(caller, _) => caller,
        Verdict::Refused(response) => return ("refused", *response),
        Verdict::Unclear(why) => {
            if let Some(often) = companion.complaints.hear(("unclear_job", visitor.into())) {
                tracing::warn!(why, "a job cannot be judged{often}");
            }
            return ("unclear", reply::refusal(StatusCode::BAD_GATEWAY, "Immich does not say who asks"));
        }
    };
    let Some(assets) = assets(body) else { return refused("each value in assetIds must be a UUID") };
    let immich = Sender::new(companion, read, visitor);
    let done = companion.with_library(move |library| library.rerun(&caller, kind, &assets, &immich)).await;
    match done {
        Ok(()) => ("answered", reply::done()),
        Err(LibraryError::NotYours) => refused("Not found or no asset.update access"),
        Err(error @ (LibraryError::NotUnderstood(_) | LibraryError::NothingFound)) => {
            refused(&error.to_string())
        }
        Err(LibraryError::Failed { code, message }) => {
            if let Some(often) = companion.complaints.hear((code, (&caller).into())) {
                tracing::warn!(code, message, "a job failed{often}");
            }
            (code, reply::refusal(StatusCode::SERVICE_UNAVAILABLE, &message))
        }
    }
}

fn assets(body: &Map<String, Value>) -> Option<Vec<Uuid>> {
    let ids = body.get("assetIds")?.as_array()?;
    ids.iter().map(|id| Uuid::parse_str(id.as_str()?).ok()).collect()
}
