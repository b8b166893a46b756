//! Whose pictures a filter finds, and which of the trash and the locked folder.
use serde_json::{Value, json};
use uuid::Uuid;
use viewfinder_immich::{
    database::{Database, Error},
    library::{Caller, SearchRequest, SearchRoute},
};

use super::{album, found};
use crate::database::{
    layout::Layout,
    world::{World, names, sorted, wait},
};

/// Pictures of mine, a partner and a stranger, each in every place, named by it. Albums: one that is shared with me and has all of them,
/// one of mine that has only my own, and one of the stranger's; in each layout of tables.
fn worlds() -> impl Iterator<Item = (World, [Uuid; 3])> {
    World::everywhere().map(filled)
}

fn filled(world: World) -> (World, [Uuid; 3]) {
    let [partner, stranger] = ["partner", "stranger"].map(|name| world.user(name));
    world.partner(partner, true);
    let mut all = Vec::new();
    let mut mine = Vec::new();
    for (who, name) in [(world.me, "mine"), (partner, "partner"), (stranger, "stranger")] {
        for place in ["timeline", "archive", "locked"] {
            let id = world.picture_of(who, &format!("{name} {place}"));
            world.set(id, &format!("visibility = '{place}'"));
            world.read(id, &["findme"]);
            all.push(id);
            if who == world.me {
                mine.push(id);
            }
        }
        let id = world.picture_of(who, &format!("{name} trashed"));
        world.set(id, "\"deletedAt\" = now(), status = 'trashed'");
        world.read(id, &["findme"]);
        all.push(id);
        if who == world.me {
            mine.push(id);
        }
    }
    let albums =
        [album(&world, stranger, &all), album(&world, world.me, &mine), album(&world, stranger, &all)];
    world.sql("INSERT INTO album_user VALUES ($1, $2, 'viewer')", &[&albums[0], &world.me]);
    (world, albums)
}

/// The same with words and without.
fn both(world: &World, library: &Database, filter: &Value) -> Vec<String> {
    let mut with_words = filter.clone();
    with_words["ocr"] = json!({"matches": "findme"});
    let [one, other] =
        [filter, &with_words].map(|filter| sorted(found(world, library, json!({"filter": filter}))));
    assert_eq!(one, other, "{filter}");
    one
}

const EVERYBODYS: &[&str] = &[
    "mine archive",
    "mine timeline",
    "mine trashed",
    "partner archive",
    "partner timeline",
    "partner trashed",
    "stranger archive",
    "stranger timeline",
    "stranger trashed",
];

#[test]
fn trash_and_archive_are_found_and_strangers_are_not() {
    for (world, _) in worlds() {
        let library = world.open();
        assert_eq!(both(&world, &library, &json!({})), EVERYBODYS[..6]);
        assert_eq!(
            both(&world, &library, &json!({"trashedAt": {"eq": null}, "visibility": {"eq": "timeline"}})),
            ["mine timeline", "partner timeline"]
        );
    }
}

#[test]
fn albums_stand_in_for_owners() {
    for (world, [shared, own, strangers]) in worlds() {
        let library = world.open();
        for filter in [
            json!({"albumIds": {"any": [shared]}}),
            json!({"albumIds": {"all": [shared]}}),
            json!({"albumIds": {"any": [shared, own]}}),
            json!({"or": [{"albumIds": {"any": [shared]}}]}),
            json!({"albumIds": {"any": [shared]}, "or": [{"hasTags": {"eq": false}}]}),
        ] {
            assert_eq!(both(&world, &library, &filter), EVERYBODYS, "{filter}");
        }
        assert_eq!(both(&world, &library, &json!({"albumIds": {"any": [own]}})), EVERYBODYS[..3]);
        assert_eq!(both(&world, &library, &json!({"albumIds": {"all": [shared, own]}})), EVERYBODYS[..3]);
        // To leave an album out says nothing of owners.
        assert_eq!(both(&world, &library, &json!({"albumIds": {"none": [own]}})), EVERYBODYS[3..6]);
        // Only the branch of the album reaches beyond.
        let filter = json!({"or": [
            {"albumIds": {"any": [shared]}, "originalFileName": {"like": "trashed"}}, {"visibility": {"eq": "archive"}},
        ]});
        assert_eq!(
            both(&world, &library, &filter),
            ["mine archive", "mine trashed", "partner archive", "partner trashed", "stranger trashed"]
        );
        // One with words is one of its own.
        let filter = json!({"or": [{"albumIds": {"any": [own]}}, {"ocr": {"matches": "findme"}}]});
        assert_eq!(sorted(found(&world, &library, json!({"filter": filter}))), EVERYBODYS[..6]);
        for condition in ["any", "all", "none"] {
            for filter in [
                json!({"albumIds": {condition: [own, strangers]}}),
                json!({"or": [{"albumIds": {condition: [strangers]}}]}),
                json!({"albumIds": {condition: ["00000000-0000-4000-8000-000000000000"]}}),
            ] {
                let request =
                    SearchRequest::parse(SearchRoute::Metadata, &json!({"filter": filter})).unwrap();
                let refused = wait(library.search(&world.caller(), &request));
                assert!(matches!(refused, Err(Error::Unsupported(_))), "{filter}: {refused:?}");
            }
        }
        world.sql("UPDATE album SET \"deletedAt\" = now() WHERE id = $1", &[&shared]);
        let body = json!({"filter": {"albumIds": {"any": [shared]}}});
        let request = SearchRequest::parse(SearchRoute::Metadata, &body).unwrap();
        assert!(matches!(wait(library.search(&world.caller(), &request)), Err(Error::Unsupported(_))));
    }
}

