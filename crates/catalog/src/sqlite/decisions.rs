//! What people say of faces: whose they are, whose they are not, and who is the same person.
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    files::note_gone,
    people::{self, corners, exists},
    schema::touch,
};
use crate::{
    AssetId, Person, PersonId,
    bytes::to_bytes,
    faces::{Rejection, is_same},
    fold::folded,
};

/// What was said of the faces of an asset.
pub(super) fn rejections(db: &Connection, asset: AssetId) -> rusqlite::Result<Vec<Rejection>> {
    db.prepare_cached("SELECT corners, person FROM rejection WHERE asset = ?")?
        .query_map([asset.0], |row| {
            Ok(Rejection { corners: corners(row, 0)?, person: PersonId(row.get(1)?) })
        })?
        .collect()
}

pub(super) fn reject(db: &Connection, id: AssetId, place: usize, person: PersonId) -> rusqlite::Result<bool> {
    let face = params![id.0, place as i64, person.0];
    db.prepare_cached(
        "INSERT OR IGNORE INTO rejection (asset, corners, person)
         SELECT asset, corners, person FROM face WHERE asset = ? AND place = ? AND person = ?",
    )?
    .execute(face)?;
    let taken = db
        .prepare_cached("UPDATE face SET person = NULL WHERE asset = ? AND place = ? AND person = ?")?
        .execute(face)?;
    note_gone(db, false, taken > 0)?;
    touch(db)?;
    Ok(taken > 0)
}

pub(super) fn assign_by_hand(
    db: &Connection,
    id: AssetId,
    place: usize,
    person: Option<PersonId>,
) -> rusqlite::Result<Option<PersonId>> {
    let here: Option<[f32; 4]> = db
        .prepare_cached("SELECT corners FROM face WHERE asset = ? AND place = ?")?
        .query_row(params![id.0, place as i64], |row| corners(row, 0))
        .optional()?;
    let Some(here) = here else { return Ok(None) };
    for rejection in rejections(db, id)? {
        if Some(rejection.person) == person && is_same(here, rejection.corners) {
            db.prepare_cached("DELETE FROM rejection WHERE asset = ? AND corners = ? AND person = ?")?
                .execute(params![id.0, to_bytes(&rejection.corners), rejection.person.0])?;
        }
    }
    people::assign(db, id, place, person)
}

pub(super) fn merge(
    db: &Connection,
    keep: PersonId,
    others: &[PersonId],
) -> rusqlite::Result<Option<Person>> {
    if !all_exist(db, others)? || !exists(db, keep)? {
        return Ok(None);
    }
    for other in others.iter().filter(|other| **other != keep) {
        let both = params![keep.0, other.0];
        db.prepare_cached("UPDATE face SET person = ?1 WHERE person = ?2")?.execute(both)?;
        db.prepare_cached(
            "INSERT OR IGNORE INTO rejection (asset, corners, person)
             SELECT asset, corners, ?1 FROM rejection WHERE person = ?2",
        )?
        .execute(both)?;
        db.prepare_cached(
            "UPDATE person SET (name, folded_name) = (SELECT name, folded_name FROM person WHERE id = ?2)
             WHERE id = ?1 AND name = ''",
        )?
        .execute(both)?;
        db.prepare_cached("DELETE FROM person WHERE id = ?")?.execute([other.0])?;
    }
    leave_out(db, keep)?;
    touch(db)?;
    Ok(people::of(db, &[keep])?.pop())
}

/// Takes from a person the faces that somebody said are not theirs.
fn leave_out(db: &Connection, person: PersonId) -> rusqlite::Result<()> {
    let rejected: Vec<(AssetId, [f32; 4])> = db
        .prepare_cached("SELECT asset, corners FROM rejection WHERE person = ?")?
        .query_map([person.0], |row| Ok((AssetId(row.get(0)?), corners(row, 1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (asset, place) in rejected {
        for (at, face) in people::faces(db, asset)?.iter().enumerate() {
            if face.person == Some(person) && is_same(face.corners, place) {
                reject(db, asset, at, person)?;
            }
        }
    }
    Ok(())
}

pub(super) fn name(db: &Connection, people: &[PersonId], name: &str) -> rusqlite::Result<bool> {
    if !all_exist(db, people)? {
        return Ok(false);
    }
    let mut statement = db.prepare_cached("UPDATE person SET name = ?2, folded_name = ?3 WHERE id = ?1")?;
    for person in people {
        statement.execute(params![person.0, name, folded(name)])?;
    }
    touch(db)?;
    Ok(true)
}

fn all_exist(db: &Connection, people: &[PersonId]) -> rusqlite::Result<bool> {
    for person in people {
        if !exists(db, *person)? {
            return Ok(false);
        }
    }
    Ok(true)
}
