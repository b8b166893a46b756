//! Answers compared with those of a server that takes the second shape.
use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;
use viewfinder_immich::{
    database::Error,
    library::{Next, Page, SearchRequest, SearchRoute},
};

use super::search;
use crate::database::{
    items::{file, write},
    layout::Layout,
    world::World,
};

/// The body of a recorded request, and its answer.
fn recorded(name: &str) -> (Value, Value) {
    let mut recorded = file(&format!("immich-3.2/api/{name}.json"));
    (recorded["request"]["body"].take(), recorded["answer"].take())
}

/// The server's pictures, as far as they were recorded, each with all that was recorded of it.
fn world() -> World {
    let mut items: BTreeMap<String, Value> = BTreeMap::new();
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
            let known = items.entry(item["id"].to_string()).or_insert_with(|| item.clone());
            if item["people"].as_array().is_some_and(|people| !people.is_empty())
                || item.get("exifInfo").is_some()
            {
                *known = item.clone();
            }
        }
    }
    assert!(items.len() >= 7);
    let mut world = World::of(Layout::named("3.2"));
    world.me = Uuid::parse_str(items.values().next().unwrap()["ownerId"].as_str().unwrap()).unwrap();
    for item in items.values() {
        let has_text = item["originalFileName"].as_str().unwrap().starts_with('h');
        let lines: &[&str] = if has_text { &["the password of the guest network"] } else { &[] };
        write(&world, item, lines);
    }
    world
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
            let cursor = answer["assets"]["nextCursor"].as_str().unwrap().to_owned();
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
