//! How this Immich calls its tables and columns, found out by looking.
//!
//! Names changed between versions, and columns came and went; what is there decides, not a version's number.
use std::collections::{HashMap, HashSet};

use viewfinder_catalog::postgres::{Result as Sql, Work};

use crate::{Error, people::People};

/// Immich's own schema.
const IMMICH: &str = "public";

/// Names of tables, with their schema and ready for SQL, and what else differs between versions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each tells of a column, and they come and go apart")]
pub(crate) struct Schema {
    pub(crate) asset: String,
    pub(crate) exif: String,
    pub(crate) face: String,
    pub(crate) file: String,
    pub(crate) partner: String,
    pub(crate) user: String,
    /// Table, and its columns of the album and of the asset.
    pub(crate) album_asset: [String; 3],
    /// Table, and its columns of the asset and of the tag.
    pub(crate) tag_asset: [String; 3],
    pub(crate) tag_closure: String,
    /// Is Immich's own text recognition there (v2.2)?
    pub(crate) ocr: bool,
    /// Can lines be hidden by an edit (v2.5)?
    pub(crate) ocr_visible: bool,
    /// Can faces be hidden (v2)?
    pub(crate) face_visible: bool,
    pub(crate) people: People,
    /// Is the converted video a row of `asset_file` (v2.6), not a column?
    pub(crate) encoded_in_file: bool,
    /// Are width, height and `isEdited` there (v2.5)?
    pub(crate) sized: bool,
    pub(crate) rules: Rules,
    pub(crate) vectors: Option<Vectors>,
}

/// What an Immich answers, where that is not a matter of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rules {
    /// v1.134: items without `createdAt`.
    V1,
    /// v2.
    V2,
    /// v3: no devices, durations in milliseconds, everything but locked pictures found unless asked otherwise.
    V3,
}

/// The vectors of what pictures show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vectors {
    /// Numbers in each.
    pub(crate) width: usize,
    /// What has to be set for a search through the index.
    pub(crate) index: Index,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Index {
    /// pgvector's; can it go on when a filter leaves too few (0.8)?
    Hnsw { iterates: bool },
    /// `VectorChord`'s, with so many lists to look into.
    Vchord { probes: usize },
    /// None that is known: pictures are compared one by one.
    None,
}

/// Columns without which nothing can be answered, by what a table is for.
const NEEDED: &[(&str, &str, &[&str])] = &[
    (
        "asset",
        "assets",
        &[
            "id",
            "ownerId",
            "type",
            "originalPath",
            "originalFileName",
            "fileCreatedAt",
            "fileModifiedAt",
            "localDateTime",
            "createdAt",
            "updatedAt",
            "updateId",
            "isFavorite",
            "duration",
            "checksum",
            "livePhotoVideoId",
            "thumbhash",
            "isOffline",
            "libraryId",
            "deletedAt",
            "duplicateId",
            "visibility",
        ],
    ),
    ("asset_exif", "exif", &["assetId", "city", "state", "country", "make", "model", "lensModel", "rating"]),
    ("asset_face", "asset_faces", &["id", "assetId", "deletedAt"]),
    ("asset_file", "asset_files", &["assetId", "type", "path"]),
    ("asset_job_status", "asset_job_status", &["assetId"]),
    ("partner", "partners", &["sharedById", "sharedWithId", "inTimeline"]),
    ("user", "users", &["id", "deletedAt"]),
    ("person", "person", &["ownerId", "name"]),
    ("album_asset", "albums_assets_assets", &[]),
    ("tag_asset", "tag_asset", &[]),
    ("tag_closure", "tags_closure", &["id_ancestor", "id_descendant"]),
    ("system_metadata", "system_metadata", &["key", "value"]),
];

/// What is there.
type Columns = HashMap<String, HashSet<String>>;

impl Schema {
    /// Looks at a database.
    pub(crate) fn probe(work: &mut Work<'_>) -> Sql<Result<Self, Error>> {
        let rows = work.rows(
            "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns WHERE table_schema = $1::text",
            &[&IMMICH],
        )?;
        let mut columns = Columns::new();
        let mut duration = String::new();
        for row in rows {
            let (table, column): (String, String) = (row.get(0), row.get(1));
            if column == "duration" && (table == "asset" || table == "assets") {
                duration = row.get(2);
            }
            columns.entry(table).or_default().insert(column);
        }
        let vectors = vectors(work)?;
        Ok(Self::of(&columns, &duration, vectors))
    }

