//! What Immich says of a caller.

use hyper::{Method, Response, StatusCode, http::request::Parts};
use serde_json::Value;
use uuid::Uuid;
use viewfinder_proxy::{Body, Proxy, Visitor};

use crate::{Caller, ask};

/// Immich's word on a request.
pub(crate) enum Verdict {
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
pub(crate) async fn judge(proxy: &Proxy, visitor: &Visitor, parts: &Parts, probe: &Probe) -> Verdict {
    let (probed, user, session) = tokio::join!(
        ask::as_sender(proxy, visitor, parts, Method::POST, probe.path, Some(&probe.body)),
        ask::as_sender(proxy, visitor, parts, Method::GET, "/api/users/me", None),
        // Sessions only: an API key is never elevated, and is refused here.
        ask::as_sender(proxy, visitor, parts, Method::GET, "/api/auth/status", None),
    );
    let probed = match probed {
        Ok(answer) => answer,
        Err(error) => return Verdict::Unclear(error),
    };
    if !probe.granted.contains(&probed.status) {
        return if probed.status.is_client_error() {
            Verdict::Refused(Box::new(probed.relay()))
        } else {
            Verdict::Unclear(format!("{} answers {}", probe.path, probed.status))
        };
    }
    let user = match user {
        Ok(answer) if probe.needs_user && answer.status.is_client_error() => {
            return Verdict::Refused(Box::new(answer.relay()));
        }
        Ok(answer) => answer,
        Err(error) => return Verdict::Unclear(error),
    };
    let id = user.json().and_then(|user| Uuid::parse_str(user.get("id")?.as_str()?).ok());
    let Some(user) = id else {
        return Verdict::Unclear(format!("/api/users/me answers {} and no id", user.status));
    };
    let elevated = session.ok().and_then(|answer| answer.json()?.get("isElevated")?.as_bool());
    let answer = probed.json().unwrap_or_default();
    Verdict::Granted(Caller { user, elevated: elevated.unwrap_or(false) }, answer)
}
