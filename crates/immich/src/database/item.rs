//! A picture in an answer, as Immich's API gives it.
use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio_postgres::Row;
use uuid::Uuid;
use viewfinder_catalog::{
    StoreError,
    postgres::{Result, Sql, Transaction},
};

use crate::{
    database::{
        mime, people,
        schema::{Rules, Schema},
    },
    library::Caller,
};

/// What an answer holds beside the picture itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    pub(crate) exif: bool,
    pub(crate) people: bool,
}

/// Columns of `asset` in an answer, as they are.
pub(crate) const PLAIN: &[&str] = &[
    "id",
    "ownerId",
    "libraryId",
    "type",
    "originalPath",
    "originalFileName",
    "isFavorite",
    "visibility",
    "duration",
    "livePhotoVideoId",
    "isOffline",
    "duplicateId",
];
/// Times of a picture.
pub(crate) const TIMES: &[&str] =
    &["fileCreatedAt", "fileModifiedAt", "localDateTime", "createdAt", "updatedAt"];
/// Bytes, in base64.
pub(crate) const BYTES: &[&str] = &["checksum", "thumbhash"];
/// Before v3.
pub(crate) const DEVICE: &[&str] = &["deviceAssetId", "deviceId"];
/// Since v2.5.
pub(crate) const SIZE: &[&str] = &["width", "height", "isEdited"];
/// Columns of `asset_exif` in an answer.
pub(crate) const EXIF: &[&str] = &[
    "make",
    "model",
    "exifImageWidth",
    "exifImageHeight",
    "fileSizeInByte",
    "orientation",
    "lensModel",
    "fNumber",
    "focalLength",
    "iso",
    "exposureTime",
    "latitude",
    "longitude",
    "city",
    "state",
    "country",
    "description",
    "projectionType",
    "rating",
    "timeZone",
];
pub(crate) const EXIF_TIMES: &[&str] = &["dateTimeOriginal", "modifyDate"];
/// Columns of a face in an answer, before v3.
pub(crate) const FACE: &[&str] = &[
    "id",
    "imageWidth",
    "imageHeight",
    "boundingBoxX1",
    "boundingBoxY1",
    "boundingBoxX2",
    "boundingBoxY2",
    "sourceType",
];
/// Columns of a person in an answer.
pub(crate) const PERSON: &[&str] = &["name", "thumbnailPath", "isHidden", "isFavorite", "color", "birthDate"];
pub(crate) const PERSON_TIMES: &[&str] = &["updatedAt"];

/// What Immich writes for a picture, or a video whose length is not known.
const NO_DURATION: &str = "0:00:00.00000";

/// The pictures in the order of their ids, as far as `conditions` (on rows of `asset`) allow them.
pub(crate) async fn items(
    tx: &Transaction,
    schema: &Schema,
    caller: Caller,
    ids: &[Uuid],
    extras: Extras,
    conditions: impl FnOnce(&mut Sql) -> String,
) -> Result<Vec<Value>> {
    let mut sql = Sql::default();
    let ids_param = sql.param(ids.to_vec());
    let conditions = conditions(&mut sql);
    let expression = expression(schema, &mut sql, caller.user, extras);
    let exif = if extras.exif {
        format!("LEFT JOIN {} AS exif ON exif.\"assetId\" = asset.id", schema.exif)
    } else {
        String::new()
    };
    let statement = format!(
        "SELECT asset.id, {expression} FROM {} AS asset {exif}
         WHERE asset.id = ANY({ids_param}) AND {conditions}",
        schema.asset
    );
    let rows = tx.rows(&statement, &sql.refs()).await?;
    let (ids, rules) = (ids.to_vec(), schema.rules);
    // To read a thousand of them as JSON takes a while.
    let finished = spawn_blocking(move || finished(&rows, &ids, caller.user, extras, rules)).await;
    finished.map_err(|error| StoreError::Internal(error.to_string()))
}

/// The pictures of rows, in the order of their ids.
fn finished(rows: &[Row], ids: &[Uuid], user: Uuid, extras: Extras, rules: Rules) -> Vec<Value> {
    let mut found: HashMap<Uuid, Value> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let own = user.to_string();
    // Immich leaves out pictures without a row of EXIF if that was asked for.
    let complete = |item: &Value| !extras.exif || !item["exifInfo"].is_null();
    let items = ids.iter().filter_map(|id| found.remove(id)).filter(complete);
    items.map(|item| finish(item, rules, &own)).collect()
}

