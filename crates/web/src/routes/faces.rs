//! Faces: pictures of them, the faces of a person, and whose a face is.
use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use utoipa::ToSchema;
use viewfinder_catalog::{Asset, AssetId, PersonFace, PersonId};
use viewfinder_core::Alpha;
use viewfinder_image::decode;
use viewfinder_index::Converted;

use super::{
    Photos, Shared,
    files::{FOR_EVER, unread, unshowable},
    people::{EXAMPLES, PersonCard, cards, fit, one},
    to_the_end,
};
use crate::{
    extract::{Body, Numbers, Parameters},
    face_crop,
    problem::Problem,
    view::{AssetView, crop_of},
};

/// Faces on a page, unless asked for otherwise, and at most.
const USUAL: usize = 60;
const MOST: usize = 200;

/// A face that stands for a person.
#[derive(Serialize, ToSchema)]
pub(super) struct Example {
    /// Number of its picture.
    asset: i64,
    /// Its place among the picture's faces.
    face: usize,
    /// Address of a small picture of the face alone.
    crop: String,
}

/// A page of a person's faces, those of the newest pictures first.
#[derive(Serialize, ToSchema)]
pub(super) struct FacesOfPerson {
    faces: Vec<PersonFaceView>,
    /// Cursor of the next page.
    #[schema(required)]
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PersonFace)]
struct PersonFaceView {
    asset: AssetView,
    /// Its place among the picture's faces.
    face: usize,
    #[serde(rename = "box")]
    corners: [f32; 4],
    score: f32,
    /// Address of a small picture of the face alone.
    crop: String,
}

#[derive(Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct NewPerson {
    /// Number of the picture.
    asset: i64,
    /// Place of the face in it.
    face: usize,
    #[serde(default)]
    name: String,
}

/// A small picture of a face.
///
/// The square around it, at most 256 pixels wide.
#[utoipa::path(
    get, path = "/api/v1/assets/{id}/faces/{face}/crop",
    params(("id" = i64, Path), ("face" = usize, Path)),
    responses((status = 200, description = "JPEG", content(("image/jpeg"))), (status = "default", response = Problem)),
)]
pub(super) async fn crop(
    State(photos): Shared,
    Numbers([id, face]): Numbers<2>,
) -> Result<Response, Problem> {
    let asset = photos.asset(AssetId(id)).await?;
    let faces: Vec<_> = photos.store().faces(asset.id).await?.iter().map(|face| face.corners).collect();
    let wanted = usize::try_from(face).ok().and_then(|face| faces.get(face)).copied();
    let wanted = wanted.ok_or_else(|| Problem::no_such("face"))?;
    let (shared, hash) = (Arc::clone(&photos), asset.file.hash);
    let kept = move || face_crop::kept(&shared.thumbnails, &hash, wanted);
    let jpeg = if let Some(jpeg) = spawn_blocking(kept).await.map_err(Problem::internal)? {
        jpeg
    } else {
        let shared = Arc::clone(&photos);
        let make = move || {
            let thumbnails = &shared.thumbnails;
            // Whoever asked for another face of the picture has made this one, too.
            if let Some(jpeg) = face_crop::kept(thumbnails, &hash, wanted) {
                return Ok(jpeg);
            }
            let config = &shared.config;
            let read = config.pictures.read_blocking(&asset);
            let Converted { bytes, orient } = read.map_err(|error| unread(&asset, error))?;
            let picture = decode(&bytes, &config.limits).map_err(|error| unshowable(&error))?;
            let picture = picture.into_rgb(orient, Alpha::Contrast);
            Ok::<_, Problem>(face_crop::make(thumbnails, &hash, &picture, wanted, &faces))
        };
        photos.making.run(make).await??
    };
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], [(header::CACHE_CONTROL, FOR_EVER)], jpeg).into_response())
}

/// Faces of a person, those of the newest pictures first.
#[utoipa::path(
    get, path = "/api/v1/people/{id}/faces",
    params(("id" = i64, Path), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "Done", body = FacesOfPerson), (status = "default", response = Problem)),
)]
pub(super) async fn of_person(
    State(photos): Shared,
    Numbers([id]): Numbers<1>,
    Parameters(Page { limit, cursor }): Parameters<Page>,
) -> Result<Json<FacesOfPerson>, Problem> {
    let limit = limit.unwrap_or(USUAL).clamp(1, MOST);
    let after = cursor.map(|cursor| place(&cursor)).transpose()?;
    let mut faces = photos.store().faces_of(PersonId(id), after, limit + 1).await?;
    let more = faces.len() > limit;
    faces.truncate(limit);
    let next = faces.last().filter(|_| more).map(|last| format!("{}.{}", last.asset.0, last.place));
    let assets = assets_of(&photos, faces.iter()).await?;
    let shown = |face: &PersonFace| {
        let asset = assets.get(&face.asset)?;
        Some(PersonFaceView {
            crop: crop_of(asset, face.place, face.corners),
            asset: asset.clone().into(),
            face: face.place,
            corners: face.corners,
            score: face.score,
        })
    };
    Ok(Json(FacesOfPerson { faces: faces.iter().filter_map(shown).collect(), next }))
}

