//! Each filter of a request.
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{World, sorted};

/// Two pictures with text, and then one of them is changed; returns who is found with a filter.
fn with(change: impl FnOnce(&World, Uuid, Uuid) -> Value) -> Vec<String> {
    let world = World::new();
    let [one, other] = ["one.jpg", "other.png"].map(|name| world.with_text(name, &["words"]));
    let mut body = change(&world, one, other);
    let of_metadata = ["id", "checksum", "originalFileName", "originalPath", "description", "deviceAssetId"];
    if of_metadata.iter().any(|key| body.get(key).is_some()) {
        body["ocr"] = json!("words");
    } else {
        body["query"] = json!("ocr:words");
    }
    let library = world.open();
    sorted(world.found(&library, body))
}

/// The filter lets one of them through.
#[expect(clippy::needless_pass_by_value, reason = "what it looks at is made for it")]
fn one(found: Vec<String>) {
    assert_eq!(found, ["one.jpg"]);
}

#[test]
fn columns_of_the_picture() {
    one(with(|world, id, _| {
        world.set(id, "type = 'VIDEO'");
        json!({"type": "VIDEO"})
    }));
    one(with(|world, id, _| {
        world.set(id, "\"isFavorite\" = true");
        json!({"isFavorite": true})
    }));
    one(with(|world, _, other| {
        world.set(other, "\"isFavorite\" = true");
        json!({"isFavorite": false})
    }));
    one(with(|world, id, _| {
        world.set(id, "\"isOffline\" = true, \"deletedAt\" = now()");
        json!({"isOffline": true})
    }));
    one(with(|world, id, other| {
        world.set(id, &format!("\"livePhotoVideoId\" = '{other}'"));
        json!({"isMotion": true})
    }));
    one(with(|world, id, other| {
        world.set(other, &format!("\"livePhotoVideoId\" = '{id}'"));
        json!({"isMotion": false})
    }));
    one(with(|world, id, _| {
        world.sql("INSERT INTO library (\"ownerId\") VALUES ($1)", &[&world.me]);
        world.set(id, "\"libraryId\" = (SELECT id FROM library)");
        let library: Uuid = world.rows("SELECT id FROM library", &[])[0].get(0);
        json!({"libraryId": library})
    }));
    one(with(|world, id, _| {
        world.set(id, "\"deviceId\" = 'tablet'");
        json!({"deviceId": "tablet"})
    }));
    one(with(|world, id, _| {
        world.sql(
            "INSERT INTO asset_file (\"assetId\", type, path) VALUES ($1, 'encoded_video', '/x')",
            &[&id],
        );
        json!({"isEncoded": true})
    }));
    assert_eq!(with(|_, _, _| json!({"isEncoded": false, "libraryId": null})).len(), 2);
}

#[test]
fn times() {
    for (column, name) in [("createdAt", "created"), ("fileCreatedAt", "taken")] {
        one(with(|world, id, other| {
            world.set(id, &format!("\"{column}\" = '2021-05-01 12:00:00+00'"));
            world.set(other, &format!("\"{column}\" = '2021-05-01 12:00:00.001+00'"));
            json!({format!("{name}Before"): "2021-05-01T14:00:00.000+02:00"})
        }));
        one(with(|world, id, other| {
            world.set(id, &format!("\"{column}\" = '2021-05-02'"));
            world.set(other, &format!("\"{column}\" = '2021-05-01 23:59:59+00'"));
            json!({format!("{name}After"): "2021-05-02"})
        }));
    }
    assert!(with(|_, _, _| json!({"updatedBefore": "2020-01-01"})).is_empty());
    assert_eq!(with(|_, _, _| json!({"updatedAfter": "2020-01-01"})).len(), 2);
}

#[test]
fn place_and_camera() {
    for column in ["city", "state", "country", "make", "model", "lensModel"] {
        one(with(|world, id, other| {
            world.set_exif(id, &format!("\"{column}\" = 'Zürich'"));
            world.set_exif(other, &format!("\"{column}\" = 'Zurich'"));
            json!({column: "Zürich"})
        }));
        for nothing in [Value::Null, json!("")] {
            one(with(|world, _, other| {
                world.set_exif(other, &format!("\"{column}\" = 'Bern'"));
                json!({column: nothing})
            }));
        }
    }
    one(with(|world, id, other| {
        world.set_exif(id, "rating = 4");
        world.set_exif(other, "rating = 5");
        json!({"rating": 4})
    }));
    one(with(|world, _, other| {
        world.set_exif(other, "rating = -1");
        json!({"rating": null})
    }));
}

