//! Each field of a filter with each of its operators.
use serde_json::{Value, json};
use uuid::Uuid;
use viewfinder_immich::library::{SearchRequest, SearchRoute};

use super::{album, found, id, person, tag};
use crate::database::world::{V1, World, sorted};

/// Three pictures of mine, and one of somebody else's.
struct Pictures {
    world: World,
    a: Uuid,
    library: Uuid,
    albums: [Uuid; 2],
    people: [Uuid; 2],
    tags: [Uuid; 2],
}

/// `a` has everything, `b` has other things, and `c` has nothing, not even a row of EXIF.
fn pictures(world: World) -> Pictures {
    let [a, b, c] = ["a.jpg", "b.png", "c.jpg"].map(|name| world.with_text(name, &["words"]));
    let stranger = world.user("stranger");
    world.read(world.picture_of(stranger, "d.jpg"), &["words"]);
    world.sql("DELETE FROM asset_exif WHERE \"assetId\" = $1", &[&c]);
    let library =
        id(&world, &format!("INSERT INTO library (\"ownerId\") VALUES ('{}') RETURNING id", world.me));
    for (picture, place, rest) in [
        (a, "Zürich", "rating = 5, \"fileSizeInByte\" = 1000, description = 'Café \\ 100%'"),
        (b, "Bern", "rating = 3, \"fileSizeInByte\" = 2000, description = 'one_more'"),
    ] {
        let columns = ["city", "state", "country", "make", "model", "lensModel"];
        let places: Vec<String> = columns.map(|column| format!("\"{column}\" = '{place}'")).into();
        world.set_exif(picture, &format!("{}, {rest}", places.join(", ")));
    }
    world.set(
        a,
        &format!(
            "\"isFavorite\" = true, \"libraryId\" = '{library}', \"livePhotoVideoId\" = '{c}',
             \"fileCreatedAt\" = '2020-01-01', \"createdAt\" = '2020-01-01'"
        ),
    );
    world.set(
        b,
        "type = 'VIDEO', visibility = 'archive', \"deletedAt\" = '2024-06-01',
         \"fileCreatedAt\" = '2021-01-01', \"createdAt\" = '2021-01-01'",
    );
    world.set(
        c,
        "\"isOffline\" = true, checksum = decode('Z5IE7GU+5yZE0iSZWt9Hyyqi8Gw=', 'base64'),
         \"fileCreatedAt\" = '2022-01-01', \"createdAt\" = '2022-01-01'",
    );
    world.sql(
        "INSERT INTO asset_file (\"assetId\", type, path) VALUES ($1, 'encoded_video', '/e/a.mp4'), ($2, 'preview', '/e/b')",
        &[&a, &b],
    );
    let albums = [album(&world, world.me, &[a, b]), album(&world, world.me, &[b])];
    let people = [person(&world, "Ana", &[a, b, a]), person(&world, "Bo", &[a])];
    // Faces that do not count.
    for (picture, change) in [(b, "\"isVisible\" = false"), (c, "\"deletedAt\" = now()")] {
        let face = world.face(picture, Some(people[1]));
        world.sql(&format!("UPDATE asset_face SET {change} WHERE id = $1"), &[&face]);
    }
    let above = tag(&world, &[], &[]);
    let tags = [above, tag(&world, &[above], &[a])];
    tag(&world, &[], &[b]);
    Pictures { world, a, library, albums, people, tags }
}

