//! In which order hits come, and how many of them: orders, pages, branches of `or`, counts and draws.
use serde_json::{Value, json};
use viewfinder_immich::{
    database::Database,
    library::{Next, SearchRoute},
};

use super::{found, search};
use crate::database::{
    backend::{WIDTH, asked, direction},
    world::{World, names, sorted},
};

/// Pictures with text, whose order differs by each field. The one with the most fitting text is `a`. In each layout of tables.
fn worlds() -> impl Iterator<Item = World> {
    World::everywhere().map(filled)
}

fn filled(world: World) -> World {
    for (name, text, taken, local, size, rating) in [
        ("a", "red apple", "2020-01-01", "2020-01-03", "300", "NULL"),
        ("b", "the green apple trees in a row", "2020-01-02", "2020-01-01", "100", "3"),
        ("c", "an apple and a pear", "2020-01-03", "2020-01-02", "200", "5"),
        ("d", "applesauce", "2020-01-04", "2020-01-04", "NULL", "NULL"),
        ("e", "plums", "2020-01-05", "2020-01-05", "50", "4"),
    ] {
        let id = world.with_text(name, &[text]);
        world.set(id, &format!("\"fileCreatedAt\" = '{taken}', \"localDateTime\" = '{local}'"));
        world.set_exif(id, &format!("\"fileSizeInByte\" = {size}, rating = {rating}"));
        if name == "e" || name == "b" {
            world.set(id, "\"isFavorite\" = true");
        }
    }
    world
}

fn joined(world: &World, library: &Database, body: Value) -> String {
    found(world, library, body).concat()
}

#[test]
fn hits_come_by_relevance_unless_another_order_is_asked_for() {
    for world in worlds() {
        let library = world.open();
        let apples = json!({"ocr": {"matches": "apple"}});
        let by_relevance = joined(&world, &library, json!({"filter": apples}));
        assert!(by_relevance.starts_with('a') && by_relevance.ends_with('d'), "{by_relevance}");
        let flat = names(&search(&world, &library, SearchRoute::Metadata, json!({"ocr": "apple"})).unwrap());
        assert_eq!(by_relevance, flat.concat());
        for (order, apples_only, all) in [
            (json!({}), "dcba", "edcba"),
            (json!({"direction": "asc"}), "abcd", "abcde"),
            (json!({"field": "localDateTime"}), "dacb", "edacb"),
            (json!({"field": "localDateTime", "direction": "asc"}), "bcad", "bcade"),
            (json!({"field": "fileSizeInBytes"}), "acbd", "acbed"),
            (json!({"field": "fileSizeInBytes", "direction": "asc"}), "bcad", "ebcad"),
        ] {
            let body = json!({"filter": apples, "orderBy": order});
            assert_eq!(joined(&world, &library, body), apples_only, "{order}");
            assert_eq!(joined(&world, &library, json!({"orderBy": order})), all, "{order}");
        }
        // Without a rating, last; among themselves by id, in the same direction.
        let mut unrated = ["a", "d"].map(|name| {
            let row = &world
                .rows("SELECT id, \"originalFileName\" FROM asset WHERE \"originalFileName\" = $1", &[&name])
                [0];
            (row.get::<_, uuid::Uuid>(0), name)
        });
        unrated.sort_unstable();
        let [(_, first), (_, second)] = unrated;
        for (direction, expected) in
            [("asc", format!("bec{first}{second}")), ("desc", format!("ceb{second}{first}"))]
        {
            let body = json!({"orderBy": {"field": "rating", "direction": direction}});
            assert_eq!(joined(&world, &library, body), expected);
        }
    }
}

#[test]
fn cursors_lead_through_all_pages() {
    for world in worlds() {
        let library = world.open();
        for body in [
            json!({"filter": {"ocr": {"matches": "apple"}}}),
            json!({"filter": {"ocr": {"matches": "apple"}}, "orderBy": {"field": "rating"}}),
            json!({"orderBy": {"direction": "asc"}}),
            json!({"filter": {"or": [{"ocr": {"matches": "apple"}}, {"isFavorite": {"eq": true}}]}}),
        ] {
            let whole = found(&world, &library, body.clone());
            let (mut pages, mut cursor) = (Vec::new(), None);
            loop {
                let mut body = body.clone();
                body["size"] = json!(2);
                if let Some(cursor) = &cursor {
                    body["cursor"] = json!(cursor);
                }
                let page = search(&world, &library, SearchRoute::Metadata, body).unwrap();
                assert_eq!(page.total, whole.len());
                pages.extend(names(&page));
                match page.next {
                    Some(Next::Cursor(next)) => cursor = Some(next),
                    other => {
                        assert_eq!(other, None);
                        break;
                    }
                }
                // As a real server writes it.
                assert!(
                    cursor.as_deref()
                        == Some(if pages.len() == 2 { "eyJvZmZzZXQiOjJ9" } else { "eyJvZmZzZXQiOjR9" })
                );
            }
            assert_eq!(pages, whole, "{body}");
        }
    }
}

#[test]
fn branches_with_words_come_first_and_the_others_newest_first() {
    for world in worlds() {
        let library = world.open();
        let or = |branches: Value| joined(&world, &library, json!({"filter": {"or": branches}}));
        assert_eq!(or(json!([{"isFavorite": {"eq": true}}, {"ocr": {"matches": "pear"}}])), "ceb");
        assert_eq!(or(json!([{"ocr": {"matches": "pear"}}, {"ocr": {"matches": "plums"}}])).len(), 2);
        // A branch's own conditions are for its words only.
        assert_eq!(
            or(json!([{"ocr": {"matches": "apple"}, "rating": {"gt": 4}}, {"ocr": {"matches": "plums"}}]))
                .len(),
            2
        );
        // The words of all must be there, too.
        let or = json!([{"ocr": {"matches": "pear"}}, {"isFavorite": {"eq": true}}]);
        let body = json!({"filter": {"ocr": {"matches": "apple"}, "or": or}});
        assert_eq!(sorted(found(&world, &library, body)), ["b", "c"]);
        let body = json!({"filter": {"rating": {"eq": 5}, "or": [{"ocr": {"matches": "apple"}}, {"isFavorite": {"eq": true}}]}});
        assert_eq!(found(&world, &library, body), ["c"]);
    }
}

