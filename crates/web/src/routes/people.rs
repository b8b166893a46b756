//! People, and what they are called.
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use viewfinder_catalog::{Person, PersonId};

use super::{Shared, to_the_end};
use crate::{
    extract::{Body, Numbers},
    problem::Problem,
};

/// Longer names are refused, in characters.
const LONGEST_NAME: usize = 200;

#[derive(Serialize, ToSchema)]
pub(super) struct Everybody {
    people: Vec<Person>,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Name {
    name: String,
}

/// Persons, those with most faces first.
#[utoipa::path(
    get, path = "/api/v1/people",
    responses((status = 200, description = "Done", body = Everybody), (status = "default", response = Problem)),
)]
pub(super) async fn people(State(photos): Shared) -> Result<Json<Everybody>, Problem> {
    Ok(Json(Everybody { people: photos.store().people().await? }))
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
    let name = name.trim().to_owned();
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Problem::bad("name_unfit", format!("a name has at most {LONGEST_NAME} characters")));
    }
    let found = to_the_end(async move { Ok(photos.store().name_person(PersonId(id), &name).await?) }).await?;
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::no_such("person")) }
}