    fn of(columns: &Columns, duration: &str, vectors: Option<Vectors>) -> Result<Self, Error> {
        let mut tables = HashMap::new();
        for (new, old, needed) in NEEDED {
            let name = [new, old].into_iter().find(|name| columns.contains_key(**name));
            let name = name.ok_or_else(|| Error::UnknownSchema(format!("there is no table {new}")))?;
            if let Some(missing) = needed.iter().find(|column| !columns[*name].contains(**column)) {
                return Err(Error::UnknownSchema(format!("the table {name} has no column {missing}")));
            }
            tables.insert(*new, *name);
        }
        let table = |new: &str| format!("{IMMICH}.\"{}\"", tables[new]);
        let has = |table: &str, column: &str| columns.get(table).is_some_and(|has| has.contains(column));
        // `albumsId` became `albumId`, and so on.
        let pair = |new: &str, one: [&str; 2], other: [&str; 2]| {
            let pick = |names: [&str; 2]| {
                let found = names.into_iter().find(|name| has(tables[new], name));
                found.map(|name| format!("\"{name}\"")).ok_or_else(|| {
                    Error::UnknownSchema(format!("the table {} has no column {}", tables[new], names[0]))
                })
            };
            Ok::<_, Error>([table(new), pick(one)?, pick(other)?])
        };
        let asset = tables["asset"];
        let rules = if !has(asset, "deviceId") && duration == "integer" {
            Rules::V3
        } else if asset == "assets" {
            Rules::V1
        } else {
            Rules::V2
        };
        if rules != Rules::V3 && !has(asset, "deviceAssetId") {
            return Err(Error::UnknownSchema(format!("the table {asset} has no column deviceAssetId")));
        }
        let faces = tables["asset_face"];
        let people = if has(faces, "personGroupId") && has("person", "personGroupId") {
            People::Groups
        } else if has(faces, "personId") && has("person", "id") {
            People::Persons
        } else {
            return Err(Error::UnknownSchema(format!("the table {faces} has no column personId")));
        };
        let encoded_in_file = !has(asset, "encodedVideoPath");
        Ok(Self {
            asset: table("asset"),
            exif: table("asset_exif"),
            face: table("asset_face"),
            file: table("asset_file"),
            partner: table("partner"),
            user: table("user"),
            album_asset: pair("album_asset", ["albumId", "albumsId"], ["assetId", "assetsId"])?,
            tag_asset: pair("tag_asset", ["assetId", "assetsId"], ["tagId", "tagsId"])?,
            tag_closure: table("tag_closure"),
            ocr: has("asset_ocr", "text") && has("ocr_search", "text") && has("asset_job_status", "ocrAt"),
            ocr_visible: has("asset_ocr", "isVisible"),
            face_visible: has(tables["asset_face"], "isVisible"),
            people,
            encoded_in_file,
            sized: has(asset, "width") && has(asset, "isEdited"),
            rules,
            vectors,
        })
    }
}

/// Looks at `smart_search`; none if it is missing or of an extension that is not known.
fn vectors(work: &mut Work<'_>) -> Sql<Option<Vectors>> {
    let row = work.row(
        "SELECT atttypmod FROM pg_attribute
         WHERE attrelid = to_regclass('public.smart_search') AND attname = 'embedding'
             AND atttypid = to_regtype('vector') AND NOT attisdropped",
        &[],
    )?;
    let width = row.and_then(|row| usize::try_from(row.get::<_, i32>(0)).ok());
    let Some(width) = width.filter(|width| *width > 0) else { return Ok(None) };
    let row = work.row(
        "SELECT amname::text, coalesce(array_to_string(reloptions, ' '), ''), (
             SELECT extversion FROM pg_extension WHERE extname = 'vector'
         ) FROM pg_class AS index JOIN pg_am ON pg_am.oid = relam
         JOIN pg_index ON indexrelid = index.oid
         WHERE indrelid = to_regclass('public.smart_search') AND relname = 'clip_index'",
        &[],
    )?;
    let index = row.map_or(Index::None, |row| {
        let (method, options, version): (String, String, Option<String>) =
            (row.get(0), row.get(1), row.get(2));
        match method.as_str() {
            "hnsw" => Index::Hnsw { iterates: version.is_some_and(|version| at_least(&version, (0, 8))) },
            "vchordrq" => Index::Vchord { probes: lists(&options).div_ceil(8).max(1) },
            _ => Index::None,
        }
    });
    Ok(Some(Vectors { width, index }))
}

fn at_least(version: &str, least: (u32, u32)) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= least
}

/// How many lists an index of `VectorChord` has, from its options (`lists = [16]`). Immich looks into an eighth of them.
fn lists(options: &str) -> usize {
    let inside = options.split_once("lists").and_then(|(_, rest)| rest.split_once('['));
    let inside = inside.and_then(|(_, rest)| rest.split_once(']')).map_or("", |(inside, _)| inside);
    inside.split(',').filter_map(|number| number.trim().parse().ok()).next_back().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_an_index_are_read() {
        assert_eq!(lists("options=residual_quantization = false\n[build.internal]\nlists = [1024]"), 1024);
        assert_eq!(lists("lists = [4, 64]"), 64);
        assert_eq!(lists(""), 1);
        assert!(at_least("0.8.1", (0, 8)) && at_least("0.10", (0, 8)) && !at_least("0.7.4", (0, 8)));
    }
}
