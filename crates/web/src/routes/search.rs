//! Searches.
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use viewfinder_catalog::{
    AssetId,
    search::{Cursor, Hit, MOST_HITS, Note, Page, Results, SearchError},
    view::MatchView,
};

use super::{Photos, Shared};
use crate::{
    extract::{Numbers, Parameters},
    problem::Problem,
    view::AssetView,
};

/// Hits on a page, unless asked for otherwise, and at most.
pub(super) const USUAL: usize = 60;
pub(super) const MOST: usize = 200;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchParameters {
    /// Words, or the query language.
    #[serde(default)]
    q: String,
    /// Hits on a page.
    #[param(minimum = 1, maximum = 200, default = 60)]
    limit: Option<usize>,
    /// From the page before.
    cursor: Option<String>,
}

/// A page of hits, best first.
#[derive(Serialize, ToSchema)]
#[schema(as = Results)]
pub(super) struct ResultsView {
    hits: Vec<HitView>,
    /// Cursor of the next page.
    #[schema(required)]
    next: Option<Cursor>,
    /// Hits on all pages.
    found: usize,
    notes: Vec<Note>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Hit)]
struct HitView {
    asset: AssetView,
    #[serde(flatten)]
    why: MatchView,
}

/// Search; without a query, all assets, newest first.
#[utoipa::path(
    get, path = "/api/v1/search",
    params(SearchParameters),
    responses((status = 200, description = "Done", body = ResultsView), (status = "default", response = Problem)),
)]
pub(super) async fn search(
    State(photos): Shared,
    Parameters(SearchParameters { q, limit, cursor }): Parameters<SearchParameters>,
) -> Result<Json<ResultsView>, Problem> {
    let page = page(limit, cursor);
    Ok(Json(photos.config.searcher.search(&q, &page).await?.into()))
}

/// Assets that show something similar.
#[utoipa::path(
    get, path = "/api/v1/assets/{id}/similar",
    params(("id" = i64, Path), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "Done", body = ResultsView), (status = "default", response = Problem)),
)]
pub(super) async fn similar(
    State(photos): Shared,
    Numbers([id]): Numbers<1>,
    Parameters(SearchParameters { limit, cursor, .. }): Parameters<SearchParameters>,
) -> Result<Json<ResultsView>, Problem> {
    let page = page(limit, cursor);
    Ok(Json(photos.config.searcher.similar(AssetId(id), &page).await?.into()))
}

/// Everything that a query finds, at most so much.
pub(super) async fn all(photos: &Photos, query: &str, most: usize) -> Result<Vec<AssetId>, Problem> {
    let mut found = Vec::new();
    let mut page = Page { cursor: None, limit: MOST_HITS };
    loop {
        let Results { hits, next, .. } = photos.config.searcher.search(query, &page).await?;
        found.extend(hits.into_iter().map(|hit| hit.asset.id));
        page.cursor = next;
        if page.cursor.is_none() || found.len() >= most {
            found.truncate(most);
            return Ok(found);
        }
    }
}

fn page(limit: Option<usize>, cursor: Option<String>) -> Page {
    Page { cursor: cursor.map(Cursor), limit: limit.unwrap_or(USUAL).clamp(1, MOST) }
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Query(error) => {
                Self { character: Some(error.character), ..Self::bad("query_invalid", &error) }
            }
            SearchError::BadCursor => Self::bad("cursor_invalid", error),
            SearchError::NoVector => {
                Self::new(StatusCode::NOT_FOUND, "vector_missing", "Nothing to compare", error)
            }
            SearchError::Store(error) => error.into(),
        }
    }
}

impl From<Results> for ResultsView {
    fn from(Results { hits, next, found, notes }: Results) -> Self {
        Self { hits: hits.into_iter().map(HitView::from).collect(), next, found, notes }
    }
}

impl From<Hit> for HitView {
    fn from(hit: Hit) -> Self {
        let (asset, why) = MatchView::of(hit);
        Self { asset: asset.into(), why }
    }
}
