//! The status page for people, at the address where Immich's server looks for a greeting.

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::notice::wants_page;

/// Only what this server sent may run or be shown, and nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// What Immich's server looks for.
#[derive(Serialize, ToSchema)]
struct Greeting {
    message: &'static str,
}

/// Greeting for programs, status page for browsers (Accept: text/html).
#[utoipa::path(
    get, path = "/", tag = "immich",
    responses((
        status = 200, description = "Greeting or page",
        content((Greeting = "application/json"), (String = "text/html")),
    )),
)]
pub(super) async fn root(headers: HeaderMap) -> Response {
    let mut response = if wants_page(&headers) {
        page()
    } else {
        Json(Greeting { message: viewfinder_wire::immich::GREETING }).into_response()
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// The page itself, without anything of what it will show.
fn page() -> Response {
    page_file("text/html; charset=utf-8", include_str!("../page/index.html"))
}

/// What all pages have in common.
#[utoipa::path(
    get, path = "/ui/base.css", tag = "viewfinder",
    responses((status = 200, description = "Style", body = String, content_type = "text/css")),
)]
pub(super) async fn base() -> Response {
    page_file(CSS, include_str!("../page/base.css"))
}

/// The language of all pages.
#[utoipa::path(
    get, path = "/ui/language.js", tag = "viewfinder",
    responses((status = 200, description = "Script", body = String, content_type = "text/javascript")),
)]
pub(super) async fn language() -> Response {
    page_file(JAVASCRIPT, include_str!("../page/language.js"))
}

/// What errors mean, in words.
#[utoipa::path(
    get, path = "/ui/errors.js", tag = "viewfinder",
    responses((status = 200, description = "Script", body = String, content_type = "text/javascript")),
)]
pub(super) async fn errors() -> Response {
    page_file(JAVASCRIPT, include_str!("../page/errors.js"))
}

/// Part of the status page.
#[utoipa::path(
    get, path = "/ui/style.css", tag = "viewfinder",
    responses((status = 200, description = "Style", body = String, content_type = "text/css")),
)]
pub(super) async fn style() -> Response {
    page_file(CSS, include_str!("../page/style.css"))
}

/// Part of the status page.
#[utoipa::path(
    get, path = "/ui/words.js", tag = "viewfinder",
    responses((status = 200, description = "Script", body = String, content_type = "text/javascript")),
)]
pub(super) async fn words() -> Response {
    page_file(JAVASCRIPT, include_str!("../page/words.js"))
}

/// Part of the status page.
#[utoipa::path(
    get, path = "/ui/script.js", tag = "viewfinder",
    responses((status = 200, description = "Script", body = String, content_type = "text/javascript")),
)]
pub(super) async fn script() -> Response {
    page_file(JAVASCRIPT, include_str!("../page/script.js"))
}

/// Part of the page that asks for a key.
#[utoipa::path(
    get, path = "/ui/key.js", tag = "viewfinder",
    responses((status = 200, description = "Script", body = String, content_type = "text/javascript")),
)]
pub(super) async fn key() -> Response {
    page_file(JAVASCRIPT, include_str!("../notice/key.js"))
}

/// A file of a page, of which browsers run and show nothing from elsewhere.
pub fn page_file(content_type: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}
