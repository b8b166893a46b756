//! Where a person's faces are.
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::people::corners;
use crate::{
    AssetId, PersonFace, PersonId,
    faces::{CANDIDATES, best},
};

pub(super) fn portraits(
    db: &Connection,
    people: &[PersonId],
    each: usize,
) -> rusqlite::Result<Vec<Vec<PersonFace>>> {
    let mut statement = db.prepare_cached(
        "SELECT face.asset, place, corners, score, width, height FROM face JOIN asset ON asset.id = face.asset
         WHERE person = ? ORDER BY face.asset DESC LIMIT ?",
    )?;
    let mut of = |person: &PersonId| {
        let candidates = statement
            .query_map(params![person.0, CANDIDATES as i64], |row| {
                Ok((face(row)?, [row.get(4)?, row.get(5)?]))
            })?
            .collect::<rusqlite::Result<_>>()?;
        Ok(best(candidates, each))
    };
    people.iter().map(&mut of).collect()
}

pub(super) fn faces_of(
    db: &Connection,
    person: PersonId,
    after: Option<(AssetId, usize)>,
    limit: usize,
) -> rusqlite::Result<Vec<PersonFace>> {
    let mut from = (i64::MAX, i64::MAX, 0);
    if let Some((asset, place)) = after {
        let taken: Option<i64> = db
            .prepare_cached("SELECT taken_ms FROM asset WHERE id = ?")?
            .query_row([asset.0], |row| row.get(0))
            .optional()?;
        let Some(taken) = taken else { return Ok(Vec::new()) };
        from = (taken, asset.0, place as i64);
    }
    db.prepare_cached(
        "SELECT face.asset, place, corners, score FROM face JOIN asset ON asset.id = face.asset
         WHERE person = ? AND (taken_ms, asset.id, -place) < (?, ?, -?)
         ORDER BY taken_ms DESC, asset.id DESC, place LIMIT ?",
    )?
    .query_map(params![person.0, from.0, from.1, from.2, limit as i64], face)?
    .collect()
}

fn face(row: &Row<'_>) -> rusqlite::Result<PersonFace> {
    Ok(PersonFace {
        asset: AssetId(row.get(0)?),
        place: row.get::<_, i64>(1)? as usize,
        corners: corners(row, 2)?,
        score: row.get(3)?,
    })
}
