//! What a search allows, as conditions in SQL: the same as Immich's.
use jiff::Timestamp;
use uuid::Uuid;
use viewfinder_catalog::{
    postgres::{Sql, storable},
    query::Query,
};
use viewfinder_companion::Capability;

use crate::{
    people::{self, Together},
    schema::{Rules, Schema},
};

/// Where a picture is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visibility {
    Archive,
    Timeline,
    /// The moving parts of live photos.
    Hidden,
    /// The folder behind the PIN.
    Locked,
}

impl Visibility {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Timeline => "timeline",
            Self::Hidden => "hidden",
            Self::Locked => "locked",
        }
    }
}

/// A stretch of time, its ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) before: Option<Timestamp>,
    pub(crate) after: Option<Timestamp>,
}

/// The filters of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filters {
    pub(crate) library: Option<Uuid>,
    pub(crate) kind: Option<String>,
    pub(crate) encoded: Option<bool>,
    pub(crate) favorite: Option<bool>,
    pub(crate) motion: Option<bool>,
    pub(crate) offline: Option<bool>,
    pub(crate) not_in_album: bool,
    pub(crate) visibility: Option<Visibility>,
    pub(crate) created: Days,
    pub(crate) updated: Days,
    pub(crate) trashed: Days,
    pub(crate) taken: Days,
    /// Columns, and the text that they must have, or none.
    pub(crate) exif: Vec<(&'static str, Option<String>)>,
    #[expect(clippy::option_option, reason = "not to matter, and to be missing, are two things")]
    pub(crate) rating: Option<Option<i32>>,
    pub(crate) people: Vec<Uuid>,
    pub(crate) albums: Vec<Uuid>,
    /// None: without any tag.
    pub(crate) tags: Option<Vec<Uuid>>,
    pub(crate) with_deleted: bool,
    pub(crate) device: Option<String>,
    pub(crate) id: Option<Uuid>,
    pub(crate) checksum: Option<String>,
    pub(crate) file_name: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) device_asset: Option<String>,
}

impl Filters {
    /// What they need beside what every search does.
    pub(crate) fn needs(&self) -> impl Iterator<Item = Capability> {
        let exif = !self.exif.is_empty() || self.rating.is_some() || self.description.is_some();
        let needs = [
            (exif, Capability::Exif),
            (!self.people.is_empty(), Capability::PeopleFilter),
            (!self.albums.is_empty() || self.not_in_album, Capability::AlbumFilter),
            (self.tags.as_ref().is_none_or(|tags| !tags.is_empty()), Capability::TagFilter),
        ];
        needs.into_iter().filter_map(|(needed, capability)| needed.then_some(capability))
    }

    /// Adds conditions on rows of `asset`.
    pub(crate) fn add(&self, schema: &Schema, sql: &mut Sql, to: &mut Vec<String>) {
        let with_deleted =
            self.with_deleted || self.trashed != Days::default() || self.offline.is_some_and(|yes| yes);
        if !with_deleted {
            to.push("asset.\"deletedAt\" IS NULL".into());
        }
        if let Some(library) = self.library {
            to.push(format!("asset.\"libraryId\" = {}", sql.param(library)));
        }
        if let Some(kind) = &self.kind {
            to.push(format!("asset.type = {}", sql.param(kind.clone())));
        }
        for (column, flag) in [("isFavorite", self.favorite), ("isOffline", self.offline)] {
            if let Some(flag) = flag {
                to.push(format!("asset.\"{column}\" = {}", sql.param(flag)));
            }
        }
        if let Some(motion) = self.motion {
            to.push(format!("asset.\"livePhotoVideoId\" IS {} NULL", if motion { "NOT" } else { "" }));
        }
        if let Some(encoded) = self.encoded {
            let condition = self::encoded(schema);
            to.push(if encoded { condition } else { format!("NOT {condition}") });
        }
        for (column, days) in [
            ("createdAt", self.created),
            ("updatedAt", self.updated),
            ("deletedAt", self.trashed),
            ("fileCreatedAt", self.taken),
        ] {
            for (sign, time) in [("<=", days.before), (">=", days.after)] {
                if let Some(time) = time {
                    let time = sql.param(time.to_string());
                    to.push(format!("asset.\"{column}\" {sign} {time}::text::timestamptz"));
                }
            }
        }
        self.add_exif(schema, sql, to);
        self.add_memberships(schema, sql, to);
        self.add_names(schema, sql, to);
    }

    fn add_exif(&self, schema: &Schema, sql: &mut Sql, to: &mut Vec<String>) {
        let mut conditions = Vec::new();
        for (column, value) in &self.exif {
            // Before v3, nothing stands for none.
            let value = value.as_ref().filter(|value| schema.rules == Rules::V3 || !value.is_empty());
            conditions.push(match value {
                Some(value) => format!("e.\"{column}\" = {}", sql.param(storable(value))),
                None => format!("e.\"{column}\" IS NULL"),
            });
        }
        match self.rating {
            Some(Some(rating)) => conditions.push(format!("e.rating = {}", sql.param(rating))),
            Some(None) => conditions.push("e.rating IS NULL".into()),
            None => {}
        }
        if let Some(description) = &self.description {
            conditions.push(contains("e.description", description, sql));
        }
        if !conditions.is_empty() {
            to.push(format!(
                "EXISTS (SELECT FROM {} AS e WHERE e.\"assetId\" = asset.id AND {})",
                schema.exif,
                conditions.join(" AND ")
            ));
        }
    }

