//! People in pictures, in SQL. Where the two layouts differ is known here only.
use uuid::Uuid;
use viewfinder_catalog::postgres::{Sql, storable};

use crate::{database::schema::Schema, library::structured::MatchCount};

/// How an Immich keeps people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum People {
    /// A face belongs to a person, and a person to the picture's owner.
    Persons,
    /// v3.2: a face belongs to a group, in which each user has a person, with a name of their own. Ids of the API are the group's.
    Groups,
}

impl People {
    /// The column of faces, and of people, by which they belong together.
    fn columns(self) -> [&'static str; 2] {
        match self {
            Self::Persons => ["personId", "id"],
            Self::Groups => ["personGroupId", "personGroupId"],
        }
    }
}

/// Faces that count.
fn faces(schema: &Schema) -> String {
    let visible = if schema.face_visible { " AND f.\"isVisible\"" } else { "" };
    format!("f.\"deletedAt\" IS NULL{visible}")
}

/// A condition on rows of `asset`: a face is to be seen.
pub(crate) fn any(schema: &Schema) -> String {
    format!("EXISTS (SELECT FROM {} AS f WHERE f.\"assetId\" = asset.id AND {})", schema.face, faces(schema))
}

/// A condition on rows of `asset`: which of the people with these ids are to be seen.
pub(crate) fn with(schema: &Schema, sql: &mut Sql, ids: &[Uuid], together: MatchCount) -> String {
    let [of_face, _] = schema.people.columns();
    let mut different = ids.to_vec();
    different.sort_unstable();
    different.dedup();
    let count = different.len();
    let (ids, faces, face) = (sql.param(different), faces(schema), &schema.face);
    let having = match together {
        MatchCount::All => format!("GROUP BY f.\"assetId\" HAVING count(DISTINCT f.\"{of_face}\") = {count}"),
        MatchCount::Any | MatchCount::None => String::new(),
    };
    let not = if together == MatchCount::None { "NOT " } else { "" };
    format!(
        "asset.id {not}IN (SELECT f.\"assetId\" FROM {face} AS f
             WHERE f.\"{of_face}\" = ANY({ids}) AND {faces} {having})"
    )
}

/// A condition on rows of `asset`: somebody of this name is to be seen, as a user calls them, or anybody.
pub(crate) fn named(schema: &Schema, sql: &mut Sql, name: &str, user: Option<Uuid>) -> String {
    let [of_face, of_person] = schema.people.columns();
    let name = sql.param(storable(name));
    let owner = user.map_or_else(String::new, |user| format!(" AND p.\"ownerId\" = {}", sql.param(user)));
    format!(
        "asset.id IN (SELECT f.\"assetId\" FROM {} AS f
             JOIN {} AS p ON p.\"{of_person}\" = f.\"{of_face}\"
             WHERE lower(p.name) = lower({name}){owner} AND {})",
        schema.face,
        schema.person,
        faces(schema)
    )
}

/// An expression: the faces of a picture as JSON, each with its person `p`, if it has one.
///
/// In v3.2 that is the caller's own person of the face's group, also on pictures of others.
pub(crate) fn in_answer(schema: &Schema, sql: &mut Sql, caller: Uuid, face: &str, person: &str) -> String {
    let [of_face, of_person] = schema.people.columns();
    let own = match schema.people {
        People::Persons => String::new(),
        People::Groups => format!(" AND p.\"ownerId\" = {}", sql.param(caller)),
    };
    format!(
        "(SELECT coalesce(jsonb_agg({face} || jsonb_build_object('person',
                 CASE WHEN p.\"{of_person}\" IS NULL THEN NULL ELSE {person} || jsonb_build_object('id', p.\"{of_person}\") END
             )), '[]') FROM {} AS f LEFT JOIN {} AS p ON p.\"{of_person}\" = f.\"{of_face}\"{own}
          WHERE f.\"assetId\" = asset.id AND {})",
        schema.face,
        schema.person,
        faces(schema)
    )
}