#[test]
fn words_of_a_smart_search_stand_beside_a_filter() {
    for world in World::on_every_layout() {
        for number in 0..50 {
            let id = world.picture(&format!("any {number}"));
            let mut vector = direction("zzz", WIDTH);
            vector[200 + number] = 1.0;
            world.show(id, &vector);
        }
        for (name, favourite) in [("shown", true), ("shown too", false)] {
            let id = world.picture(name);
            world.show(id, &direction("beach", WIDTH));
            world.set(id, &format!("\"isFavorite\" = {favourite}"));
        }
        let read = world.with_text("read", &["beach bar"]);
        world.set(read, "\"isFavorite\" = true");
        let library = world.open();
        let smart = |body: Value| {
            let page = search(&world, &library, SearchRoute::Smart, body).unwrap();
            assert_eq!(page.next, None);
            names(&page)
        };
        let favourite = json!({"isFavorite": {"eq": true}});
        assert_eq!(smart(json!({"query": "beach", "filter": favourite})), ["read", "shown"]);
        assert_eq!(smart(json!({"query": "ocr:beach", "filter": favourite})), ["read"]);
        assert_eq!(smart(json!({"query": "beach path:shown", "filter": favourite})), ["shown"]);
        assert_eq!(smart(json!({"query": "beach", "filter": {}, "size": 2})).len(), 2);
        assert_eq!(smart(json!({"query": "beach", "filter": {"ocr": {"matches": "bar"}}})), ["read"]);
        let or = json!({"or": [favourite, {"ocr": {"matches": "bar"}}]});
        assert_eq!(smart(json!({"query": "beach", "filter": or})), ["read", "shown"]);
        assert_eq!(asked(&world.answers).len(), 1, "the same words are asked about once");
    }
}

#[test]
fn statistics_count_what_pages_would_give() {
    for world in worlds() {
        let library = world.open();
        for body in [
            json!({"ocr": "apple"}),
            json!({"ocr": "apple", "isFavorite": true}),
            json!({"filter": {"ocr": {"matches": "apple"}}}),
            json!({"filter": {"or": [{"ocr": {"matches": "pear"}}, {"isFavorite": {"eq": true}}]}}),
            json!({"filter": {"rating": {"gte": 4}}}),
        ] {
            let pages = found(&world, &library, body.clone());
            let counted = search(&world, &library, SearchRoute::Statistics, body.clone()).unwrap();
            assert_eq!((counted.total, counted.items.len(), counted.next), (pages.len(), 0, None), "{body}");
            assert!(counted.total > 0);
        }
    }
}

#[test]
fn without_words_everything_is_counted_and_listed() {
    let world = World::new();
    let id = world.picture("first");
    world.sql(
        "INSERT INTO asset (\"deviceAssetId\", \"ownerId\", \"deviceId\", type, \"originalPath\", \"fileCreatedAt\",
             \"fileModifiedAt\", \"localDateTime\", checksum, \"originalFileName\")
         SELECT 'x', \"ownerId\", 'x', type, 'x', now(), now(), now(), checksum, 'other'
         FROM asset, generate_series(1, 1100) WHERE id = $1",
        &[&id],
    );
    let library = world.open();
    let counted = search(&world, &library, SearchRoute::Statistics, json!({"filter": {}})).unwrap();
    assert_eq!(counted.total, 1101);
    // {"offset":1100}
    let body = json!({"filter": {}, "cursor": "eyJvZmZzZXQiOjExMDB9"});
    let last = search(&world, &library, SearchRoute::Metadata, body).unwrap();
    assert_eq!((names(&last), last.next), (vec!["first".to_owned()], None));
}

#[test]
fn random_draws_from_what_pages_would_give() {
    for world in worlds() {
        let library = world.open();
        for body in [
            json!({"ocr": "apple"}),
            json!({"filter": {"ocr": {"matches": "apple"}}}),
            json!({"filter": {"rating": {"eq": null}}}),
        ] {
            let all = sorted(found(&world, &library, body.clone()));
            let draw = |size: usize| {
                let mut body = body.clone();
                body["size"] = json!(size);
                let drawn = search(&world, &library, SearchRoute::Random, body).unwrap();
                assert_eq!(drawn.next, None);
                names(&drawn)
            };
            assert_eq!(sorted(draw(10)), all, "{body}");
            let mut firsts: Vec<String> = (0..60).map(|_| draw(1).remove(0)).collect();
            firsts.sort_unstable();
            firsts.dedup();
            assert_eq!(firsts, all, "in sixty draws, each of a few is drawn once: {body}");
        }
        // The order is by chance, too.
        let draw = || names(&search(&world, &library, SearchRoute::Random, json!({"ocr": "apple"})).unwrap());
        let first = draw();
        assert!((0..60).any(|_| draw() != first));
        let with = json!({"ocr": "pear", "withExif": true, "withPeople": true});
        let item = search(&world, &library, SearchRoute::Random, with).unwrap().items.remove(0);
        assert_eq!((&item["exifInfo"]["rating"], &item["people"]), (&json!(5), &json!([])));
    }
}