/// Filters, and the pictures that they let through.
fn cases(pictures: &Pictures) -> Vec<(Value, &'static str)> {
    let Pictures {
        a, library, albums: [album, other_album], people: [ana, bo], tags: [above, below], ..
    } = pictures;
    let nobody = "00000000-0000-4000-8000-000000000000";
    let mut cases = vec![
        (json!({}), "abc"),
        (json!({"id": {"eq": a}}), "a"),
        (json!({"id": {"ne": a}}), "bc"),
        // To differ is no property of what is not there.
        (json!({"libraryId": {"eq": library}}), "a"),
        (json!({"libraryId": {"ne": library}}), ""),
        (json!({"libraryId": {"eq": null}}), "bc"),
        (json!({"libraryId": {"ne": null}}), "a"),
        (json!({"type": {"eq": "VIDEO"}}), "b"),
        (json!({"type": {"ne": "VIDEO"}}), "ac"),
        (json!({"type": {"in": ["IMAGE", "OTHER"]}}), "ac"),
        (json!({"type": {"notIn": ["IMAGE", "AUDIO"]}}), "b"),
        (json!({"visibility": {"eq": "archive"}}), "b"),
        (json!({"visibility": {"in": ["timeline", "hidden"]}}), "ac"),
        (json!({"visibility": {"notIn": ["timeline", "locked"]}}), "b"),
        (json!({"visibility": {"ne": "archive", "notIn": ["locked"]}}), "ac"),
        (json!({"isFavorite": {"eq": true}}), "a"),
        (json!({"isFavorite": {"eq": false}}), "bc"),
        (json!({"isMotion": {"eq": true}}), "a"),
        (json!({"isMotion": {"eq": false}}), "bc"),
        (json!({"isOffline": {"eq": true}}), "c"),
        (json!({"isOffline": {"eq": false}}), "ab"),
        (json!({"isEncoded": {"eq": true}}), "a"),
        (json!({"isEncoded": {"eq": false}}), "bc"),
        (json!({"hasAlbums": {"eq": true}}), "ab"),
        (json!({"hasAlbums": {"eq": false}}), "c"),
        (json!({"hasPeople": {"eq": true}}), "ab"),
        (json!({"hasPeople": {"eq": false}}), "c"),
        (json!({"hasTags": {"eq": true}}), "ab"),
        (json!({"hasTags": {"eq": false}}), "c"),
        (json!({"description": {"eq": "Café \\ 100%"}}), "a"),
        (json!({"description": {"ne": "Café \\ 100%"}}), "b"),
        (json!({"description": {"eq": null}}), "c"),
        (json!({"description": {"in": ["one_more", "two"]}}), "b"),
        (json!({"description": {"notIn": ["one_more", "two"]}}), "a"),
        (json!({"description": {"like": "CAFE"}}), "a"),
        (json!({"description": {"notLike": "cafe"}}), "b"),
        (json!({"description": {"startsWith": "cafe"}}), "a"),
        (json!({"description": {"startsWith": "more"}}), ""),
        (json!({"description": {"endsWith": "MORE"}}), "b"),
        (json!({"description": {"endsWith": "one"}}), ""),
        (json!({"description": {"endsWith": "100\\%"}}), "a"),
        (json!({"description": {"like": "\\\\"}}), "a"),
        // Immich lets these signs stand for anything.
        (json!({"description": {"like": "one%e_"}}), ""),
        (json!({"description": {"like": "n_%_e"}}), "b"),
        (json!({"originalFileName": {"eq": "a.jpg"}}), "a"),
        (json!({"originalFileName": {"like": ".JPG"}}), "ac"),
        (json!({"originalFileName": {"notLike": ".JPG"}}), "b"),
        (json!({"originalFileName": {"startsWith": "B."}}), "b"),
        (json!({"originalFileName": {"endsWith": "png", "ne": "c.png"}}), "b"),
        (json!({"originalFileName": {"ne": null}}), "abc"),
        (json!({"originalPath": {"startsWith": "/data/upload/a"}}), "a"),
        (json!({"originalPath": {"in": ["/data/upload/b.png", "/data/upload/d.jpg"]}}), "b"),
        (json!({"rating": {"eq": 5}}), "a"),
        (json!({"rating": {"ne": 5}}), "b"),
        (json!({"rating": {"eq": null}}), "c"),
        (json!({"rating": {"ne": null}}), "ab"),
        (json!({"rating": {"lt": 5}}), "b"),
        (json!({"rating": {"lte": 5}}), "ab"),
        (json!({"rating": {"gt": 3}}), "a"),
        (json!({"rating": {"gte": 3, "lt": 3.5}}), "b"),
        (json!({"rating": {"in": [3, 4]}}), "b"),
        (json!({"rating": {"notIn": [3, 4]}}), "a"),
        (json!({"rating": {"eq": null}, "city": {"ne": null}}), ""),
        (json!({"rating": {"eq": null}, "city": {"eq": null}}), "c"),
        (json!({"fileSizeInBytes": {"eq": 1000}}), "a"),
        (json!({"fileSizeInBytes": {"ne": 1000}}), "b"),
        (json!({"fileSizeInBytes": {"gt": 1000}}), "b"),
        (json!({"fileSizeInBytes": {"gte": 1000, "lte": 1500}}), "a"),
        (json!({"fileSizeInBytes": {"lt": 5e12, "notIn": [1000]}}), "b"),
        (json!({"fileSizeInBytes": {"in": [1000, 2000]}}), "ab"),
        (json!({"updatedAt": {"gte": "2020-01-01T00:00:00.000Z"}}), "abc"),
        (json!({"updatedAt": {"lt": "2020-01-01T00:00:00.000Z"}}), ""),
        (json!({"trashedAt": {"eq": null}}), "ac"),
        (json!({"trashedAt": {"ne": null}}), "b"),
        (json!({"trashedAt": {"eq": "2024-06-01T02:00:00.000+02:00"}}), "b"),
        (json!({"trashedAt": {"ne": "2024-06-02T00:00:00.000Z"}}), "b"),
        (json!({"trashedAt": {"gt": "2024-06-01T00:00:00.000Z"}}), ""),
        (json!({"albumIds": {"any": [album, other_album]}}), "ab"),
        (json!({"albumIds": {"any": [other_album]}}), "b"),
        (json!({"albumIds": {"all": [album, other_album]}}), "b"),
        (json!({"albumIds": {"all": [album, album]}}), "ab"),
        (json!({"albumIds": {"none": [other_album]}}), "ac"),
        (json!({"albumIds": {"any": [album], "none": [other_album]}}), "a"),
        (json!({"personIds": {"any": [ana, bo]}}), "ab"),
        (json!({"personIds": {"any": [bo]}}), "a"),
        (json!({"personIds": {"all": [ana, bo]}}), "a"),
        (json!({"personIds": {"all": [ana, ana]}}), "ab"),
        (json!({"personIds": {"none": [bo]}}), "bc"),
        (json!({"personIds": {"any": [nobody]}}), ""),
        (json!({"tagIds": {"any": [above]}}), "a"),
        (json!({"tagIds": {"any": [below, nobody]}}), "a"),
        (json!({"tagIds": {"all": [above, below]}}), "a"),
        (json!({"tagIds": {"all": [above, nobody]}}), ""),
        (json!({"tagIds": {"none": [above]}}), "bc"),
        (json!({"checksum": {"eq": "Z5IE7GU+5yZE0iSZWt9Hyyqi8Gw="}}), "c"),
        (json!({"checksum": {"ne": "679204EC653EE72644D224995ADF47CB2AA2F06C"}}), "ab"),
        (json!({"checksum": {"in": ["679204ec653ee72644d224995adf47cb2aa2f06c"]}}), "c"),
        (json!({"checksum": {"notIn": ["679204ec653ee72644d224995adf47cb2aa2f06c", "00"]}}), "ab"),
        (json!({"encodedVideoPath": {"eq": "/e/a.mp4"}}), "a"),
        (json!({"encodedVideoPath": {"ne": "/e/a.mp4"}}), ""),
        (json!({"encodedVideoPath": {"in": ["/e/a.mp4", "/e/b"]}}), "a"),
        (json!({"encodedVideoPath": {"notIn": ["/e/b"]}}), "a"),
        (json!({"isFavorite": {"eq": false}, "type": {"eq": "IMAGE"}}), "c"),
        (json!({"isOffline": {"eq": false}, "or": [{"rating": {"gt": 3}}, {"type": {"eq": "IMAGE"}}]}), "a"),
        (json!({"or": [{"rating": {"gt": 3}}, {"type": {"eq": "IMAGE"}, "city": {"eq": null}}]}), "ac"),
    ];
    for column in ["city", "state", "country", "make", "model", "lensModel"] {
        cases.extend([
            (json!({column: {"eq": "Zürich"}}), "a"),
            (json!({column: {"ne": "Zürich"}}), "b"),
            (json!({column: {"eq": "zurich"}}), ""),
            (json!({column: {"eq": null}}), "c"),
            (json!({column: {"ne": null}}), "ab"),
            (json!({column: {"in": ["Bern", "Rome"]}}), "b"),
            (json!({column: {"notIn": ["Bern", "Rome"]}}), "a"),
        ]);
    }
    for column in ["takenAt", "createdAt"] {
        let day = "2021-01-01T00:00:00.000Z";
        cases.extend([
            (json!({column: {"eq": day}}), "b"),
            (json!({column: {"ne": day}}), "ac"),
            (json!({column: {"lt": day}}), "a"),
            (json!({column: {"lte": day}}), "ab"),
            (json!({column: {"gt": day}}), "c"),
            (json!({column: {"gte": day, "lt": "2021-12-31T23:59:59.000+00:00"}}), "b"),
        ]);
    }
    cases
}

