//! Searches by a picture that is sent along, and pictures of a person.
use std::time::Duration;

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use serde::Deserialize;
use tokio::time::timeout;
use utoipa::IntoParams;
use viewfinder_catalog::{
    AnalysisKind, PersonId,
    search::{Cursor, Page, QueryVector},
    unit,
};
use viewfinder_core::{
    Answer, DecodeRules, ErrorScope, PictureAnswer, PictureRequest, PictureTask, TaskError,
};
use viewfinder_server::discard;

use super::{
    Photos, Shared,
    search::{MOST, ResultsView, USUAL},
};
use crate::{
    extract::{Numbers, Parameters},
    problem::Problem,
};

/// Bytes of a picture that is sent along, at most, whatever others may have: the page makes larger ones smaller.
const MOST_BYTES: u64 = 32 << 20;
/// A picture takes longer to send than a line of text, over a phone's network too.
const PATIENCE: Duration = Duration::from_secs(60);
/// For one of the places.
const WAIT: Duration = Duration::from_secs(10);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PictureParameters {
    /// Filters of the query language: `path:`, `after:`, `before:`, `person:` and words with a minus.
    #[serde(default)]
    q: String,
    /// Hits, all on one page.
    #[param(minimum = 1, maximum = 200, default = 60)]
    limit: Option<usize>,
}

/// Search by a picture.
///
/// The body is the picture. It is compared with those of the catalogue, and not kept.
#[utoipa::path(
    post, path = "/api/v1/search/picture",
    params(PictureParameters), request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, description = "Done", body = ResultsView), (status = "default", response = Problem)),
)]
pub(super) async fn by_picture(
    State(photos): Shared,
    Parameters(PictureParameters { q, limit }): Parameters<PictureParameters>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ResultsView>, Problem> {
    if let Err(problem) = check(&photos, &headers) {
        discard(body).await;
        return Err(problem);
    }
    let place = timeout(WAIT, photos.sent.acquire()).await;
    let _place = place.map_err(|_| busy())?.map_err(Problem::internal)?;
    let bytes = read(body, most_bytes(&photos)).await?;
    let picture = vector(&photos, bytes).await?;
    let limit = limit.unwrap_or(USUAL).clamp(1, MOST);
    Ok(Json(photos.config.searcher.like(&picture, &q, limit).await?.into()))
}

/// Pictures of a person, newest first.
#[utoipa::path(
    get, path = "/api/v1/people/{id}/pictures",
    params(("id" = i64, Path), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "Done", body = ResultsView), (status = "default", response = Problem)),
)]
pub(super) async fn of_person(
    State(photos): Shared,
    Numbers([id]): Numbers<1>,
    Parameters(PageParameters { limit, cursor }): Parameters<PageParameters>,
) -> Result<Json<ResultsView>, Problem> {
    let page = Page { cursor: cursor.map(Cursor), limit: limit.unwrap_or(USUAL).clamp(1, MOST) };
    Ok(Json(photos.config.searcher.with_person(PersonId(id), &page).await?.into()))
}

#[derive(Deserialize)]
pub(super) struct PageParameters {
    limit: Option<usize>,
    cursor: Option<String>,
}

fn most_bytes(photos: &Photos) -> u64 {
    photos.config.limits.max_bytes.min(MOST_BYTES)
}

/// What can be said before any of it is read.
fn check(photos: &Photos, headers: &HeaderMap) -> Result<(), Problem> {
    if !photos.config.kinds.contains(&AnalysisKind::Clip) {
        let detail = "search by picture needs CLIP, which is switched off here; add clip to index.kinds";
        return Err(Problem::new(StatusCode::NOT_FOUND, "clip_off", "Search by picture is off", detail));
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    // A page of another site can send forms without being asked whether it may, but no pictures.
    if !kind.starts_with("image/") && kind != "application/octet-stream" {
        let detail = "send the picture itself as the body, with its type, such as image/jpeg";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "body_invalid", UNCLEAR, detail));
    }
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > most_bytes(photos)) {
        return Err(too_large(most_bytes(photos)));
    }
    Ok(())
}

const UNCLEAR: &str = "The body cannot be understood";

fn too_large(most: u64) -> Problem {
    let detail = format!("a picture to search by has at most {most} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "image_too_many_bytes", "The picture is too large", detail)
}

fn busy() -> Problem {
    let detail = "other pictures are being looked at; try again in a moment";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many pictures at once", detail)
}

async fn read(body: Body, most: u64) -> Result<Bytes, Problem> {
    let room = usize::try_from(most).unwrap_or(usize::MAX);
    let Ok(read) = timeout(PATIENCE, to_bytes(body, room)).await else {
        let detail = format!("the picture did not arrive within {} s", PATIENCE.as_secs());
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_slow", UNCLEAR, detail));
    };
    read.map_err(|error| {
        let source = std::error::Error::source(&error);
        if source.is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>) {
            too_large(most)
        } else {
            Problem::bad("body_invalid", format!("the picture broke off: {error}"))
        }
    })
}

/// What the picture shows, as the pictures of the catalogue were looked at.
async fn vector(photos: &Photos, bytes: Bytes) -> Result<QueryVector, Problem> {
    let model = photos.config.models.clip.clone();
    let request = PictureRequest {
        bytes,
        decode: DecodeRules::AS_SHOWN,
        tasks: vec![PictureTask::Embed { model: model.clone() }],
    };
    let PictureAnswer { answers, .. } = photos.config.backend.picture(request).await?;
    match answers.into_iter().next() {
        Some(Ok(Answer::Embedding(vector))) => Ok(QueryVector { model, vector: unit(&vector) }),
        Some(Err(error)) => Err(error.into()),
        _ => Err(TaskError::another_answer().into()),
    }
}

impl From<TaskError> for Problem {
    fn from(error: TaskError) -> Self {
        let title = match error.code.scope() {
            ErrorScope::Picture | ErrorScope::Attempt => "The picture cannot be compared",
            _ => "Pictures cannot be compared now",
        };
        let status = StatusCode::from_u16(error.code.http_status());
        Self::new(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), error.code.as_str(), title, &error)
    }
}
