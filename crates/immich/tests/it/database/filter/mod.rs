//! Searches of the second shape.
mod fields;
mod order;
mod recorded;
mod scope;
mod twins;

use serde_json::Value;
use uuid::Uuid;
use viewfinder_immich::{
    database::{Database, Error},
    library::{Page, SearchRequest, SearchRoute},
};

use crate::database::world::{World, wait};

#[expect(clippy::needless_pass_by_value, reason = "literals read better")]
fn search(world: &World, library: &Database, route: SearchRoute, body: Value) -> Result<Page, Error> {
    wait(library.search(
        &world.caller(),
        &SearchRequest::parse(route, &body).unwrap_or_else(|why| panic!("{body}: {why}")),
    ))
}

/// Names of the pictures that `/search/metadata` gives.
fn found(world: &World, library: &Database, body: Value) -> Vec<String> {
    crate::database::world::names(&search(world, library, SearchRoute::Metadata, body).unwrap())
}

fn id(world: &World, statement: &str) -> Uuid {
    world.rows(statement, &[])[0].get(0)
}

/// An album of somebody's, and what is in it.
fn album(world: &World, owner: Uuid, pictures: &[Uuid]) -> Uuid {
    let album = world.album(pictures);
    if world.has("album", "ownerId") {
        world.sql("UPDATE album SET \"ownerId\" = $2 WHERE id = $1", &[&album, &owner]);
    } else {
        world.sql("UPDATE album_user SET \"userId\" = $2 WHERE \"albumId\" = $1", &[&album, &owner]);
    }
    album
}

fn person(world: &World, name: &str, pictures: &[Uuid]) -> Uuid {
    let person = world.person(world.me, name);
    for picture in pictures {
        world.face(*picture, Some(person));
    }
    person
}

/// A tag below others, and what bears it.
fn tag(world: &World, above: &[Uuid], pictures: &[Uuid]) -> Uuid {
    let tag = world.tag(above);
    for picture in pictures {
        world.add_tag(*picture, tag);
    }
    tag
}