#[test]
fn albums_of_tables_that_are_not_known_are_left_to_immich() {
    let (world, [shared, ..]) = filled(World::of(Layout::named("3.2")));
    world.batch("DROP TABLE album_user");
    let library = world.open();
    let body = json!({"filter": {"albumIds": {"any": [shared]}, "ocr": {"matches": "findme"}}});
    let request = SearchRequest::parse(SearchRoute::Metadata, &body).unwrap();
    assert!(matches!(wait(library.search(&world.caller(), &request)), Err(Error::Unsupported(_))));
}

#[test]
fn locked_pictures_need_the_pin_and_are_their_owners() {
    for (world, [shared, ..]) in worlds() {
        let library = world.open();
        let elevated = Caller { elevated: true, ..world.caller() };
        let search = |caller: &Caller, filter: &Value| {
            let body = json!({"filter": filter});
            wait(library.search(caller, &SearchRequest::parse(SearchRoute::Metadata, &body).unwrap()))
        };
        for filter in [
            json!({"visibility": {"eq": "locked"}}),
            json!({"visibility": {"ne": "timeline"}}),
            json!({"visibility": {"in": ["locked", "archive"]}}),
            json!({"visibility": {"notIn": ["archive"]}}),
            json!({"or": [{"isFavorite": {"eq": true}}, {"visibility": {"eq": "locked"}}]}),
            json!({"or": [{"ocr": {"matches": "findme"}, "visibility": {"ne": "archive"}}]}),
            // What is said for all decides, whatever a branch says.
            json!({"visibility": {"ne": "archive"}, "or": [{"visibility": {"eq": "timeline"}}]}),
        ] {
            let refused = search(&world.caller(), &filter);
            assert!(matches!(refused, Err(Error::NotElevated)), "{filter}: {refused:?}");
            let given = sorted(names(&search(&elevated, &filter).unwrap()));
            assert!(
                !given.iter().any(|name| name.ends_with("locked") && name != "mine locked"),
                "{filter}: {given:?}"
            );
        }
        assert_eq!(
            names(&search(&elevated, &json!({"visibility": {"eq": "locked"}})).unwrap()),
            ["mine locked"]
        );
        for filter in [
            json!({"visibility": {"ne": "locked"}}),
            json!({"visibility": {"ne": "timeline", "notIn": ["locked"]}}),
            json!({"visibility": {"eq": "archive"}, "or": [{"visibility": {"eq": "locked"}}, {"hasTags": {"eq": false}}]}),
            json!({"or": [{"visibility": {"eq": "archive"}}, {"hasTags": {"eq": false}}]}),
            json!({"albumIds": {"any": [shared]}}),
        ] {
            let given = names(&search(&world.caller(), &filter).unwrap());
            assert!(
                !given.is_empty() && !given.iter().any(|name| name.ends_with("locked")),
                "{filter}: {given:?}"
            );
        }
        let in_album = sorted(names(&search(&elevated, &json!({"albumIds": {"any": [shared]}})).unwrap()));
        assert_eq!((in_album.len(), &*in_album[1]), (EVERYBODYS.len() + 1, "mine locked"));
    }
}
