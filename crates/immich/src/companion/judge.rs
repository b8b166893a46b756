//! What Immich says of a caller.

use hyper::{Method, Response, StatusCode, http::request::Parts};
use serde_json::Value;
use tokio::time::timeout;
use uuid::Uuid;
use viewfinder_http::proxy::{Body, Visitor};

use crate::{
    client::Client,
    companion::{Companion, reply},
    library::Caller,
};

/// Immich's word on a request.
pub(crate) enum Authorization {
    /// It would answer this caller; with its answer to the probe.
    Granted(Caller, Value),
    /// It refuses, in these words.
    Refused(Box<Response<Body>>),
    /// Something unexpected, or no word at all.
    Unclear(String),
}

/// A request that Immich refuses for the same reasons as another one, and that changes nothing.
pub(crate) struct Probe {
    pub(crate) path: &'static str,
    pub(crate) body: Value,
    /// Answers of it that mean yes.
    pub(crate) granted: &'static [StatusCode],
    /// Whoever may not ask who they are is refused too.
    pub(crate) needs_user: bool,
}

/// Sends a probe as the caller, and asks who that is, all at once.
pub(crate) async fn judge(client: &Client, visitor: &Visitor, parts: &Parts, probe: &Probe) -> Authorization {
    let (probed, user, session) = tokio::join!(
        client.as_sender(visitor, parts, Method::POST, probe.path, Some(&probe.body)),
        client.as_sender(visitor, parts, Method::GET, "/api/users/me", None),
        // Sessions only: an API key is never elevated, and is refused here.
        client.as_sender(visitor, parts, Method::GET, "/api/auth/status", None),
    );
    let probed = match probed {
        Ok(answer) => answer,
        Err(error) => return Authorization::Unclear(error),
    };
    if !probe.granted.contains(&probed.status) {
        return if probed.status.is_client_error() {
            Authorization::Refused(Box::new(probed.relay()))
        } else {
            Authorization::Unclear(format!("{} answers {}", probe.path, probed.status))
        };
    }
    let user = match user {
        Ok(answer) if probe.needs_user && answer.status.is_client_error() => {
            return Authorization::Refused(Box::new(answer.relay()));
        }
        Ok(answer) => answer,
        Err(error) => return Authorization::Unclear(error),
    };
    let id = user.json().and_then(|user| Uuid::parse_str(user.get("id")?.as_str()?).ok());
    let Some(user) = id else {
        return Authorization::Unclear(format!("/api/users/me answers {} and no id", user.status));
    };
    let elevated = session.ok().and_then(|answer| answer.json()?.get("isElevated")?.as_bool());
    let answer = probed.json().unwrap_or_default();
    Authorization::Granted(Caller { user, elevated: elevated.unwrap_or(false) }, answer)
}

/// Who asks, by Immich's word, where nothing else has to be allowed; or its refusal.
pub(crate) async fn user(
    companion: &Companion,
    parts: &Parts,
    visitor: &Visitor,
) -> Result<Uuid, Response<Body>> {
    let asked = companion.client.as_sender(visitor, parts, Method::GET, "/api/users/me", None);
    let asked = timeout(companion.time, asked).await.map_err(|_| unauthorized())?;
    let answer = asked.map_err(|_| unauthorized())?;
    if answer.status.is_client_error() {
        return Err(answer.relay());
    }
    let id = answer.json().and_then(|user| Uuid::parse_str(user.get("id")?.as_str()?).ok());
    id.ok_or_else(unauthorized)
}

/// Immich's word on a caller is missing.
pub(crate) fn unauthorized() -> Response<Body> {
    reply::coded(StatusCode::BAD_GATEWAY, "unclear", "Immich does not say who asks")
}
