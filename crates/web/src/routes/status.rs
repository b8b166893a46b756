//! How far everything is.
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::{ToSchema, openapi::OpenApi};
use viewfinder_catalog::view::CountsView;

use super::{Shared, document::DOCUMENT};
use crate::{problem::Problem, view::AssetView};

/// Failures that are listed.
const FAILURES: usize = 500;

#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    version: &'static str,
    counts: CountsView,
    /// Assets that wait for the analysis of which most are waiting.
    waiting: u64,
    /// Assets that failed in the analysis of which most failed.
    failed: u64,
    models: Models,
    /// Changes whenever a search could find something else.
    revision: i64,
}

#[derive(Serialize, ToSchema)]
struct Models {
    ocr: String,
    clip: String,
    faces: String,
    sentences: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Failures {
    assets: Vec<AssetView>,
}

/// How far the analysis is.
#[utoipa::path(
    get, path = "/api/v1/status",
    responses((status = 200, description = "Done", body = Status), (status = "default", response = Problem)),
)]
pub(super) async fn status(State(photos): Shared) -> Result<Json<Status>, Problem> {
    let (counts, revision) = (photos.store().counts().await?, photos.store().revision().await?);
    let config = &photos.config;
    let most = |state: usize| {
        config.kinds.iter().map(|kind| counts.states[*kind as usize][state]).max().unwrap_or(0)
    };
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        waiting: most(0),
        failed: most(2),
        counts: counts.into(),
        models: Models {
            ocr: config.models.ocr.clone(),
            clip: config.models.clip.clone(),
            faces: config.models.faces.clone(),
            sentences: config.sentence_model.clone(),
        },
        revision,
    }))
}

/// Assets for which something failed for good.
#[utoipa::path(
    get, path = "/api/v1/failures",
    responses((status = 200, description = "Done", body = Failures), (status = "default", response = Problem)),
)]
pub(super) async fn failures(State(photos): Shared) -> Result<Json<Failures>, Problem> {
    let assets = photos.store().failures(FAILURES).await?;
    Ok(Json(Failures { assets: assets.into_iter().map(AssetView::from).collect() }))
}

/// This document.
#[utoipa::path(
    get, path = "/api/v1/openapi.json",
    responses((status = 200, description = "OpenAPI", body = Object)),
)]
pub(super) async fn openapi() -> Json<&'static OpenApi> {
    Json(&DOCUMENT)
}