#[test]
fn every_field_and_operator_means_what_it_means_to_immich() {
    for world in World::everywhere() {
        let pictures = pictures(world);
        let cases = cases(&pictures);
        let library = pictures.world.open();
        for (mut filter, expected) in cases {
            let names = |filter: &Value| {
                let found = sorted(found(&pictures.world, &library, json!({"filter": filter})));
                found.iter().map(|name| &name[..1]).collect::<String>()
            };
            assert_eq!(names(&filter), expected, "{filter}");
            filter["ocr"] = json!({"matches": "words"});
            assert_eq!(names(&filter), expected, "{filter}");
        }
    }
}

#[test]
fn converted_videos_were_a_column() {
    let Pictures { world, a, .. } = pictures(World::new());
    world.batch(V1);
    world.sql("UPDATE assets SET \"encodedVideoPath\" = '/e/a.mp4' WHERE id = $1", &[&a]);
    let library = world.open();
    for (filter, expected) in [
        (json!({"encodedVideoPath": {"eq": "/e/a.mp4"}}), vec!["a.jpg"]),
        (json!({"encodedVideoPath": {"ne": "/e/a.mp4"}}), vec![]),
        (json!({"isEncoded": {"eq": true}}), vec!["a.jpg"]),
    ] {
        assert_eq!(found(&world, &library, json!({"filter": filter})), expected, "{filter}");
    }
}

