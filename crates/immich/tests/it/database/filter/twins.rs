//! Requests of both shapes that say the same, and find the same.
use std::collections::HashMap;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use viewfinder_immich::library::SearchRoute;

use super::{album, person, search, tag};
use crate::database::{
    layout::Layout,
    world::{World, names},
};

/// What can be named in a filter.
#[derive(Clone)]
struct Things {
    pictures: Vec<Uuid>,
    people: [Uuid; 2],
    tags: [Uuid; 2],
}

/// Pictures in all combinations of a few properties.
fn world() -> (World, Things) {
    let world = World::of(Layout::named("3.2"));
    let mut pictures = Vec::new();
    for number in 0..48_u32 {
        let bit = |at: u32| number >> at & 1 == 1;
        let text = ["a red apple", "the green apple tree", "pears"][number as usize % 3];
        let extension = if bit(0) { "jpg" } else { "png" };
        let id = world.with_text(&format!("{number:02}.{extension}"), &[text]);
        let day = number / 4;
        world.set(
            id,
            &format!(
                "\"isFavorite\" = {}, type = '{}', visibility = '{}', \"fileCreatedAt\" = '2024-01-01'::timestamptz + '{day} days',
                 \"deletedAt\" = {}, \"isOffline\" = {}",
                bit(1),
                if bit(2) { "IMAGE" } else { "VIDEO" },
                if bit(3) { "archive" } else { "timeline" },
                if number % 5 == 0 { "'2024-06-01'" } else { "NULL" },
                number % 7 == 0,
            ),
        );
        world.set_exif(
            id,
            &format!(
                "city = {}, rating = {}, description = '{}'",
                if bit(4) { "'Rome'" } else { "NULL" },
                if bit(5) { "4" } else { "NULL" },
                if bit(0) { "Ça va" } else { "" },
            ),
        );
        pictures.push(id);
    }
    let every = |step: usize| pictures.iter().step_by(step).copied().collect::<Vec<_>>();
    let people = [person(&world, "Ana", &every(2)), person(&world, "Bo", &every(3))];
    let above = tag(&world, &[], &every(5));
    let tags = [above, tag(&world, &[above], &every(2))];
    album(&world, world.me, &every(4));
    (world, Things { pictures, people, tags })
}

/// A key of the first shape with its value, and what says the same in the second.
type Twin = (&'static str, Value, Value);

fn twins(things: &Things) -> impl Strategy<Value = Vec<Twin>> {
    let Things { pictures, people: [ana, bo], tags: [above, below] } = things.clone();
    let flag =
        |key: &'static str| any::<bool>().prop_map(move |yes| (key, json!(yes), json!({key: {"eq": yes}})));
    let day = (1..14_u32).prop_map(|day| format!("2024-01-{day:02}T00:00:00.000Z"));
    let either = |key: &'static str, twins: Vec<(Value, Value)>| {
        prop::sample::select(twins).prop_map(move |(flat, twin)| (key, flat, twin))
    };
    let text = |key: &'static str, texts: &'static [&'static str]| {
        prop::sample::select(texts).prop_map(move |text| (key, json!(text), json!({key: {"like": text}})))
    };
    let twin = prop_oneof![
        flag("isFavorite"),
        flag("isMotion"),
        flag("isEncoded"),
        // Offline pictures are found in the trash, too: see `pair`.
        flag("isOffline"),
        Just(("isNotInAlbum", json!(true), json!({"hasAlbums": {"eq": false}}))),
        prop::sample::select(vec!["IMAGE", "VIDEO"]).prop_map(|kind| (
            "type",
            json!(kind),
            json!({"type": {"eq": kind}})
        )),
        prop::sample::select(vec!["archive", "timeline"]).prop_map(|place| (
            "visibility",
            json!(place),
            json!({"visibility": {"eq": place}})
        )),
        day.clone().prop_map(|day| ("takenAfter", json!(day), json!({"takenAt": {"gte": day}}))),
        day.prop_map(|day| ("createdAfter", json!(day), json!({"createdAt": {"gte": day}}))),
        Just((
            "trashedAfter",
            json!("2024-01-01"),
            json!({"trashedAt": {"gte": "2024-01-01T00:00:00.000Z"}})
        )),
        Just(("withDeleted", json!(true), json!({}))),
        either(
            "city",
            vec![
                (json!("Rome"), json!({"city": {"eq": "Rome"}})),
                (json!(null), json!({"city": {"eq": null}})),
            ]
        ),
        either(
            "rating",
            vec![(json!(4), json!({"rating": {"eq": 4}})), (json!(null), json!({"rating": {"eq": null}}))]
        ),
        either(
            "personIds",
            vec![
                (json!([ana]), json!({"personIds": {"all": [ana]}})),
                (json!([ana, bo]), json!({"personIds": {"all": [ana, bo]}})),
            ]
        ),
        either(
            "tagIds",
            vec![
                (json!([above]), json!({"tagIds": {"all": [above]}})),
                (json!([above, below]), json!({"tagIds": {"all": [above, below]}})),
                (json!(null), json!({"hasTags": {"eq": false}})),
            ]
        ),
        text("originalFileName", &["jpg", "PNG", "1", "0_."]),
        text("originalPath", &["upload/0", "x"]),
        text("description", &["CA", "va"]),
        prop::sample::select(pictures).prop_map(|id| ("id", json!(id), json!({"id": {"eq": id}}))),
    ];
    prop::collection::vec(twin, 0..4)
}

