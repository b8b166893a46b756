//! Searches of the second shape.
mod fields;
mod order;
mod recorded;
mod scope;
mod twins;

use serde_json::Value;
use uuid::Uuid;
use viewfinder_immich::{Error, Library, Page, SearchRequest, SearchRoute};

use crate::world::World;

/// From the tables of 2.7.5, in which a world is filled, to those of 3.2.
const V32: &str = include_str!("v3.2.sql");

#[expect(clippy::needless_pass_by_value, reason = "literals read better")]
fn search(world: &World, library: &Library, route: SearchRoute, body: Value) -> Result<Page, Error> {
    library.search(
        &world.caller(),
        &SearchRequest::parse(route, &body).unwrap_or_else(|why| panic!("{body}: {why}")),
    )
}

/// Names of the pictures that `/search/metadata` gives.
fn found(world: &World, library: &Library, body: Value) -> Vec<String> {
    crate::world::names(&search(world, library, SearchRoute::Metadata, body).unwrap())
}

fn id(world: &World, statement: &str) -> Uuid {
    world.rows(statement, &[])[0].get(0)
}

/// An album of somebody's, and what is in it.
fn album(world: &World, owner: Uuid, pictures: &[Uuid]) -> Uuid {
    let album = id(world, &format!("INSERT INTO album (\"ownerId\") VALUES ('{owner}') RETURNING id"));
    for picture in pictures {
        world.sql("INSERT INTO album_asset VALUES ($1, $2)", &[&album, picture]);
    }
    album
}

fn person(world: &World, name: &str, pictures: &[Uuid]) -> Uuid {
    let owner = world.me;
    let person = id(
        world,
        &format!("INSERT INTO person (\"ownerId\", name) VALUES ('{owner}', '{name}') RETURNING id"),
    );
    for picture in pictures {
        world.sql("INSERT INTO asset_face (\"assetId\", \"personId\") VALUES ($1, $2)", &[picture, &person]);
    }
    person
}

/// A tag below another, and what bears it.
fn tag(world: &World, above: &[Uuid], pictures: &[Uuid]) -> Uuid {
    let tag = id(world, "INSERT INTO tag (value) VALUES ('t') RETURNING id");
    for ancestor in above.iter().chain([&tag]) {
        world.sql("INSERT INTO tag_closure VALUES ($1, $2)", &[ancestor, &tag]);
    }
    for picture in pictures {
        world.sql("INSERT INTO tag_asset VALUES ($1, $2)", &[picture, &tag]);
    }
    tag
}
