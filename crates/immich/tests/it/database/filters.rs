//! Each filter of a request.
use serde_json::{Value, json};
use uuid::Uuid;

use crate::database::world::{World, sorted};

/// Two pictures with text, and then one of them is changed; returns who is found with a filter, whatever the tables.
fn with(change: impl Fn(&World, Uuid, Uuid) -> Value) -> Vec<String> {
    let mut found = World::everywhere().map(|world| found_in(&world, &change));
    let first = found.next().unwrap();
    assert!(found.all(|other| other == first));
    first
}

fn found_in(world: &World, change: impl Fn(&World, Uuid, Uuid) -> Value) -> Vec<String> {
    let [one, other] = ["one.jpg", "other.png"].map(|name| world.with_text(name, &["words"]));
    let mut body = change(world, one, other);
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
        let without = |world: &World, _, other| {
            world.set_exif(other, &format!("\"{column}\" = 'Bern'"));
            json!({column: null})
        };
        one(with(without));
        // Before v3, nothing stands for none.
        let nothing = |world: &World, one, other| {
            without(world, one, other);
            json!({column: ""})
        };
        for world in World::everywhere() {
            let expected: &[&str] = if world.is_v3() { &[] } else { &["one.jpg"] };
            assert_eq!(found_in(&world, nothing), expected);
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
    one(with(|world, id, other| {
        let [ana, bo] = ["Ana Ruiz", "Bo"].map(|name| world.person(world.me, name));
        for (picture, person) in [(id, ana), (id, ana), (id, bo), (other, ana)] {
            world.face(picture, Some(person));
        }
        json!({"personIds": [ana, bo]})
    }));
    one(with(|world, id, other| {
        let ana = world.person(world.me, "Ana Ruiz");
        world.face(id, Some(ana));
        for hidden in ["\"isVisible\" = false", "\"deletedAt\" = now()"] {
            let face = world.face(other, Some(ana));
            world.sql(&format!("UPDATE asset_face SET {hidden} WHERE id = $1"), &[&face]);
        }
        json!({"personIds": [ana]})
    }));
    assert_eq!(with(|_, _, _| json!({"personIds": []})).len(), 2);
}

#[test]
fn albums_and_tags() {
    one(with(|world, id, other| {
        let albums = [world.album(&[id, other]), world.album(&[id])];
        json!({"albumIds": albums})
    }));
    one(with(|world, _, other| {
        world.album(&[other]);
        json!({"isNotInAlbum": true})
    }));
    one(with(|world, id, other| {
        let animals = world.tag(&[]);
        let (cats, cars) = (world.tag(&[animals]), world.tag(&[]));
        world.add_tag(id, cats);
        world.add_tag(other, cars);
        json!({"tagIds": [animals]})
    }));
    one(with(|world, id, other| {
        let tags = [world.tag(&[]), world.tag(&[])];
        for tag in tags {
            world.add_tag(id, tag);
        }
        world.add_tag(other, tags[0]);
        json!({"tagIds": tags})
    }));
    one(with(|world, _, other| {
        let tag = world.tag(&[]);
        world.add_tag(other, tag);
        json!({"tagIds": null})
    }));
}

#[test]
fn names_of_the_metadata_search() {
    one(with(|_, id, _| json!({"id": id})));
    one(with(|_, _, _| json!({"originalFileName": "ONE"})));
    one(with(|_, _, _| json!({"originalPath": "upload/one"})));
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
    for world in World::everywhere() {
        let [old, new] = ["old trip.jpg", "new trip.jpg"].map(|name| world.with_text(name, &["words"]));
        world.set(old, "\"localDateTime\" = '2019-12-31 23:59:00+00'");
        world.set(new, "\"localDateTime\" = '2020-01-01 00:00:00+00'");
        world.face(old, Some(world.person(world.me, "Ana Ruiz")));
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
}

#[test]
fn devices_filter_before_v3_and_are_passed_over_since() {
    for world in World::everywhere() {
        let change = |world: &World, id, _| {
            if !world.is_v3() {
                world.set(id, "\"deviceId\" = 'tablet'");
            }
            json!({"deviceId": "tablet"})
        };
        let expected: &[&str] = if world.is_v3() { &["one.jpg", "other.png"] } else { &["one.jpg"] };
        assert_eq!(found_in(&world, change), expected);
        let library = world.open();
        assert_eq!(
            sorted(world.found(&library, json!({"ocr": "words", "deviceAssetId": "one.jpg"}))),
            expected
        );
    }
}
