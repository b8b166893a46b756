//! What each thing needs of Immich's tables, as data.
//!
//! A bar parts names of which one must be there, newer ones first: tables and columns were renamed between versions.
use std::collections::{HashMap, HashSet};

use viewfinder_catalog::postgres::{Result as Sql, Transaction};

use crate::{
    database::item,
    library::Capability::{
        self, AlbumFilter, Exif, FollowChanges, HybridSearch, MeaningSearch, PeopleFilter, PeopleInAnswers,
        RedoText, RedoVectors, TagFilter, TextSearch,
    },
};

/// Immich's own schema.
pub(crate) const IMMICH: &str = "public";

pub(crate) const ASSET: &str = "asset|assets";
pub(crate) const EXIF: &str = "asset_exif|exif";
pub(crate) const FACE: &str = "asset_face|asset_faces";
pub(crate) const PERSON: &str = "person";
pub(crate) const FILE: &str = "asset_file|asset_files";
pub(crate) const JOB_STATUS: &str = "asset_job_status";
pub(crate) const OCR: &str = "asset_ocr";
pub(crate) const OCR_SEARCH: &str = "ocr_search";
pub(crate) const VECTORS: &str = "smart_search";
pub(crate) const PARTNER: &str = "partner|partners";
pub(crate) const USER: &str = "user|users";
pub(crate) const ALBUM_ASSET: &str = "album_asset|albums_assets_assets";
pub(crate) const TAG_ASSET: &str = "tag_asset";
pub(crate) const TAG_CLOSURE: &str = "tag_closure|tags_closure";
pub(crate) const SETTINGS: &str = "system_metadata";

pub(crate) const ALBUM_OF_ASSET: &str = "albumId|albumsId";
pub(crate) const ASSET_IN: &str = "assetId|assetsId";
pub(crate) const TAG_OF_ASSET: &str = "tagId|tagsId";

/// Columns of a table, and what is lost if one is missing.
pub(crate) struct Requirement {
    pub(crate) when: RequiredIn,
    pub(crate) table: &'static str,
    pub(crate) columns: &'static [&'static str],
    pub(crate) lost: &'static [Capability],
}

/// In which Immich something is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequiredIn {
    Always,
    BeforeV3,
    /// Pictures can be edited (v2.5).
    Edits,
    /// A face belongs to a person.
    Persons,
    /// A face belongs to a group.
    Groups,
    /// It has text recognition of its own.
    Reads,
}

const fn always(
    table: &'static str,
    columns: &'static [&'static str],
    lost: &'static [Capability],
) -> Requirement {
    when(RequiredIn::Always, table, columns, lost)
}

const fn when(
    when: RequiredIn,
    table: &'static str,
    columns: &'static [&'static str],
    lost: &'static [Capability],
) -> Requirement {
    Requirement { when, table, columns, lost }
}

const SEARCHES: &[Capability] = &[TextSearch, MeaningSearch, HybridSearch];
const MEANING: &[Capability] = &[MeaningSearch, HybridSearch, RedoVectors];
const PEOPLE: &[Capability] = &[PeopleFilter, PeopleInAnswers];
const REDO: &[Capability] = &[RedoText, RedoVectors];

