//! Signing in with a browser, which cannot show a key in a header when it asks for a picture.
use axum::{
    extract::Extension,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use viewfinder_gateway::AddressKey;

use crate::{extract::Body, problem::Problem};

#[derive(Deserialize)]
pub(crate) struct Shown {
    key: String,
}

/// `POST /api/v1/session`: gives the cookie that stands for the key of this address.
pub(crate) async fn sign_in(
    key: Option<Extension<AddressKey>>,
    headers: HeaderMap,
    Body(Shown { key: shown }): Body<Shown>,
) -> Response {
    let Some(Extension(key)) = key else { return StatusCode::NO_CONTENT.into_response() };
    let Some(cookie) = key.cookie(&shown) else {
        let detail = "that is not the key of this address";
        return Problem::new(StatusCode::UNAUTHORIZED, "key_wrong", "Wrong key", detail).into_response();
    };
    // Behind a proxy that speaks TLS the cookie must not travel without it.
    let secure = headers.get("x-forwarded-proto").is_some_and(|protocol| protocol == "https");
    let cookie = format!("{cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000");
    let cookie = if secure { format!("{cookie}; Secure") } else { cookie };
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response(),
        Err(error) => Problem::internal(error).into_response(),
    }
}
