//! How far everything is.
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::{ToSchema, openapi::OpenApi};
use viewfinder_catalog::{Counts, view::CountsView};

use super::{
    Photos, PhotosConfig, Shared,
    catalogue::{ABSENT, Door},
    document::DOCUMENT,
};
use crate::{problem::Problem, view::AssetView};

/// Failures that are listed.
const FAILURES: usize = 500;

#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    version: &'static str,
    catalog: CatalogState,
    /// The command that adds a folder, which follows behind.
    index_command: String,
    counts: CountsView,
    /// Assets that wait for the analysis of which most are waiting.
    waiting: u64,
    /// Assets that failed in the analysis of which most failed.
    failed: u64,
    models: Models,
    /// Changes whenever a search could find something else.
    revision: i64,
}

/// Is there anything to see?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum CatalogState {
    /// No folder was ever indexed.
    Absent,
    /// Folders were indexed, and there is no picture.
    Empty,
    Ready,
}

#[derive(Default, Serialize, ToSchema)]
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
pub(super) async fn status(State(Door(catalogue)): State<Door>) -> Result<Json<Status>, Problem> {
    let index_command = catalogue.index_command.clone();
    match catalogue.photos() {
        Ok(photos) => Ok(Json(of(&photos, index_command).await?)),
        Err(Problem { code: ABSENT, .. }) => Ok(Json(Status {
            version: env!("CARGO_PKG_VERSION"),
            catalog: CatalogState::Absent,
            index_command,
            counts: Counts::default().into(),
            waiting: 0,
            failed: 0,
            models: Models::default(),
            revision: 0,
        })),
        Err(problem) => Err(problem),
    }
}

async fn of(photos: &Photos, index_command: String) -> Result<Status, Problem> {
    let (counts, revision) = (photos.store().counts().await?, photos.store().revision().await?);
    let PhotosConfig { kinds, models, sentence_model, .. } = &photos.config;
    let most =
        |state: usize| kinds.iter().map(|kind| counts.states[*kind as usize][state]).max().unwrap_or(0);
    Ok(Status {
        version: env!("CARGO_PKG_VERSION"),
        catalog: if counts.assets == 0 { CatalogState::Empty } else { CatalogState::Ready },
        index_command,
        waiting: most(0),
        failed: most(2),
        counts: counts.into(),
        models: Models {
            ocr: models.ocr.clone(),
            clip: models.clip.clone(),
            faces: models.faces.clone(),
            sentences: sentence_model.clone(),
        },
        revision,
    })
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
