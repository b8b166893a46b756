//! People: who there is, what they are called, and who is the same.
use std::{cmp::Reverse, sync::Arc};

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use viewfinder_catalog::{Person, PersonId};

use super::{
    Photos, Shared,
    faces::{Example, examples},
    to_the_end,
};
use crate::{
    extract::{Body, Numbers, Parameters},
    problem::Problem,
};

/// Longer names are refused, in characters.
const LONGEST_NAME: usize = 200;
/// People on a page, unless asked for otherwise, and at most.
const USUAL: usize = 100;
const MOST: usize = 500;
/// People that one request may name or merge.
const MOST_AT_ONCE: usize = 1000;
/// Faces that are shown of a person, unless asked for fewer.
pub(super) const EXAMPLES: usize = 4;

#[derive(Serialize, ToSchema)]
pub(super) struct Everybody {
    people: Vec<PersonCard>,
    /// Cursor of the next page.
    #[schema(required)]
    next: Option<String>,
}

/// A person, and some of their faces.
#[derive(Serialize, ToSchema)]
#[schema(as = Person)]
pub(super) struct PersonCard {
    id: i64,
    /// Empty until somebody gives one.
    name: String,
    /// Faces of this person.
    faces: u64,
    /// Pictures with such a face.
    pictures: u64,
    /// The faces that show them best.
    examples: Vec<Example>,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Name {
    name: String,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct NameSeveral {
    /// Numbers of people.
    people: Vec<i64>,
    name: String,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Merge {
    /// Numbers of those who are the same person.
    people: Vec<i64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Those with a name, or those without one.
    named: Option<bool>,
    /// Those with at least so many faces.
    least: Option<u64>,
    /// Faces that are shown of each.
    #[param(minimum = 0, maximum = 4, default = 4)]
    examples: Option<usize>,
    /// People on a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<usize>,
    /// From the page before.
    cursor: Option<String>,
}

/// Persons, those with most faces first.
#[utoipa::path(
    get, path = "/api/v1/people",
    params(Which),
    responses((status = 200, description = "Done", body = Everybody), (status = "default", response = Problem)),
)]
pub(super) async fn people(
    State(photos): Shared,
    Parameters(Which { named, least, examples, limit, cursor }): Parameters<Which>,
) -> Result<Json<Everybody>, Problem> {
    let after = cursor.map(|cursor| place(&cursor)).transpose()?;
    let limit = limit.unwrap_or(USUAL).clamp(1, MOST);
    let mut people = photos.store().people().await?;
    people.retain(|person| {
        let comes = after.is_none_or(|after| order(person) > order_of(after));
        let has_name = !person.name.is_empty();
        comes
            && named.is_none_or(|named| named == has_name)
            && least.is_none_or(|least| person.faces >= least)
    });
    let more = people.len() > limit;
    people.truncate(limit);
    let next = people.last().filter(|_| more).map(|last| format!("{}.{}", last.faces, last.id.0));
    Ok(Json(Everybody { people: cards(&photos, people, examples.unwrap_or(EXAMPLES)).await?, next }))
}

/// Where a person stands in the list: more faces first, then the smaller number.
fn order(person: &Person) -> (Reverse<u64>, i64) {
    order_of((person.faces, person.id.0))
}

fn order_of((faces, id): (u64, i64)) -> (Reverse<u64>, i64) {
    (Reverse(faces), id)
}

/// What a cursor says: the faces and the number of the last person.
fn place(cursor: &str) -> Result<(u64, i64), Problem> {
    let parts = cursor.split_once('.');
    let place = parts.and_then(|(faces, id)| Some((faces.parse().ok()?, id.parse().ok()?)));
    place.ok_or_else(|| {
        Problem::bad("cursor_invalid", "this cursor is none of this list; begin again without one")
    })
}

/// A person.
#[utoipa::path(
    get, path = "/api/v1/people/{id}",
    params(("id" = i64, Path)),
    responses((status = 200, description = "Done", body = PersonCard), (status = "default", response = Problem)),
)]
pub(super) async fn person(
    State(photos): Shared,
    Numbers([id]): Numbers<1>,
) -> Result<Json<PersonCard>, Problem> {
    let people = photos.store().people_of(&[PersonId(id)]).await?;
    one(cards(&photos, people, EXAMPLES).await?)
}