/// The filters of both shapes.
fn pair(twins: &[Twin]) -> (Map<String, Value>, Map<String, Value>) {
    // The last of a key counts, in both shapes.
    let last: HashMap<&str, (&Value, &Value)> =
        twins.iter().map(|(key, value, twin)| (*key, (value, twin))).collect();
    let (mut flat, mut filter) = (Map::new(), Map::new());
    for (key, (value, twin)) in last {
        flat.insert(key.to_owned(), value.clone());
        filter.extend(twin.as_object().unwrap().clone());
    }
    let with_trash = ["withDeleted", "trashedAfter"].iter().any(|key| flat.contains_key(*key))
        || flat.get("isOffline") == Some(&json!(true));
    if !with_trash {
        filter.insert("trashedAt".to_owned(), json!({"eq": null}));
    }
    (flat, filter)
}

#[test]
fn both_shapes_find_the_same_in_the_same_order() {
    let (world, things) = world();
    let library = world.open();
    let words =
        prop::sample::select(vec!["apple", "red apple", "pears", "tree -red", "\"green apple\"", "appel"]);
    let case = (twins(&things), words, 1..4_usize, 1..8_usize, any::<bool>());
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let hits = std::cell::Cell::new(0);
    let checked = TestRunner::new(config).run(&case, |(twins, words, page, size, smart)| {
        let (mut flat, mut filter) = pair(&twins);
        let only_metadata = ["originalFileName", "originalPath", "description", "id"];
        let smart = smart && page == 1 && !only_metadata.iter().any(|key| flat.contains_key(*key));
        flat.insert("size".to_owned(), json!(size));
        let (route, twin) = if smart {
            flat.insert("query".to_owned(), json!(format!("ocr:{words}")));
            (SearchRoute::Smart, json!({"filter": filter, "size": size, "query": format!("ocr:{words}")}))
        } else {
            flat.insert("ocr".to_owned(), json!(words));
            flat.insert("page".to_owned(), json!(page));
            filter.insert("ocr".to_owned(), json!({"matches": words}));
            let mut twin = json!({"filter": filter, "size": size});
            for _ in 1..page {
                let before = search(&world, &library, SearchRoute::Metadata, twin.clone()).unwrap();
                match before.next {
                    Some(viewfinder_immich::library::Next::Cursor(cursor)) => twin["cursor"] = json!(cursor),
                    _ => return Ok(()),
                }
            }
            (SearchRoute::Metadata, twin)
        };
        let one = search(&world, &library, route, Value::Object(flat.clone())).unwrap();
        let other = search(&world, &library, route, twin.clone()).unwrap();
        prop_assert_eq!(names(&one), names(&other), "{:?} {}", flat, twin);
        prop_assert_eq!((one.total, &one.items), (other.total, &other.items));
        prop_assert!(smart || one.next.is_some() == other.next.is_some());
        hits.set(hits.get() + one.items.len());
        Ok(())
    });
    checked.unwrap();
    assert!(hits.get() > 100, "most requests find something: {}", hits.get());
}
