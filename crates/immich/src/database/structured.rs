//! A filter as conditions on rows of `asset`.
use uuid::Uuid;
use viewfinder_catalog::postgres::{Sql, storable};

use crate::{
    database::{
        filters::{encoded, matches},
        people,
        schema::Schema,
        scope::Scope,
    },
    library::structured::{Branch, Column, Condition, Filter, Flag, MatchCount, Members, Operand, Test},
};

impl Filter {
    /// Adds the conditions, whose pictures may be found among them.
    pub(crate) fn add(&self, schema: &Schema, scope: &Scope, sql: &mut Sql, to: &mut Vec<String>) {
        scope.add_locked(self.says_where(), sql, to);
        if self.unstacked {
            to.push("asset.\"stackId\" IS NULL".into());
        }
        self.top.add(schema, sql, to);
        // Albums stand in for owners: for all that is found, or in a branch.
        let confined = self.top.is_confined();
        let by_branch = !confined && self.any.iter().any(Branch::is_confined);
        if !confined && !by_branch {
            to.push(scope.owned(sql));
        }
        let branch = |branch: &Branch, sql: &mut Sql| {
            let mut conditions = Vec::new();
            branch.add(schema, sql, &mut conditions);
            if by_branch && !branch.is_confined() {
                conditions.push(scope.owned(sql));
            }
            format!("({})", conditions.join(" AND "))
        };
        let branches: Vec<String> = self.any.iter().map(|any| branch(any, sql)).collect();
        if !branches.is_empty() {
            to.push(format!("({})", branches.join(" OR ")));
        }
    }
}

impl Branch {
    fn add(&self, schema: &Schema, sql: &mut Sql, to: &mut Vec<String>) {
        let (mut exif, mut of_nothing) = (Vec::new(), true);
        for condition in &self.0 {
            match condition {
                Condition::Column(Column::Asset(column), test) => to.push(test.sql(column, sql)),
                Condition::Column(Column::Exif(column), test) => {
                    of_nothing &= *test == Test::Null(true);
                    exif.push(test.sql(column, sql));
                }
                Condition::Flag(flag, yes) => to.push(flag_sql(schema, *flag, *yes)),
                Condition::Members(members, together, ids) => {
                    to.push(members_sql(schema, sql, *members, *together, ids));
                }
                Condition::Video(tests) => to.push(video(schema, sql, tests)),
            }
        }
        if exif.is_empty() {
            return;
        }
        let exif = exif.join(" AND ");
        let row = format!("SELECT FROM {} AS e WHERE e.\"assetId\" = asset.id", schema.exif);
        // A picture whose EXIF was not read has none of it.
        to.push(if of_nothing {
            format!("NOT EXISTS ({row} AND NOT ({exif}))")
        } else {
            format!("EXISTS ({row} AND {exif})")
        });
    }
}

impl Test {
    fn sql(&self, column: &str, sql: &mut Sql) -> String {
        match self {
            Self::Null(yes) => format!("{column} IS {}NULL", if *yes { "" } else { "NOT " }),
            Self::Is(sign, operand) => format!("{column} {sign} {}", operand.sql(sql)),
            Self::Among(yes, operands) => {
                let array = Operand::array(operands, sql);
                format!("{column} {}({array})", if *yes { "= ANY" } else { "<> ALL" })
            }
            Self::Like { yes, before, after, text } => matches(column, *yes, [*before, *after], text, sql),
        }
    }
}

impl Operand {
    fn sql(&self, sql: &mut Sql) -> String {
        match self {
            Self::Id(id) => sql.param(*id),
            Self::Text(text) => sql.param(storable(text)),
            Self::Number(number) => sql.param(*number),
            Self::Time(time) => format!("{}::text::timestamptz", sql.param(time.to_string())),
            Self::Bytes(bytes) => sql.param(bytes.clone()),
        }
    }

