//! What a search allows, as conditions in SQL: the same as Immich's.
use uuid::Uuid;
use viewfinder_catalog::{
    postgres::{Sql, storable},
    query::Query,
};

use crate::{
    database::{
        people,
        schema::{Rules, Schema},
    },
    library::{
        filters::{Days, Filters},
        structured::MatchCount,
    },
};

impl Filters {
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
            to.push(people::with(schema, sql, &self.people, MatchCount::All));
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