/// What the database can say, as JSON.
fn expression(schema: &Schema, sql: &mut Sql, caller: Uuid, extras: Extras) -> String {
    let mut pairs: Vec<(&str, String)> =
        PLAIN.iter().map(|column| (*column, format!("asset.\"{column}\""))).collect();
    for column in TIMES {
        pairs.push((column, instant(&format!("asset.\"{column}\""))));
    }
    for column in BYTES {
        pairs.push((column, format!("translate(encode(asset.\"{column}\", 'base64'), E'\\n', '')")));
    }
    pairs.push(("isTrashed", "asset.\"deletedAt\" IS NOT NULL".into()));
    if schema.rules != Rules::V3 {
        pairs.extend(DEVICE.iter().map(|column| (*column, format!("asset.\"{column}\""))));
    }
    if schema.sized {
        pairs.extend(SIZE.iter().map(|column| (*column, format!("asset.\"{column}\""))));
    }
    if extras.exif {
        let mut exif: Vec<(&str, String)> =
            EXIF.iter().map(|column| (*column, format!("exif.\"{column}\""))).collect();
        for column in EXIF_TIMES {
            exif.push((column, as_json_time(&format!("exif.\"{column}\""))));
        }
        pairs.push((
            "exifInfo",
            format!("CASE WHEN exif.\"assetId\" IS NULL THEN NULL ELSE {} END", object(&exif)),
        ));
    }
    if extras.people {
        pairs.push(("faces", faces(schema, sql, caller)));
    }
    object(&pairs)
}

/// Faces of a picture, each with its person, if it has one.
fn faces(schema: &Schema, sql: &mut Sql, caller: Uuid) -> String {
    let own = if schema.rules == Rules::V3 { &[] } else { FACE };
    let face: Vec<(&str, String)> = own.iter().map(|column| (*column, format!("f.\"{column}\""))).collect();
    let mut person: Vec<(&str, String)> =
        PERSON.iter().map(|column| (*column, format!("p.\"{column}\""))).collect();
    person.extend(PERSON_TIMES.iter().map(|column| (*column, as_json_time(&format!("p.\"{column}\"")))));
    people::in_answer(schema, sql, caller, &object(&face), &object(&person))
}

/// As `JSON.stringify` writes a `Date`.
fn instant(column: &str) -> String {
    format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
}

/// As the database itself writes a time into JSON for a server whose clock is that of Greenwich; Immich hands it on like that.
fn as_json_time(column: &str) -> String {
    format!("(to_jsonb({column} AT TIME ZONE 'UTC') #>> '{{}}') || '+00:00'")
}

fn object(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("'{key}', {value}")).collect();
    format!("jsonb_build_object({})", pairs.join(", "))
}

/// What the server adds to what the database says.
fn finish(mut item: Value, rules: Rules, own: &str) -> Value {
    item["isFavorite"] = json!(item["isFavorite"] == true && item["ownerId"] == own);
    item["isArchived"] = json!(item["visibility"] == "archive");
    item["originalMimeType"] = json!(mime::of(item["originalFileName"].as_str().unwrap_or_default()));
    if rules != Rules::V3 && item["duration"].is_null() {
        item["duration"] = json!(NO_DURATION);
    }
    item["hasMetadata"] = json!(true);
    item["resized"] = json!(true);
    let object = item.as_object_mut();
    let faces = object.and_then(|object| {
        if rules == Rules::V1 {
            object.remove("createdAt");
        }
        object.remove("faces")
    });
    let (people, unassigned) = people(faces, rules);
    item["people"] = Value::Array(people);
    if let Some(unassigned) = unassigned.filter(|_| rules != Rules::V3) {
        item["unassignedFaces"] = Value::Array(unassigned);
    }
    item
}

/// Persons in a picture, each with its faces, and the faces that belong to nobody.
fn people(faces: Option<Value>, rules: Rules) -> (Vec<Value>, Option<Vec<Value>>) {
    let Some(Value::Array(faces)) = faces else { return (Vec::new(), None) };
    let (mut people, mut unassigned): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for mut face in faces {
        let person = face.as_object_mut().and_then(|face| face.remove("person")).unwrap_or_default();
        let Value::Object(mut person) = person else {
            unassigned.push(face);
            continue;
        };
        if person["color"].is_null() {
            person.remove("color");
        }
        let known = people.iter().position(|known| known["id"] == person["id"]);
        let place = known.unwrap_or_else(|| {
            if rules != Rules::V3 {
                person.insert("faces".into(), json!([]));
            }
            people.push(Value::Object(person));
            people.len() - 1
        });
        if let Some(Value::Array(faces)) = people[place].get_mut("faces") {
            faces.push(face);
        }
    }
    (people, Some(unassigned))
}
