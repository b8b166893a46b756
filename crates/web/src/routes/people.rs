//! People, and what they are called.
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use viewfinder_catalog::{Person, PersonId};

use super::{Shared, to_the_end};
use crate::{
    extract::{Body, Numbers},
    problem::Problem,
};

/// Longer names are refused, in characters.
const LONGEST_NAME: usize = 200;

#[derive(Serialize)]
pub(super) struct Everybody {
    people: Vec<Person>,
}

#[derive(Deserialize)]
pub(super) struct Name {
    name: String,
}

/// `GET /api/v1/people`.
pub(super) async fn people(State(photos): Shared) -> Result<Json<Everybody>, Problem> {
    Ok(Json(Everybody { people: photos.store().people().await? }))
}

/// `PATCH /api/v1/people/{id}`.
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