/// What a cursor says: the asset and the place of the last face.
fn place(cursor: &str) -> Result<(AssetId, usize), Problem> {
    let parts = cursor.split_once('.');
    let place = parts.and_then(|(asset, face)| Some((AssetId(asset.parse().ok()?), face.parse().ok()?)));
    place.ok_or_else(|| {
        Problem::bad("cursor_invalid", "this cursor is none of this list; begin again without one")
    })
}

/// A face is a person's.
///
/// What was said otherwise of it before does not hold any more.
#[utoipa::path(
    put, path = "/api/v1/people/{id}/faces/{asset}/{face}",
    params(("id" = i64, Path), ("asset" = i64, Path), ("face" = usize, Path)),
    responses((status = 204, description = "Done"), (status = "default", response = Problem)),
)]
pub(super) async fn assign(
    State(photos): Shared,
    Numbers([id, asset, face]): Numbers<3>,
) -> Result<StatusCode, Problem> {
    let face = usize::try_from(face).map_err(|_| no_face())?;
    let assigned = to_the_end(async move {
        Ok(photos.store().assign_by_hand(AssetId(asset), face, Some(PersonId(id))).await?)
    });
    assigned.await?.map(|_| StatusCode::NO_CONTENT).ok_or_else(no_face)
}

/// A face is not a person's.
///
/// It does not become that person's again when faces are found or grouped anew.
#[utoipa::path(
    delete, path = "/api/v1/people/{id}/faces/{asset}/{face}",
    params(("id" = i64, Path), ("asset" = i64, Path), ("face" = usize, Path)),
    responses((status = 204, description = "Done"), (status = "default", response = Problem)),
)]
pub(super) async fn reject(
    State(photos): Shared,
    Numbers([id, asset, face]): Numbers<3>,
) -> Result<StatusCode, Problem> {
    let face = usize::try_from(face).map_err(|_| no_face())?;
    let rejected =
        to_the_end(async move { Ok(photos.store().reject(AssetId(asset), face, PersonId(id)).await?) });
    if rejected.await? { Ok(StatusCode::NO_CONTENT) } else { Err(no_face()) }
}

fn no_face() -> Problem {
    Problem::no_such("face of this person")
}

/// A face is a new person's.
#[utoipa::path(
    post, path = "/api/v1/people",
    request_body = NewPerson,
    responses((status = 201, description = "Done", body = PersonCard), (status = "default", response = Problem)),
)]
pub(super) async fn new_person(
    State(photos): Shared,
    Body(NewPerson { asset, face, name }): Body<NewPerson>,
) -> Result<(StatusCode, Json<PersonCard>), Problem> {
    let name = fit(&name)?;
    let shared = Arc::clone(&photos);
    let people = to_the_end(async move {
        let store = shared.store();
        let Some(person) = store.assign_by_hand(AssetId(asset), face, None).await? else {
            return Err(Problem::no_such("face"));
        };
        store.name_people(&[person], &name).await?;
        Ok(store.people_of(&[person]).await?)
    });
    let people = people.await?;
    Ok((StatusCode::CREATED, one(cards(&photos, people, EXAMPLES).await?)?))
}

/// The faces that show each person best.
pub(super) async fn examples(
    photos: &Photos,
    people: &[PersonId],
    each: usize,
) -> Result<Vec<Vec<Example>>, Problem> {
    if each == 0 {
        return Ok(people.iter().map(|_| Vec::new()).collect());
    }
    let faces = photos.store().portraits(people, each).await?;
    let assets = assets_of(photos, faces.iter().flatten()).await?;
    let example = |face: &PersonFace| {
        let asset = assets.get(&face.asset)?;
        let crop = crop_of(asset, face.place, face.corners);
        Some(Example { asset: face.asset.0, face: face.place, crop })
    };
    Ok(faces.iter().map(|faces| faces.iter().filter_map(example).collect()).collect())
}

/// The pictures of faces, each once.
async fn assets_of(
    photos: &Photos,
    faces: impl Iterator<Item = &PersonFace>,
) -> Result<HashMap<AssetId, Asset>, Problem> {
    let mut ids: Vec<AssetId> = faces.map(|face| face.asset).collect();
    ids.sort_unstable();
    ids.dedup();
    let assets = photos.store().assets(&ids).await?;
    Ok(assets.into_iter().map(|asset| (asset.id, asset)).collect())
}
