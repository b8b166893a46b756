//! Answers compared with those of a real Immich 2.7.5, and of one with the tables of 3.2.
use serde_json::{Value, json};
use uuid::Uuid;

use crate::database::{
    layout,
    world::{V1, World},
};

/// A recorded file.
pub(crate) fn file(name: &str) -> Value {
    let file = viewfinder_test_support::fixtures().join(name);
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// The body of an answer of 2.7.5.
fn recorded(name: &str) -> Value {
    file(&format!("immich-2.7.5/api/{name}"))["response"]["body"].clone()
}

/// Writes the rows behind a recorded picture; of people those that its answer has, each with a face.
pub(crate) fn write(world: &World, item: &Value, lines: &[&str]) {
    let text = |key: &str| item[key].as_str().unwrap().to_owned();
    let uuid = |value: &Value| Uuid::parse_str(value.as_str().unwrap()).unwrap();
    let (id, owner) = (uuid(&item["id"]), uuid(&item["ownerId"]));
    if world.count(&format!("\"user\" WHERE id = '{owner}'")) == 0 {
        world.user_with(owner, "Admin", None);
    }
    let device = if world.is_v3() {
        [String::new(), String::new()]
    } else {
        let [asset, device] = ["deviceAssetId", "deviceId"].map(text);
        [", \"deviceAssetId\", \"deviceId\"".into(), format!(", '{asset}', '{device}'")]
    };
    let duplicate = item["duplicateId"].as_str().map(|id| Uuid::parse_str(id).unwrap());
    // Times have microseconds in the database; answers leave them out.
    world.sql(
        &format!(
            "INSERT INTO asset (id, \"ownerId\", type, \"originalPath\", \"originalFileName\", checksum, \"checksumAlgorithm\",
                 thumbhash, \"fileCreatedAt\", \"fileModifiedAt\", \"localDateTime\", \"createdAt\", \"updatedAt\", width, height,
                 \"duplicateId\"{})
             VALUES ($1, $2, $3, $4, $5, decode($6::text, 'base64'), 'sha1', decode($7::text, 'base64'), $8::text::timestamptz,
                 $9::text::timestamptz, $10::text::timestamptz, $11::text::timestamptz + '999 microseconds',
                 $12::text::timestamptz + '999 microseconds', $13, $14, $15{})",
            device[0], device[1]
        ),
        &[
            &id, &owner, &text("type"), &text("originalPath"), &text("originalFileName"), &text("checksum"),
            &text("thumbhash"), &text("fileCreatedAt"), &text("fileModifiedAt"), &text("localDateTime"),
            &text("createdAt"), &text("updatedAt"), &(item["width"].as_i64().unwrap() as i32),
            &(item["height"].as_i64().unwrap() as i32), &duplicate,
        ],
    );
    let mut exif = json!({"description": ""});
    exif.as_object_mut().unwrap().extend(item["exifInfo"].as_object().cloned().unwrap_or_default());
    exif["assetId"] = json!(id);
    world.sql("INSERT INTO asset_exif SELECT * FROM jsonb_populate_record(NULL::asset_exif, $1)", &[&exif]);
    world.sql("INSERT INTO asset_job_status (\"assetId\") VALUES ($1)", &[&id]);
    let column = if world.has_groups() { "personGroupId" } else { "id" };
    for person in item["people"].as_array().unwrap() {
        let who = uuid(&person["id"]);
        if world.count(&format!("person WHERE \"{column}\" = '{who}'")) == 0 {
            world.person_with(who, owner, person["name"].as_str().unwrap());
        }
        let [path, at] = ["thumbnailPath", "updatedAt"].map(|key| person[key].as_str().unwrap().to_owned());
        world.sql(
            &format!(
                "UPDATE person SET \"thumbnailPath\" = $2, \"updatedAt\" = $3::text::timestamptz WHERE \"{column}\" = $1"
            ),
            &[&who, &path, &at],
        );
        world.face(id, Some(who));
    }
    world.read(id, lines);
}

fn by_id(items: &[Value]) -> Vec<Value> {
    let mut items = items.to_vec();
    items.sort_by_key(|item| item["id"].to_string());
    items
}

#[test]
fn items_are_those_of_a_real_server() {
    let body = recorded("search-metadata-ocr.json");
    let expected = body["assets"]["items"].as_array().unwrap();
    let mut world = World::new();
    for item in expected {
        write(&world, item, &["HELLO IMMICH", "invoice 2026-11"]);
    }
    world.me = Uuid::parse_str(expected[0]["ownerId"].as_str().unwrap()).unwrap();
    let library = world.open();
    let page = world.search(&library, json!({"ocr": "hello", "size": 10})).unwrap();
    assert_eq!(by_id(&page.items), by_id(expected));
    assert_eq!((page.next, page.total), (None, expected.len()));
}

#[test]
fn items_of_v3_are_those_of_a_real_server() {
    for layout in layout::all() {
        for (name, words) in [
            ("metadata-ocr-flat", json!({})),
            ("metadata-person-flat", json!({"ocr": "password"})),
            ("smart-flat", json!({"query": "ocr:password"})),
        ] {
            let mut world = World::of(layout);
            if !world.is_v3() {
                continue;
            }
            let recorded = file(&format!("immich-3.2/api/{name}.json"));
            let expected = recorded["answer"]["assets"]["items"].as_array().unwrap();
            for item in expected {
                write(&world, item, &["the password"]);
            }
            world.me = Uuid::parse_str(expected[0]["ownerId"].as_str().unwrap()).unwrap();
            let library = world.open();
            let mut body = recorded["request"]["body"].clone();
            body.as_object_mut().unwrap().extend(words.as_object().cloned().unwrap());
            let page = world.search(&library, body).unwrap();
            assert_eq!(by_id(&page.items), by_id(expected), "{name}");
        }
    }
}

#[test]
fn exif_and_people_are_those_of_a_real_server() {
    let mut expected = recorded("asset-0.json");
    let mut world = World::new();
    write(&world, &expected, &["HELLO IMMICH", "invoice 2026-11"]);
    world.me = Uuid::parse_str(expected["ownerId"].as_str().unwrap()).unwrap();
    let face = &expected["people"][0]["faces"][0];
    world.batch(&format!(
        "UPDATE asset_face SET id = '{}', \"imageWidth\" = {}, \"imageHeight\" = {}, \"boundingBoxX1\" = {},
             \"boundingBoxY1\" = {}, \"boundingBoxX2\" = {}, \"boundingBoxY2\" = {}",
        face["id"].as_str().unwrap(),
        face["imageWidth"],
        face["imageHeight"],
        face["boundingBoxX1"],
        face["boundingBoxY1"],
        face["boundingBoxX2"],
        face["boundingBoxY2"]
    ));
    let library = world.open();
    let page = world.search(&library, json!({"ocr": "hello", "withExif": true, "withPeople": true})).unwrap();
    // A single picture has these, a search leaves them out.
    for key in ["owner", "tags", "stack"] {
        expected.as_object_mut().unwrap().remove(key);
    }
    assert_eq!(page.items, [expected]);
}

#[test]
fn a_favourite_of_somebody_else_is_none_of_mine() {
    for world in World::everywhere() {
        let partner = world.user("partner");
        world.partner(partner, true);
        for (who, name) in [(world.me, "mine"), (partner, "theirs")] {
            let id = world.picture_of(who, name);
            world.read(id, &["words"]);
            world.set(id, "\"isFavorite\" = true");
        }
        let library = world.open();
        let page = world.search(&library, json!({"query": "ocr:words"})).unwrap();
        for item in page.items {
            assert_eq!(item["isFavorite"], json!(item["originalFileName"] == "mine"));
        }
    }
}

#[test]
fn what_is_shown_depends_on_the_version() {
    let item = |world: World, change: &str| {
        let id = world.with_text("clip.MOV", &["words"]);
        let length = if world.is_v3() { "1500" } else { "'0:00:01.50000'" };
        world.set(id, &format!("duration = {length}, \"deletedAt\" = now(), visibility = 'archive'"));
        world.show(id, &crate::database::backend::direction("words", 512));
        world.batch(change);
        let library = world.open();
        let body =
            json!({"query": "clip:words", "withDeleted": true, "visibility": "archive", "withExif": true});
        world.search(&library, body).unwrap().items.remove(0)
    };
    let before = ["createdAt", "width", "isEdited", "deviceId"];
    let has = |item: &Value| before.map(|key| item.get(key).is_some());
    let v1 = item(World::new(), V1);
    assert_eq!(has(&v1), [false, false, false, true]);
    let mut seen = vec![v1];
    for layout in layout::all() {
        let world = World::of(layout);
        let is_v3 = world.is_v3();
        let item = item(world, "");
        assert_eq!(has(&item), [true, true, true, !is_v3]);
        assert_eq!(item["duration"], if is_v3 { json!(1500) } else { json!("0:00:01.50000") });
        seen.push(item);
    }
    for item in seen {
        assert_eq!(item["originalMimeType"], "video/quicktime");
        assert_eq!((&item["isTrashed"], &item["isArchived"]), (&json!(true), &json!(true)));
        assert!(item["exifInfo"].is_object() && item["exifInfo"]["description"] == "");
    }
}