#[test]
fn all_people_must_be_there() {
    let person = |world: &World, name: &str| -> Uuid {
        world.rows("INSERT INTO person (\"ownerId\", name) VALUES ($1, $2) RETURNING id", &[&world.me, &name])
            [0]
        .get(0)
    };
    let face = |world: &World, id: Uuid, person: Uuid, hidden: bool, deleted: bool| {
        world.sql(
            "INSERT INTO asset_face (\"assetId\", \"personId\", \"isVisible\", \"deletedAt\")
             VALUES ($1, $2, NOT $3, CASE WHEN $4 THEN now() END)",
            &[&id, &person, &hidden, &deleted],
        );
    };
    one(with(|world, id, other| {
        let [ana, bo] = ["Ana Ruiz", "Bo"].map(|name| person(world, name));
        face(world, id, ana, false, false);
        face(world, id, ana, false, false);
        face(world, id, bo, false, false);
        face(world, other, ana, false, false);
        json!({"personIds": [ana, bo]})
    }));
    one(with(|world, id, other| {
        let ana = person(world, "Ana Ruiz");
        face(world, id, ana, false, false);
        face(world, other, ana, true, false);
        face(world, other, ana, false, true);
        json!({"personIds": [ana]})
    }));
    assert_eq!(with(|_, _, _| json!({"personIds": []})).len(), 2);
}

#[test]
fn albums_and_tags() {
    let album = |world: &World, ids: &[Uuid]| -> Uuid {
        let album =
            world.rows("INSERT INTO album (\"ownerId\") VALUES ($1) RETURNING id", &[&world.me])[0].get(0);
        for id in ids {
            world.sql("INSERT INTO album_asset VALUES ($1, $2)", &[&album, id]);
        }
        album
    };
    one(with(|world, id, other| {
        let albums = [album(world, &[id, other]), album(world, &[id])];
        json!({"albumIds": albums})
    }));
    one(with(|world, _, other| {
        album(world, &[other]);
        json!({"isNotInAlbum": true})
    }));
    let tag = |world: &World, above: &[Uuid]| -> Uuid {
        let tag: Uuid = world.rows("INSERT INTO tag (value) VALUES ('t') RETURNING id", &[])[0].get(0);
        for ancestor in above.iter().chain([&tag]) {
            world.sql("INSERT INTO tag_closure VALUES ($1, $2)", &[ancestor, &tag]);
        }
        tag
    };
    one(with(|world, id, other| {
        let animals = tag(world, &[]);
        let (cats, cars) = (tag(world, &[animals]), tag(world, &[]));
        world.sql("INSERT INTO tag_asset VALUES ($1, $2)", &[&id, &cats]);
        world.sql("INSERT INTO tag_asset VALUES ($1, $2)", &[&other, &cars]);
        json!({"tagIds": [animals]})
    }));
    one(with(|world, id, other| {
        let tags = [tag(world, &[]), tag(world, &[])];
        for tag in tags {
            world.sql("INSERT INTO tag_asset VALUES ($1, $2)", &[&id, &tag]);
        }
        world.sql("INSERT INTO tag_asset VALUES ($1, $2)", &[&other, &tags[0]]);
        json!({"tagIds": tags})
    }));
    one(with(|world, _, other| {
        let tag = tag(world, &[]);
        world.sql("INSERT INTO tag_asset VALUES ($1, $2)", &[&other, &tag]);
        json!({"tagIds": null})
    }));
}

#[test]
fn names_of_the_metadata_search() {
    one(with(|_, id, _| json!({"id": id})));
    one(with(|_, _, _| json!({"originalFileName": "ONE"})));
    one(with(|_, _, _| json!({"originalPath": "upload/one"})));
    one(with(|_, _, _| json!({"deviceAssetId": "one.jpg"})));
    one(with(|world, id, _| {
        world.set_exif(id, "description = 'Café del Mar'");
        json!({"description": "cafe"})
    }));
    one(with(|world, id, _| {
        let checksum: String =
            world.rows("SELECT encode(checksum, 'hex') FROM asset WHERE id = $1", &[&id])[0].get(0);
        json!({"checksum": checksum})
    }));
    one(with(|world, id, _| {
        world.set(id, "checksum = decode('Z5IE7GU+5yZE0iSZWt9Hyyqi8Gw=', 'base64')");
        json!({"checksum": "Z5IE7GU+5yZE0iSZWt9Hyyqi8Gw="})
    }));
}

#[test]
fn filters_in_the_words() {
    let world = World::new();
    let [old, new] = ["old trip.jpg", "new trip.jpg"].map(|name| world.with_text(name, &["words"]));
    world.set(old, "\"localDateTime\" = '2019-12-31 23:59:00+00'");
    world.set(new, "\"localDateTime\" = '2020-01-01 00:00:00+00'");
    let ana: Uuid = world
        .rows("INSERT INTO person (\"ownerId\", name) VALUES ($1, 'Ana Ruiz') RETURNING id", &[&world.me])[0]
        .get(0);
    world.sql("INSERT INTO asset_face (\"assetId\", \"personId\") VALUES ($1, $2)", &[&old, &ana]);
    let library = world.open();
    for (query, expected) in [
        ("ocr:words before:2020", "old trip.jpg"),
        ("ocr:words after:2020", "new trip.jpg"),
        ("ocr:words path:OLD", "old trip.jpg"),
        ("ocr:words person:\"ana ruiz\"", "old trip.jpg"),
    ] {
        assert_eq!(world.found(&library, json!({"query": query})), [expected], "{query}");
    }
    assert!(world.found(&library, json!({"query": "ocr:words person:Bo"})).is_empty());
}