    /// Operands of one kind as one array, so that the statement does not depend on how many there are.
    fn array(operands: &[Self], sql: &mut Sql) -> String {
        macro_rules! of {
            ($kind:ident($value:ident) => $what:expr) => {
                sql.param(
                    operands
                        .iter()
                        .filter_map(|operand| match operand {
                            Self::$kind($value) => Some($what),
                            _ => None,
                        })
                        .collect::<Vec<_>>(),
                )
            };
        }
        match operands.first() {
            Some(Self::Id(_)) => of!(Id(id) => *id),
            Some(Self::Number(_)) => of!(Number(number) => *number),
            Some(Self::Time(_)) => {
                format!("{}::text[]::timestamptz[]", of!(Time(time) => time.to_string()))
            }
            Some(Self::Bytes(_)) => of!(Bytes(bytes) => bytes.clone()),
            Some(Self::Text(_)) | None => of!(Text(text) => storable(text)),
        }
    }
}

fn flag_sql(schema: &Schema, flag: Flag, yes: bool) -> String {
    let [album_asset, _, asset_in_album] = &schema.album_asset;
    let [tag_asset, asset_with_tag, _] = &schema.tag_asset;
    let condition = match flag {
        Flag::Favorite => "asset.\"isFavorite\"".to_owned(),
        Flag::Offline => "asset.\"isOffline\"".to_owned(),
        Flag::Motion => "asset.\"livePhotoVideoId\" IS NOT NULL".to_owned(),
        Flag::Encoded => encoded(schema),
        Flag::Albums => {
            format!("EXISTS (SELECT FROM {album_asset} AS a WHERE a.{asset_in_album} = asset.id)")
        }
        Flag::People => people::any(schema),
        Flag::Tags => format!("EXISTS (SELECT FROM {tag_asset} AS t WHERE t.{asset_with_tag} = asset.id)"),
    };
    if yes { condition } else { format!("NOT ({condition})") }
}

fn members_sql(
    schema: &Schema,
    sql: &mut Sql,
    members: Members,
    together: MatchCount,
    ids: &[Uuid],
) -> String {
    let mut different = ids.to_vec();
    different.sort_unstable();
    different.dedup();
    let count = different.len();
    let (rows, asset, counted) = match members {
        Members::People => return people::with(schema, sql, ids, together),
        Members::Albums => {
            let [album_asset, album, asset] = &schema.album_asset;
            let ids = sql.param(different);
            (
                format!("{album_asset} AS a WHERE a.{album} = ANY({ids})"),
                format!("a.{asset}"),
                format!("a.{album}"),
            )
        }
        Members::Tags => {
            let [tag_asset, asset, tag] = &schema.tag_asset;
            let ids = sql.param(different);
            let rows = format!(
                "{tag_asset} AS t JOIN {} AS c ON c.id_descendant = t.{tag} WHERE c.id_ancestor = ANY({ids})",
                schema.tag_closure
            );
            (rows, format!("t.{asset}"), "c.id_ancestor".to_owned())
        }
    };
    let not = if together == MatchCount::None { "NOT " } else { "" };
    let all = match together {
        MatchCount::All => format!(" GROUP BY {asset} HAVING count(DISTINCT {counted}) = {count}"),
        MatchCount::Any | MatchCount::None => String::new(),
    };
    format!("asset.id {not}IN (SELECT {asset} FROM {rows}{all})")
}

/// The converted video was a column, and became a file.
fn video(schema: &Schema, sql: &mut Sql, tests: &[Test]) -> String {
    let column = if schema.encoded_in_file { "f.path" } else { "asset.\"encodedVideoPath\"" };
    let tests: Vec<String> = tests.iter().map(|test| test.sql(column, sql)).collect();
    let tests = tests.join(" AND ");
    if !schema.encoded_in_file {
        return tests;
    }
    let unedited = if schema.edited_files { " AND NOT f.\"isEdited\"" } else { "" };
    format!(
        "EXISTS (SELECT FROM {} AS f WHERE f.\"assetId\" = asset.id AND f.type = 'encoded_video'{unedited} AND {tests})",
        schema.file
    )
}