#[test]
fn stacks_are_left_out_on_demand() {
    let Pictures { world, a, .. } = pictures(World::new());
    world.sql("INSERT INTO stack DEFAULT VALUES", &[]);
    world.set(a, "\"stackId\" = (SELECT id FROM stack)");
    let library = world.open();
    assert_eq!(found(&world, &library, json!({"filter": {}, "withStacked": true})).len(), 3);
    let names = sorted(found(&world, &library, json!({"filter": {}, "withStacked": false})));
    assert_eq!(names, ["b.png", "c.jpg"]);
}

#[test]
fn what_is_not_understood_is_left_to_immich() {
    let id = "5b4cab2a-607b-4054-a512-8f31a3c3e07e";
    let branches = |count: usize, branch: Value| json!({"or": vec![branch; count]});
    for filter in [
        json!(null),
        json!([]),
        json!({"unheardOf": {"eq": 1}}),
        json!({"city": {}}),
        json!({"city": "Rome"}),
        json!({"city": null}),
        json!({"city": {"eq": 5}}),
        json!({"city": {"like": "Rome"}}),
        json!({"city": {"in": []}}),
        json!({"city": {"in": null}}),
        json!({"city": {"in": [null]}}),
        json!({"city": {"lt": "Rome"}}),
        json!({"id": {"eq": "x"}}),
        json!({"id": {"eq": null}}),
        json!({"id": {"eq": id.replace('-', "")}}),
        json!({"id": {"in": [id]}}),
        json!({"type": {"eq": "PICTURE"}}),
        json!({"type": {"eq": null}}),
        json!({"visibility": {"in": ["timeline", "nowhere"]}}),
        json!({"isFavorite": {"eq": "true"}}),
        json!({"isFavorite": {"eq": true, "ne": false}}),
        json!({"isFavorite": {"ne": true}}),
        json!({"description": {"like": ""}}),
        json!({"description": {"endsWith": "a\\"}}),
        json!({"ocr": {"matches": ""}}),
        json!({"ocr": {"matches": " "}}),
        json!({"ocr": {"matches": "-a"}}),
        json!({"ocr": {"matches": "\"a"}}),
        json!({"ocr": {"matches": "a", "like": "b"}}),
        json!({"ocr": {"eq": "a"}}),
        json!({"rating": {"eq": "5"}}),
        json!({"fileSizeInBytes": {"eq": null}}),
        json!({"takenAt": {"eq": null}}),
        json!({"takenAt": {"gt": "yesterday"}}),
        json!({"takenAt": {"in": ["2024-01-01T00:00:00.000Z"]}}),
        json!({"albumIds": {"any": []}}),
        json!({"albumIds": {"some": [id]}}),
        json!({"personIds": {"any": ["x"]}}),
        json!({"personIds": [id]}),
        json!({"checksum": {"eq": "xyz"}}),
        json!({"checksum": {"eq": null}}),
        json!({"encodedVideoPath": {"like": "a"}}),
        json!({"or": []}),
        json!({"or": {}}),
        json!({"or": [{}]}),
        json!({"or": [{"or": [{"isFavorite": {"eq": true}}]}]}),
        branches(65, json!({"isFavorite": {"eq": true}})),
        branches(9, json!({"ocr": {"matches": "a"}})),
    ] {
        let body = json!({"filter": filter});
        assert!(SearchRequest::parse(SearchRoute::Metadata, &body).is_err(), "{body}");
    }
    for (route, body) in [
        (SearchRoute::Metadata, json!({"filter": {}, "page": 1})),
        (SearchRoute::Metadata, json!({"filter": {}, "ocr": "a"})),
        (SearchRoute::Metadata, json!({"filter": {}, "city": "Rome"})),
        (SearchRoute::Metadata, json!({"filter": {}, "query": "a"})),
        (SearchRoute::Metadata, json!({"filter": {}, "size": 0})),
        (SearchRoute::Metadata, json!({"filter": {}, "size": 1001})),
        (SearchRoute::Metadata, json!({"cursor": ""})),
        (SearchRoute::Metadata, json!({"cursor": "!!"})),
        (SearchRoute::Metadata, json!({"cursor": null})),
        (SearchRoute::Metadata, json!({"orderBy": "rating"})),
        (SearchRoute::Metadata, json!({"orderBy": {"field": "name"}})),
        (SearchRoute::Metadata, json!({"orderBy": {"direction": "up"}})),
        (SearchRoute::Metadata, json!({"orderBy": {"by": "rating"}})),
        (SearchRoute::Smart, json!({"filter": {}})),
        (SearchRoute::Smart, json!({"filter": {}, "query": " "})),
        (SearchRoute::Smart, json!({"filter": {}, "query": "a", "page": 1})),
        (SearchRoute::Smart, json!({"filter": {}, "query": "a", "cursor": "eyJvZmZzZXQiOjJ9"})),
        (SearchRoute::Smart, json!({"filter": {}, "query": "a", "orderBy": {}})),
        (SearchRoute::Smart, json!({"filter": {}, "query": "a", "queryAssetId": id})),
        (SearchRoute::Random, json!({"filter": {}, "cursor": "eyJvZmZzZXQiOjJ9"})),
        (SearchRoute::Statistics, json!({"filter": {}, "size": 1})),
    ] {
        assert!(SearchRequest::parse(route, &body).is_err(), "{body}");
    }
}
