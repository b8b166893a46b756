//! Signing in with a browser, which cannot show a key in a header when it asks for a picture.
use std::sync::Arc;

use axum::{
    extract::{Extension, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;
use viewfinder_server::{AddressKey, FailedAttempts, Peer};

use crate::{access::Access, extract::Body, problem::Problem};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Shown {
    key: String,
}

/// Who may sign in, and who has tried.
#[derive(Clone)]
pub(crate) struct SignIn {
    pub(crate) access: Arc<Access>,
    pub(crate) tries: Arc<FailedAttempts>,
}

/// Sign in a browser with the address's key.
///
/// Gives the cookie that stands for the key of this address, or for the token where it has no key.
#[utoipa::path(
    post, path = "/api/v1/session",
    request_body = Shown,
    responses((status = 204, description = "Done"), (status = "default", response = Problem)),
)]
pub(crate) async fn sign_in(
    State(SignIn { access, tries }): State<SignIn>,
    peer: Option<Extension<Peer>>,
    key: Option<Extension<AddressKey>>,
    headers: HeaderMap,
    Body(Shown { key: shown }): Body<Shown>,
) -> Response {
    let cookie = key.map_or_else(|| access.cookie(&shown), |Extension(key)| key.cookie(&shown));
    let Some(cookie) = cookie else {
        let peer = peer.map(|Extension(Peer(peer))| peer);
        if tries.wrong(peer, [shown.as_bytes()]).await.is_some() {
            return too_many();
        }
        let detail = "that is not the key of this address, nor the token of a page without one";
        return Problem::new(StatusCode::UNAUTHORIZED, "key_wrong", "Wrong key", detail).into_response();
    };
    match HeaderValue::from_str(&with_attributes(&cookie, &headers)) {
        Ok(cookie) => (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response(),
        Err(error) => Problem::internal(error).into_response(),
    }
}

/// What is said to a wrong key, or a wrong token, of somebody who has shown too many.
pub(crate) fn too_many() -> Response {
    let detail = "too many wrong keys came from where you are; try again in a minute";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", "Too many wrong keys", detail)
        .into_response()
}

/// A cookie for this site alone. Behind a proxy that speaks TLS it must not travel without it.
pub(crate) fn with_attributes(cookie: &str, headers: &HeaderMap) -> String {
    let secure = headers.get("x-forwarded-proto").is_some_and(|protocol| protocol == "https");
    let secure = if secure { "; Secure" } else { "" };
    format!("{cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000{secure}")
}