/// All of it. The first that is missing gives the reason.
pub(crate) const NEEDS: &[Requirement] = &[
    always(ASSET, &["id"], &[TextSearch, MeaningSearch, HybridSearch, RedoText, RedoVectors, FollowChanges]),
    always(
        ASSET,
        &["ownerId", "visibility", "deletedAt"],
        &[TextSearch, MeaningSearch, HybridSearch, RedoText, RedoVectors],
    ),
    always(PARTNER, &["sharedById", "sharedWithId", "inTimeline"], SEARCHES),
    always(USER, &["id", "deletedAt"], SEARCHES),
    always(ASSET, item::PLAIN, SEARCHES),
    always(ASSET, item::TIMES, SEARCHES),
    always(ASSET, item::BYTES, SEARCHES),
    when(RequiredIn::BeforeV3, ASSET, item::DEVICE, SEARCHES),
    when(RequiredIn::Edits, ASSET, item::SIZE, SEARCHES),
    always(EXIF, &["assetId"], &[Exif]),
    always(EXIF, item::EXIF, &[Exif]),
    always(EXIF, item::EXIF_TIMES, &[Exif]),
    always(FACE, &["assetId", "deletedAt"], PEOPLE),
    // An edit hides faces and text.
    when(RequiredIn::Edits, FACE, &["isVisible"], PEOPLE),
    when(RequiredIn::Persons, FACE, &["personId"], PEOPLE),
    when(RequiredIn::Groups, FACE, &["personGroupId"], PEOPLE),
    when(RequiredIn::Persons, PERSON, &["id"], PEOPLE),
    when(RequiredIn::Groups, PERSON, &["personGroupId"], PEOPLE),
    always(PERSON, &["ownerId"], &[PeopleFilter]),
    when(RequiredIn::Groups, PERSON, &["ownerId"], &[PeopleInAnswers]),
    always(PERSON, &["name"], PEOPLE),
    when(RequiredIn::BeforeV3, FACE, item::FACE, &[PeopleInAnswers]),
    always(PERSON, item::PERSON, &[PeopleInAnswers]),
    always(PERSON, item::PERSON_TIMES, &[PeopleInAnswers]),
    always(ALBUM_ASSET, &[ALBUM_OF_ASSET, ASSET_IN], &[AlbumFilter]),
    always(TAG_ASSET, &[ASSET_IN, TAG_OF_ASSET], &[TagFilter]),
    always(TAG_CLOSURE, &["id_ancestor", "id_descendant"], &[TagFilter]),
    always(VECTORS, &["assetId", "embedding"], MEANING),
    // They tell the model of the vectors: those of another one mean something else.
    always(SETTINGS, &["key", "value"], MEANING),
    // Which pictures can be done: those with a preview.
    always(FILE, &["assetId", "type", "path"], REDO),
    when(RequiredIn::Edits, FILE, &["isEdited"], REDO),
    when(RequiredIn::Reads, JOB_STATUS, &["assetId", "ocrAt"], &[RedoText, FollowChanges]),
    when(
        RequiredIn::Reads,
        OCR,
        &["id", "assetId", "x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4", "textScore", "text"],
        &[RedoText, FollowChanges],
    ),
    when(RequiredIn::Edits, OCR, &["isVisible"], &[FollowChanges]),
    when(RequiredIn::Reads, OCR, &["boxScore"], &[RedoText]),
    when(RequiredIn::Reads, OCR_SEARCH, &["assetId", "text"], &[RedoText]),
    always(ASSET, &["updateId"], &[FollowChanges]),
];

/// Tables and columns that are there.
#[derive(Debug, Default)]
pub(crate) struct FoundColumns {
    columns: HashMap<String, HashSet<String>>,
    /// The type of the length of a video.
    pub(crate) duration: String,
}

impl FoundColumns {
    /// Looks at the tables that are needed.
    pub(crate) async fn look(tx: &Transaction) -> Sql<Self> {
        let names: Vec<&str> = NEEDS.iter().flat_map(|need| need.table.split('|')).collect();
        let rows = tx
            .rows(
                "SELECT relname::text, attname::text, format_type(atttypid, NULL) FROM pg_attribute
             JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
             WHERE nspname = $1::text AND relname = ANY($2::text[]) AND relkind = ANY('{r,p,v,m,f}')
                 AND attnum > 0 AND NOT attisdropped",
                &[&IMMICH, &names],
            )
            .await?;
        let mut seen = Self::default();
        for row in rows {
            let (table, column): (String, String) = (row.get(0), row.get(1));
            if column == "duration" && ASSET.split('|').any(|name| name == table) {
                seen.duration = row.get(2);
            }
            seen.columns.entry(table).or_default().insert(column);
        }
        Ok(seen)
    }

    /// The name under which a table is there.
    pub(crate) fn table(&self, names: &'static str) -> Option<&'static str> {
        names.split('|').find(|name| self.columns.contains_key(*name))
    }

    /// The name under which a table's column is there.
    pub(crate) fn column(&self, table: &'static str, names: &'static str) -> Option<&'static str> {
        let columns = &self.columns[self.table(table)?];
        names.split('|').find(|name| columns.contains(*name))
    }

    /// Is it there?
    pub(crate) fn has(&self, table: &'static str, column: &'static str) -> bool {
        self.column(table, column).is_some()
    }

    /// The first that is missing, in words.
    pub(crate) fn missing(&self, need: &Requirement) -> Option<String> {
        let Some(table) = self.table(need.table) else {
            return Some(format!("this Immich has no table {}", newest(need.table)));
        };
        let column = need.columns.iter().find(|column| !self.has(need.table, column))?;
        Some(format!("this Immich has no column {table}.{}", newest(column)))
    }
}

/// The first of some names.
pub(crate) fn newest(names: &'static str) -> &'static str {
    names.split_once('|').map_or(names, |(first, _)| first)
}
