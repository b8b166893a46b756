//! Answers compared with those of a real Immich 2.7.5.
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{V1, V3, World};

/// The body of a recorded answer.
fn recorded(name: &str) -> Value {
    let file = viewfinder_test_support::fixtures().join("immich-2.7.5/api").join(name);
    let recorded: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    recorded["response"]["body"].clone()
}

/// Writes the row behind a recorded picture.
fn write(world: &World, item: &Value) {
    let text = |key: &str| item[key].as_str().unwrap().to_owned();
    let id = |key: &str| Uuid::parse_str(&text(key)).unwrap();
    world.sql(
        "INSERT INTO \"user\" (id, name) VALUES ($1, 'Admin') ON CONFLICT DO NOTHING",
        &[&id("ownerId")],
    );
    // Times have microseconds in the database; answers leave them out.
    world.sql(
        "INSERT INTO asset (id, \"ownerId\", \"deviceAssetId\", \"deviceId\", type, \"originalPath\", \"originalFileName\",
             checksum, thumbhash, \"fileCreatedAt\", \"fileModifiedAt\", \"localDateTime\", \"createdAt\", \"updatedAt\", width, height)
         VALUES ($1, $2, $3, $4, $5, $6, $7, decode($8::text, 'base64'), decode($9::text, 'base64'), $10::text::timestamptz,
             $11::text::timestamptz, $12::text::timestamptz, $13::text::timestamptz + '999 microseconds',
             $14::text::timestamptz + '999 microseconds', $15, $16)",
        &[
            &id("id"), &id("ownerId"), &text("deviceAssetId"), &text("deviceId"), &text("type"), &text("originalPath"),
            &text("originalFileName"), &text("checksum"), &text("thumbhash"), &text("fileCreatedAt"),
            &text("fileModifiedAt"), &text("localDateTime"), &text("createdAt"), &text("updatedAt"),
            &(item["width"].as_i64().unwrap() as i32), &(item["height"].as_i64().unwrap() as i32),
        ],
    );
    world.sql("INSERT INTO asset_exif (\"assetId\") VALUES ($1)", &[&id("id")]);
    world.sql("INSERT INTO asset_job_status (\"assetId\") VALUES ($1)", &[&id("id")]);
    world.read(id("id"), &["HELLO IMMICH", "invoice 2026-11"]);
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
        write(&world, item);
    }
    world.me = Uuid::parse_str(expected[0]["ownerId"].as_str().unwrap()).unwrap();
    let library = world.open();
    let page = world.search(&library, json!({"ocr": "hello", "size": 10})).unwrap();
    assert_eq!(by_id(&page.items), by_id(expected));
    assert_eq!((page.next, page.total), (None, expected.len()));
}

#[test]
fn exif_and_people_are_those_of_a_real_server() {
    let mut expected = recorded("asset-0.json");
    let mut world = World::new();
    write(&world, &expected);
    let id = Uuid::parse_str(expected["id"].as_str().unwrap()).unwrap();
    world.me = Uuid::parse_str(expected["ownerId"].as_str().unwrap()).unwrap();
    world.set_exif(
        id,
        "\"exifImageWidth\" = 768, \"exifImageHeight\" = 432, \"fileSizeInByte\" = 388996,
         \"dateTimeOriginal\" = '2020-02-02 00:00:00+00', \"modifyDate\" = '2020-02-02 01:00:00+01'",
    );
    let person = &expected["people"][0];
    let face = &person["faces"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    world.batch(&format!(
        "INSERT INTO person (id, \"ownerId\", \"thumbnailPath\", \"updatedAt\") VALUES ('{}', '{}', '{}', '{}');
         INSERT INTO asset_face (id, \"assetId\", \"personId\", \"imageWidth\", \"imageHeight\", \"boundingBoxX1\",
             \"boundingBoxY1\", \"boundingBoxX2\", \"boundingBoxY2\") VALUES ('{}', '{id}', '{}', {}, {}, {}, {}, {}, {})",
        text(&person["id"]), world.me, text(&person["thumbnailPath"]), text(&person["updatedAt"]), text(&face["id"]),
        text(&person["id"]), face["imageWidth"], face["imageHeight"], face["boundingBoxX1"], face["boundingBoxY1"],
        face["boundingBoxX2"], face["boundingBoxY2"]
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
    let world = World::new();
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

#[test]
fn what_is_shown_depends_on_the_version() {
    let item = |version: &str| {
        let world = World::new();
        let id = world.with_text("clip.MOV", &["words"]);
        world.set(id, "duration = '0:00:01.50000', \"deletedAt\" = now(), visibility = 'archive'");
        world.show(id, &crate::backend::direction("words", 512));
        world.batch(version);
        let library = world.open();
        let body =
            json!({"query": "clip:words", "withDeleted": true, "visibility": "archive", "withExif": true});
        world.search(&library, body).unwrap().items.remove(0)
    };
    let (v1, v2, v3) = (item(V1), item(""), item(V3));
    for item in [&v1, &v2, &v3] {
        assert_eq!(item["originalMimeType"], "video/quicktime");
        assert_eq!((&item["isTrashed"], &item["isArchived"]), (&json!(true), &json!(true)));
        assert!(item["exifInfo"].is_object() && item["exifInfo"]["description"] == "");
    }
    let has = |item: &Value, key: &str| item.get(key).is_some();
    assert_eq!(
        ["createdAt", "width", "isEdited", "deviceId"].map(|key| has(&v1, key)),
        [false, false, false, true]
    );
    assert_eq!(
        ["createdAt", "width", "isEdited", "deviceId"].map(|key| has(&v2, key)),
        [true, true, true, true]
    );
    assert_eq!(
        ["createdAt", "width", "isEdited", "deviceId"].map(|key| has(&v3, key)),
        [true, true, true, false]
    );
    assert_eq!((&v2["duration"], &v3["duration"]), (&json!("0:00:01.50000"), &Value::Null));
}