    /// All of the people, albums and tags must be there, each by itself or, for tags, by one below it.
    fn add_memberships(&self, schema: &Schema, sql: &mut Sql, to: &mut Vec<String>) {
        if !self.people.is_empty() {
            to.push(people::with(schema, sql, &self.people, Together::All));
        }
        let [album_asset, album, asset_in_album] = &schema.album_asset;
        if !self.albums.is_empty() {
            let (albums, count) = (sql.param(self.albums.clone()), self.albums.len());
            to.push(format!(
                "asset.id IN (SELECT a.{asset_in_album} FROM {album_asset} AS a WHERE a.{album} = ANY({albums})
                     GROUP BY a.{asset_in_album} HAVING count(DISTINCT a.{album}) = {count})"
            ));
        } else if self.not_in_album {
            to.push(format!(
                "NOT EXISTS (SELECT FROM {album_asset} AS a WHERE a.{asset_in_album} = asset.id)"
            ));
        }
        let [tag_asset, asset_with_tag, tag] = &schema.tag_asset;
        match &self.tags {
            Some(tags) if tags.is_empty() => {}
            Some(tags) => {
                let (ids, count) = (sql.param(tags.clone()), tags.len());
                to.push(format!(
                    "asset.id IN (SELECT t.{asset_with_tag} FROM {tag_asset} AS t
                         JOIN {} AS c ON c.id_descendant = t.{tag} WHERE c.id_ancestor = ANY({ids})
                         GROUP BY t.{asset_with_tag} HAVING count(DISTINCT c.id_ancestor) >= {count})",
                    schema.tag_closure
                ));
            }
            None => to.push(format!(
                "NOT EXISTS (SELECT FROM {tag_asset} AS t WHERE t.{asset_with_tag} = asset.id)"
            )),
        }
    }

    fn add_names(&self, schema: &Schema, sql: &mut Sql, to: &mut Vec<String>) {
        for (column, value) in [("deviceId", &self.device), ("deviceAssetId", &self.device_asset)] {
            // v3 has neither, and passes them over.
            if let Some(value) = value.as_ref().filter(|_| schema.rules != Rules::V3) {
                to.push(format!("asset.\"{column}\" = {}", sql.param(storable(value))));
            }
        }
        if let Some(id) = self.id {
            to.push(format!("asset.id = {}", sql.param(id)));
        }
        if let Some(checksum) = &self.checksum {
            // A base64 SHA-1 has 28 characters, a hexadecimal one 40.
            let form = if checksum.len() == 28 { "base64" } else { "hex" };
            let checksum = sql.param(storable(checksum));
            to.push(format!("asset.checksum = decode({checksum}::text, '{form}')"));
        }
        for (column, value) in [("originalFileName", &self.file_name), ("originalPath", &self.path)] {
            if let Some(value) = value {
                to.push(contains(&format!("asset.\"{column}\""), value, sql));
            }
        }
    }
}

/// There is a converted video.
pub(crate) fn encoded(schema: &Schema) -> String {
    if schema.encoded_in_file {
        format!(
            "EXISTS (SELECT FROM {} AS f WHERE f.\"assetId\" = asset.id AND f.type = 'encoded_video')",
            schema.file
        )
    } else {
        "asset.\"encodedVideoPath\" IS NOT NULL".to_owned()
    }
}

/// Contains a text.
fn contains(column: &str, text: &str, sql: &mut Sql) -> String {
    matches(column, true, [true, true], text, sql)
}

/// Is like a text or not, with more before or after it, whatever the case and the accents; with Immich's own function. As in Immich, `%`
/// and `_` stand for anything.
pub(crate) fn matches(
    column: &str,
    yes: bool,
    [before, after]: [bool; 2],
    text: &str,
    sql: &mut Sql,
) -> String {
    let text = sql.param(storable(text));
    let not = if yes { "" } else { "NOT " };
    let [before, after] = [if before { "'%' || " } else { "" }, if after { " || '%'" } else { "" }];
    format!("public.f_unaccent({column}::text) {not}ILIKE ({before}public.f_unaccent({text}::text){after})")
}

/// What the words of a query need for their filters.
pub(crate) fn needs_of_query(query: &Query) -> impl Iterator<Item = Capability> {
    let of_pictures = !query.path.is_empty() || query.from_ms.is_some() || query.until_ms.is_some();
    let needs = [
        // It has all columns of a picture.
        (of_pictures, Capability::TextSearch),
        (!query.people.is_empty(), Capability::PeopleFilter),
    ];
    needs.into_iter().filter_map(|(needed, capability)| needed.then_some(capability))
}

/// Adds what the words of a query filter by: paths, days and people, those of a user or anybody's.
pub(crate) fn add_of_query(
    query: &Query,
    schema: &Schema,
    sql: &mut Sql,
    to: &mut Vec<String>,
    user: Option<Uuid>,
) {
    for part in &query.path {
        // Immich moves files to paths of its own; people know the names.
        let (path, name) = (
            contains("asset.\"originalPath\"", part, sql),
            contains("asset.\"originalFileName\"", part, sql),
        );
        to.push(format!("({path} OR {name})"));
    }
    // Immich keeps the clock of the place as if it were that of Greenwich.
    for (sign, ms) in [(">=", query.from_ms), ("<", query.until_ms)] {
        if let Some(ms) = ms {
            let seconds = sql.param(ms as f64 / 1000.0);
            to.push(format!("asset.\"localDateTime\" {sign} to_timestamp({seconds})"));
        }
    }
    to.extend(query.people.iter().map(|name| people::named(schema, sql, name, user)));
}
