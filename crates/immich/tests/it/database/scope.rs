//! Who finds what.
use serde_json::{Value, json};
use viewfinder_immich::{
    database::{Database, Error},
    library::Caller,
};

use crate::database::world::{World, names, parse, sorted, wait};

/// Pictures with the same text in every place where a picture can be, named by it; in each layout of tables.
fn worlds() -> impl Iterator<Item = World> {
    World::everywhere().map(filled)
}

fn filled(world: World) -> World {
    let (partner, other_partner, stranger) =
        (world.user("partner"), world.user("other"), world.user("stranger"));
    world.partner(partner, true);
    world.partner(other_partner, false);
    let gone = world.user("gone");
    world.partner(gone, true);
    world.sql("UPDATE \"user\" SET \"deletedAt\" = now() WHERE id = $1", &[&gone]);
    for (who, name) in [
        (world.me, "mine"),
        (partner, "partner"),
        (other_partner, "other"),
        (stranger, "stranger"),
        (gone, "gone"),
    ] {
        for place in ["timeline", "archive", "hidden", "locked"] {
            let id = world.picture_of(who, &format!("{name} {place}"));
            world.set(id, &format!("visibility = '{place}'"));
            world.read(id, &["findme"]);
            world.show(id, &crate::database::backend::direction("findme", 512));
        }
        let id = world.picture_of(who, &format!("{name} trashed"));
        world.set(id, "\"deletedAt\" = now(), status = 'trashed'");
        world.read(id, &["findme"]);
        world.show(id, &crate::database::backend::direction("findme", 512));
    }
    // Most pictures show something else.
    for number in 0..60 {
        let id = world.picture_of(stranger, &format!("something else {number}"));
        world.show(id, &crate::database::backend::direction("zzz", 512));
    }
    world
}

/// The same for words in text, and for what pictures show.
fn found(world: &World, library: &Database, filters: &Value) -> Vec<String> {
    let search = |query: &str| {
        let mut body = filters.clone();
        body["query"] = json!(query);
        sorted(world.found(library, body))
    };
    let text = search("ocr:findme");
    if world.has_vectors() {
        assert_eq!(text, search("clip:findme"), "{filters}");
    }
    text
}

#[test]
fn the_timeline_of_the_caller_and_of_partners_is_found() {
    for world in worlds() {
        let library = world.open();
        if !world.is_v3() {
            assert_eq!(found(&world, &library, &json!({})), ["mine timeline", "partner timeline"]);
        }
        assert_eq!(
            found(&world, &library, &json!({"visibility": "timeline"})),
            ["mine timeline", "partner timeline"]
        );
        assert_eq!(
            found(&world, &library, &json!({"visibility": "archive"})),
            ["mine archive", "partner archive"]
        );
        assert_eq!(
            found(&world, &library, &json!({"visibility": "hidden"})),
            ["mine hidden", "partner hidden"]
        );
    }
}

#[test]
fn trashed_pictures_are_found_where_they_are_asked_for() {
    for world in worlds() {
        let library = world.open();
        let all = ["mine timeline", "mine trashed", "partner timeline", "partner trashed"];
        assert_eq!(found(&world, &library, &json!({"withDeleted": true, "visibility": "timeline"})), all);
        assert_eq!(
            found(&world, &library, &json!({"trashedAfter": "2020-01-01T00:00:00.000Z"})),
            ["mine trashed", "partner trashed"]
        );
        assert!(found(&world, &library, &json!({"trashedBefore": "2020-01-01T00:00:00.000Z"})).is_empty());
    }
}

#[test]
fn locked_pictures_are_their_owners_after_the_pin() {
    for world in worlds() {
        let library = world.open();
        let request = parse(&json!({"query": "ocr:findme", "visibility": "locked"}));
        let refused = wait(library.search(&world.caller(), &request));
        assert!(matches!(refused, Err(Error::NotElevated)), "{refused:?}");
        let caller = Caller { elevated: true, ..world.caller() };
        assert_eq!(names(&wait(library.search(&caller, &request)).unwrap()), ["mine locked"]);
        let request = parse(&json!({"query": "ocr:findme", "visibility": "timeline"}));
        assert_eq!(
            sorted(names(&wait(library.search(&caller, &request)).unwrap())),
            ["mine timeline", "partner timeline"]
        );
    }
}

#[test]
fn in_v3_everything_but_locked_pictures_is_found_unless_asked_otherwise() {
    for world in worlds().filter(World::is_v3) {
        let library = world.open();
        let open = [
            "mine archive",
            "mine hidden",
            "mine timeline",
            "partner archive",
            "partner hidden",
            "partner timeline",
        ];
        assert_eq!(found(&world, &library, &json!({})), open);
        assert_eq!(
            found(&world, &library, &json!({"visibility": "timeline"})),
            ["mine timeline", "partner timeline"]
        );
        let caller = Caller { elevated: true, ..world.caller() };
        let request = parse(&json!({"query": "ocr:findme"}));
        let mut with_locked = open.to_vec();
        with_locked.insert(2, "mine locked");
        assert_eq!(sorted(names(&wait(library.search(&caller, &request)).unwrap())), with_locked);
    }
}

#[test]
fn what_others_search_is_theirs() {
    for world in worlds() {
        let library = world.open();
        let stranger = world.rows("SELECT id FROM \"user\" WHERE name = 'stranger'", &[])[0].get(0);
        let request = parse(&json!({"query": "ocr:findme", "visibility": "timeline"}));
        let caller = Caller { user: stranger, elevated: false };
        assert_eq!(names(&wait(library.search(&caller, &request)).unwrap()), ["stranger timeline"]);
        let nobody = Caller { user: uuid::Uuid::max(), elevated: true };
        assert!(wait(library.search(&nobody, &request)).unwrap().items.is_empty());
    }
}
