//! Analyses done again.
use std::{collections::HashSet, sync::Arc};

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use viewfinder_catalog::{AnalysisKind, AssetId};

use super::{Photos, Shared, search, to_the_end};
use crate::{
    extract::{Body, Numbers},
    jobs::{JobKind, JobView},
    problem::Problem,
    view::kind,
};

/// Assets that one request may have done again; more are a matter for the command line.
const MOST: usize = 10_000;

#[derive(Deserialize, ToSchema)]
pub(super) struct RerunOne {
    #[schema(value_type = Vec<AnalysisKind>)]
    kinds: Vec<String>,
    /// Replace lines that a person corrected, too.
    #[serde(default)]
    replace_corrections: bool,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct RerunMany {
    #[schema(value_type = Vec<AnalysisKind>)]
    kinds: Vec<String>,
    /// Which: a search.
    query: String,
    #[serde(default)]
    replace_corrections: bool,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Queued {
    /// Number of the job.
    job: u64,
    /// Assets in it.
    assets: usize,
}

#[derive(Serialize, ToSchema)]
pub(super) struct AllJobs {
    jobs: Vec<JobView>,
}

/// Do analyses of an asset again.
#[utoipa::path(
    post, path = "/api/v1/assets/{id}/rerun",
    params(("id" = i64, Path)), request_body = RerunOne,
    responses((status = 202, description = "Queued", body = Queued), (status = "default", response = Problem)),
)]
pub(super) async fn rerun_one(
    State(photos): Shared,
    Numbers([id]): Numbers<1>,
    Body(RerunOne { kinds, replace_corrections }): Body<RerunOne>,
) -> Result<(StatusCode, Json<Queued>), Problem> {
    let asset = photos.asset(AssetId(id)).await?;
    rerun(&photos, vec![asset.id], &kinds, replace_corrections).await
}

/// Do analyses of all assets that a query finds again.
#[utoipa::path(
    post, path = "/api/v1/rerun",
    request_body = RerunMany,
    responses((status = 202, description = "Queued", body = Queued), (status = "default", response = Problem)),
)]
pub(super) async fn rerun_many(
    State(photos): Shared,
    Body(RerunMany { kinds, query, replace_corrections }): Body<RerunMany>,
) -> Result<(StatusCode, Json<Queued>), Problem> {
    let assets = search::all(&photos, &query, MOST).await?;
    rerun(&photos, assets, &kinds, replace_corrections).await
}

/// Jobs, newest first.
#[utoipa::path(
    get, path = "/api/v1/jobs",
    responses((status = 200, description = "Done", body = AllJobs), (status = "default", response = Problem)),
)]
pub(super) async fn jobs(State(photos): Shared) -> Json<AllJobs> {
    Json(AllJobs { jobs: photos.jobs.all() })
}

async fn rerun(
    photos: &Arc<Photos>,
    assets: Vec<AssetId>,
    names: &[String],
    replace_corrections: bool,
) -> Result<(StatusCode, Json<Queued>), Problem> {
    let offered = &photos.config.kinds;
    let asked: Option<HashSet<AnalysisKind>> =
        names.iter().map(|name| kind(name).filter(|kind| offered.contains(kind))).collect();
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else {
        let known: Vec<_> = offered.iter().map(|kind| kind.as_str()).collect();
        return Err(Problem::bad("kind_unknown", format!("kinds must name some of {}", known.join(", "))));
    };
    // Once each, however often it was named: each is a task of its own.
    let kinds: Vec<_> = offered.iter().copied().filter(|kind| asked.contains(kind)).collect();
    let count = assets.len();
    let shared = Arc::clone(photos);
    let job = to_the_end(async move {
        for kind in &kinds {
            shared.store().forget(*kind, &assets, replace_corrections).await?;
        }
        shared
            .jobs
            .add(JobKind::Rerun { kinds, assets })
            .map_err(|full| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many jobs", full))
    })
    .await?;
    Ok((StatusCode::ACCEPTED, Json(Queued { job, assets: count })))
}
