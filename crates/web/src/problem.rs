//! How the API says no: problem details (RFC 9457), with a stable code.
use std::fmt::Display;

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    ToResponse, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, Response as Described, ResponseBuilder},
};
use viewfinder_catalog::StoreError;
use viewfinder_core::short;

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    #[serde(serialize_with = "number")]
    #[schema(value_type = u16)]
    pub(crate) status: StatusCode,
    /// Stable: `not_found`, `token_needed`, `key_missing`, `key_wrong`, `too_many_tries`, `query_invalid`,
    /// `cursor_invalid`, `vector_missing`, `kind_unknown`, `line_unfit`, `name_unfit`, `people_unfit`, `clip_off`,
    /// `body_invalid`, `body_slow`, `parameter_invalid`, `range_invalid`, `file_gone`, `picture_unreadable`,
    /// `storage_busy`, `busy`, `catalogue_absent`, `catalogue_away`, `catalogue_unusable`, `catalogue_damaged`, `internal`; of a picture that
    /// was sent along also the codes of tasks, such as `image_undecodable` and `model_missing_offline`.
    pub(crate) code: &'static str,
    /// What kind of problem it is, the same for a code.
    pub(crate) title: &'static str,
    /// One line for people.
    pub(crate) detail: String,
    /// The character of a query that it is about, counted from zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = usize)]
    pub(crate) character: Option<usize>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Display,
    ) -> Self {
        Self { status, code, title, detail: short(detail), character: None }
    }

    /// Seconds after which it may be tried again.
    fn retry_after(&self) -> Option<u64> {
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => Some(5),
            StatusCode::TOO_MANY_REQUESTS => Some(60),
            _ => None,
        }
    }

    pub(crate) fn no_such(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", format!("there is no such {what}"))
    }

    pub(crate) fn bad(code: &'static str, detail: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "The request cannot be understood", detail)
    }

    pub(crate) fn internal(detail: impl Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong", detail)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
            StoreError::TooNew { .. } | StoreError::Unusable(_) | StoreError::Damaged(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            StoreError::Internal(_) => return Self::internal(error),
        };
        Self::new(status, error.code(), "The catalogue does not answer", error)
    }
}

impl ToResponse<'static> for Problem {
    fn response() -> (&'static str, RefOr<Described>) {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new().description("A problem");
        ("Problem", response.content("application/problem+json", content.build()).into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(code = self.code, detail = self.detail, "the catalogue's API failed");
        }
        let mut response = (self.status, Json(&self)).into_response();
        let headers = response.headers_mut();
        headers
            .insert(header::CONTENT_TYPE, axum::http::HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, axum::http::HeaderValue::from(seconds));
        }
        response
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn number<S: serde::Serializer>(status: &StatusCode, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u16(status.as_u16())
}