/// Name a person.
#[utoipa::path(
    patch, path = "/api/v1/people/{id}",
    params(("id" = i64, Path)), request_body = Name,
    responses((status = 204, description = "Done"), (status = "default", response = Problem)),
)]
pub(super) async fn name(
    State(photos): Shared,
    Numbers([id]): Numbers<1>,
    Body(Name { name }): Body<Name>,
) -> Result<StatusCode, Problem> {
    name_all(photos, vec![id], &name).await
}

/// Give several persons the same name.
#[utoipa::path(
    patch, path = "/api/v1/people",
    request_body = NameSeveral,
    responses((status = 204, description = "Done"), (status = "default", response = Problem)),
)]
pub(super) async fn name_several(
    State(photos): Shared,
    Body(NameSeveral { people, name }): Body<NameSeveral>,
) -> Result<StatusCode, Problem> {
    name_all(photos, people, &name).await
}

async fn name_all(photos: Arc<Photos>, people: Vec<i64>, name: &str) -> Result<StatusCode, Problem> {
    let (people, name) = (some(people)?, fit(name)?);
    let found = to_the_end(async move { Ok(photos.store().name_people(&people, &name).await?) }).await?;
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::no_such("person")) }
}

/// Several persons are this one.
///
/// They become one person, who keeps number and name, or takes the first name of the others for want of one. Faces that were said not to
/// be one of them stay out.
#[utoipa::path(
    post, path = "/api/v1/people/{id}/merge",
    params(("id" = i64, Path)), request_body = Merge,
    responses((status = 200, description = "Done", body = PersonCard), (status = "default", response = Problem)),
)]
pub(super) async fn merge(
    State(photos): Shared,
    Numbers([id]): Numbers<1>,
    Body(Merge { people }): Body<Merge>,
) -> Result<Json<PersonCard>, Problem> {
    let others = some(people)?;
    let shared = Arc::clone(&photos);
    let merged =
        to_the_end(async move { Ok(shared.store().merge_people(PersonId(id), &others).await?) }).await?;
    one(cards(&photos, merged.into_iter().collect(), EXAMPLES).await?)
}

/// A name as it is kept.
pub(super) fn fit(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Problem::bad("name_unfit", format!("a name has at most {LONGEST_NAME} characters")));
    }
    Ok(name.to_owned())
}

fn some(people: Vec<i64>) -> Result<Vec<PersonId>, Problem> {
    if people.is_empty() || people.len() > MOST_AT_ONCE {
        return Err(Problem::bad(
            "people_unfit",
            format!("name one to {MOST_AT_ONCE} persons by their numbers"),
        ));
    }
    Ok(people.into_iter().map(PersonId).collect())
}

pub(super) fn one(mut cards: Vec<PersonCard>) -> Result<Json<PersonCard>, Problem> {
    cards.pop().map(Json).ok_or_else(|| Problem::no_such("person"))
}

/// People, each with so many examples, at most.
pub(super) async fn cards(
    photos: &Photos,
    people: Vec<Person>,
    each: usize,
) -> Result<Vec<PersonCard>, Problem> {
    let ids: Vec<PersonId> = people.iter().map(|person| person.id).collect();
    let examples = examples(photos, &ids, each.min(EXAMPLES)).await?;
    let card = |(Person { id, name, faces, pictures }, examples)| PersonCard {
        id: id.0,
        name,
        faces,
        pictures,
        examples,
    };
    Ok(people.into_iter().zip(examples).map(card).collect())
}
