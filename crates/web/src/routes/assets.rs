//! One asset: what is known about it, and what a person corrects.
use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;
use viewfinder_catalog::{AssetId, PersonId};

use super::{Shared, to_the_end};
use crate::{
    extract::{Body, Numbers},
    problem::Problem,
    view::{FaceView, FullAssetView, PersonView},
};

/// Longer lines are refused, in characters.
const LONGEST_LINE: usize = 1000;

/// Everything known about an asset.
#[utoipa::path(
    get, path = "/api/v1/assets/{id}",
    params(("id" = i64, Path)),
    responses((status = 200, description = "Done", body = FullAssetView), (status = "default", response = Problem)),
)]
pub(super) async fn asset(
    State(photos): Shared,
    Numbers([id]): Numbers<1>,
) -> Result<Json<FullAssetView>, Problem> {
    let id = AssetId(id);
    let asset = photos.asset(id).await?;
    let store = photos.store();
    let lines = store.lines(&[id]).await?.pop().unwrap_or_default();
    let faces = store.faces(id).await?;
    let mut persons: Vec<PersonId> = Vec::new();
    for person in faces.iter().filter_map(|face| face.person) {
        if !persons.contains(&person) {
            persons.push(person);
        }
    }
    let known = store.people_of(&persons).await?;
    let named = |person: PersonId| {
        let name = known.iter().find(|known| known.id == person).map(|known| known.name.clone());
        PersonView { id: person.0, name: name.unwrap_or_default() }
    };
    let people = persons.into_iter().map(named).collect();
    let faces = faces.iter().enumerate().map(|(place, face)| FaceView::of(&asset, place, face)).collect();
    Ok(Json(FullAssetView { asset: asset.into(), lines, faces, people }))
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Correction {
    text: String,
}

/// Correct a line of text by hand.
#[utoipa::path(
    patch, path = "/api/v1/assets/{id}/lines/{line}",
    params(("id" = i64, Path), ("line" = usize, Path)), request_body = Correction,
    responses((status = 200, description = "Done", body = FullAssetView), (status = "default", response = Problem)),
)]
pub(super) async fn correct(
    State(photos): Shared,
    Numbers([id, line]): Numbers<2>,
    Body(Correction { text }): Body<Correction>,
) -> Result<Json<FullAssetView>, Problem> {
    let text = text.trim().to_owned();
    if text.is_empty() || text.chars().count() > LONGEST_LINE || text.chars().any(char::is_control) {
        let detail = format!("a line is one to {LONGEST_LINE} characters long, without line breaks");
        return Err(Problem::bad("line_unfit", detail));
    }
    let line = usize::try_from(line).map_err(|_| Problem::no_such("line"))?;
    let shared = Arc::clone(&photos);
    let found =
        to_the_end(async move { Ok(shared.store().correct(AssetId(id), line, &text).await?) }).await?;
    if !found {
        return Err(Problem::no_such("line"));
    }
    asset(State(photos), Numbers([id])).await
}
