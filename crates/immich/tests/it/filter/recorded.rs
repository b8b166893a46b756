//! Answers compared with those of a server that takes the second shape.
use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;
use viewfinder_immich::{Error, Next, Page, SearchRequest, SearchRoute};

use super::{V32, search};
use crate::world::World;

/// The body of a recorded request, and its answer.
fn recorded(name: &str) -> (Value, Value) {
    let file = viewfinder_test_support::fixtures().join("immich-3.2/api").join(name).with_extension("json");
    let mut recorded: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    (recorded["request"]["body"].take(), recorded["answer"].take())
}

fn text<'a>(item: &'a Value, key: &str) -> &'a str {
    item[key].as_str().unwrap()
}

fn id(item: &Value) -> Uuid {
    Uuid::parse_str(text(item, "id")).unwrap()
}

/// The server's pictures, as far as they were recorded, each with all that was recorded of it.
fn world() -> World {
    let mut items: BTreeMap<Uuid, Value> = BTreeMap::new();
    let answers = [
        "metadata-filter-page-1",
        "metadata-cursor-page-2",
        "metadata-person-filter",
        "metadata-filter-ocr",
        "metadata-or",
        "random-filter",
    ];
    for name in answers {
        let answer = recorded(name).1;
        let found = answer.pointer("/assets/items").unwrap_or(&answer).as_array().unwrap();
        for item in found {
            let known = items.entry(id(item)).or_insert_with(|| item.clone());
            if item["people"].as_array().is_some_and(|people| !people.is_empty())
                || item.get("exifInfo").is_some()
            {
                *known = item.clone();
            }
        }
    }
    assert!(items.len() >= 7);
    let mut world = World::new();
    world.me = Uuid::parse_str(text(items.values().next().unwrap(), "ownerId")).unwrap();
    world.sql("INSERT INTO \"user\" (id, name) VALUES ($1, 'Ann')", &[&world.me]);
    for item in items.values() {
        write(&world, item);
    }
    world.batch(V32);
    world
}

/// Writes the rows behind a picture.
fn write(world: &World, item: &Value) {
    let asset = id(item);
    let columns =
        ["type", "originalPath", "originalFileName", "checksum", "thumbhash"].map(|key| text(item, key));
    let times = ["fileCreatedAt", "fileModifiedAt", "localDateTime", "createdAt", "updatedAt"]
        .map(|key| text(item, key));
    let [width, height] = ["width", "height"].map(|key| item[key].as_i64().unwrap() as i32);
    let duplicate = item["duplicateId"].as_str().map(|id| Uuid::parse_str(id).unwrap());
    world.sql(
        "INSERT INTO asset (id, \"ownerId\", \"deviceAssetId\", \"deviceId\", type, \"originalPath\", \"originalFileName\",
             checksum, thumbhash, \"fileCreatedAt\", \"fileModifiedAt\", \"localDateTime\", \"createdAt\", \"updatedAt\",
             width, height, \"duplicateId\")
         VALUES ($1, $2, '', '', $3, $4, $5, decode($6::text, 'base64'), decode($7::text, 'base64'), $8::text::timestamptz,
             $9::text::timestamptz, $10::text::timestamptz, $11::text::timestamptz, $12::text::timestamptz, $13, $14, $15)",
        &[
            &asset, &world.me, &columns[0], &columns[1], &columns[2], &columns[3], &columns[4], &times[0], &times[1],
            &times[2], &times[3], &times[4], &width, &height, &duplicate,
        ],
    );
    world.sql("INSERT INTO asset_job_status (\"assetId\") VALUES ($1)", &[&asset]);
    // Column by column, as the answer has them.
    let exif = item.get("exifInfo").cloned().unwrap_or_else(|| json!({}));
    world.sql(
        "INSERT INTO asset_exif SELECT * FROM jsonb_populate_record(NULL::asset_exif, $1::jsonb || jsonb_build_object(
             'assetId', $2::text, 'description', ''))",
        &[&exif, &asset.to_string()],
    );
    for person in item["people"].as_array().unwrap() {
        world.sql(
            "INSERT INTO person (id, \"ownerId\", name, \"thumbnailPath\", \"updatedAt\") VALUES ($1, $2, $3, $4, $5::text::timestamptz)
             ON CONFLICT DO NOTHING",
            &[
                &id(person), &world.me, &text(person, "name"), &text(person, "thumbnailPath"), &text(person, "updatedAt"),
            ],
        );
        world.sql(
            "INSERT INTO asset_face (\"assetId\", \"personId\") VALUES ($1, $2)",
            &[&asset, &id(person)],
        );
    }
    if text(item, "originalFileName").starts_with('h') {
        world.read(asset, &["the password of the guest network"]);
    }
}

/// Persons in the order of their ids: Immich says nothing about theirs.
fn sorted(mut items: Vec<Value>) -> Vec<Value> {
    for item in &mut items {
        item["people"].as_array_mut().unwrap().sort_by_key(|person| person["id"].to_string());
    }
    items
}

#[test]
fn pictures_and_their_fields_are_those_of_a_real_server() {
    let world = world();
    let library = world.open();
    for name in [
        "metadata-filter-page-1",
        "metadata-cursor-page-2",
        "metadata-person-filter",
        "metadata-filter-ocr",
        "metadata-or",
    ] {
        let (body, mut answer) = recorded(name);
        let page = search(&world, &library, SearchRoute::Metadata, body).unwrap();
        let Value::Array(expected) = answer["assets"]["items"].take() else { panic!("{name}") };
        assert_eq!(sorted(page.items), sorted(expected), "{name}");
        // The server had more pictures with this text.
        if name != "metadata-filter-ocr" && name != "metadata-or" {
            let cursor = text(&answer["assets"], "nextCursor").to_owned();
            assert_eq!(page.next, Some(Next::Cursor(cursor)), "{name}");
        }
    }
    let (body, answer) = recorded("random-filter");
    let Page { items, next, .. } = search(&world, &library, SearchRoute::Random, body).unwrap();
    let keys = |item: &Value| item.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!((items.len(), next, keys(&items[0])), (1, None, keys(&answer[0])));
}

#[test]
fn what_a_real_server_refuses_is_left_to_it() {
    for (name, route) in [
        ("bad-cursor", SearchRoute::Metadata),
        ("empty-condition", SearchRoute::Metadata),
        ("mixed-refused", SearchRoute::Smart),
    ] {
        assert!(SearchRequest::parse(route, &recorded(name).0).is_err(), "{name}");
    }
    let world = World::new();
    let library = world.open();
    let refused = search(&world, &library, SearchRoute::Metadata, recorded("locked").0);
    assert!(matches!(refused, Err(Error::NotElevated)), "{refused:?}");
}
