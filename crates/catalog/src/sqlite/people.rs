//! Faces and whose they are.
use std::{rc::Rc, sync::Arc};

use rusqlite::{Connection, OptionalExtension as _, Row, params, types::Value};

use super::{
    decisions,
    files::note_gone,
    schema::{next_sequence, touch},
    vectors::Vectors,
};
use crate::{
    AssetId, FaceRecord, Person, PersonId, UnassignedFace,
    bytes::{from_bytes, to_bytes},
    faces::{keep_people, rejected},
    fold::folded,
};

pub(super) fn faces(db: &Connection, id: AssetId) -> rusqlite::Result<Vec<FaceRecord>> {
    db.prepare_cached("SELECT corners, score, vector, person FROM face WHERE asset = ? ORDER BY place")?
        .query_map([id.0], |row| {
            Ok(FaceRecord {
                corners: corners(row, 0)?,
                score: row.get(1)?,
                embedding: from_bytes(row.get_ref(2)?.as_blob()?),
                person: row.get::<_, Option<i64>>(3)?.map(PersonId),
            })
        })?
        .collect()
}

/// Replaces the faces of an asset. Who was known stays so where a new face lies over the old one.
pub(super) fn replace_faces(
    db: &Connection,
    asset: i64,
    model: &str,
    found: &[FaceRecord],
) -> rusqlite::Result<()> {
    let before = faces(db, AssetId(asset))?;
    db.prepare_cached("DELETE FROM face WHERE asset = ?")?.execute([asset])?;
    note_gone(db, false, !before.is_empty())?;
    let mut insert = db.prepare_cached(
        "INSERT INTO face (asset, place, corners, score, person, model, sequence, vector) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for (place, (face, person)) in found.iter().zip(keep_people(found, &before)).enumerate() {
        insert.execute(params![
            asset,
            place as i64,
            to_bytes(&face.corners),
            face.score,
            person.map(|person| person.0),
            model,
            next_sequence(db)?,
            to_bytes(&face.embedding)
        ])?;
    }
    Ok(())
}

pub(super) fn everybody(db: &Connection) -> rusqlite::Result<Vec<Person>> {
    select(db, "true", "HAVING faces > 0 OR name <> ''", [])
}

pub(super) fn of(db: &Connection, people: &[PersonId]) -> rusqlite::Result<Vec<Person>> {
    select(db, "person.id IN rarray(?)", "", [array(people)])
}

fn select(
    db: &Connection,
    condition: &str,
    having: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<Vec<Person>> {
    db.prepare_cached(&format!(
        "SELECT person.id, name, count(face.id) AS faces, count(DISTINCT face.asset) FROM person
         LEFT JOIN face ON face.person = person.id
         WHERE {condition} GROUP BY person.id {having} ORDER BY faces DESC, person.id"
    ))?
    .query_map(params, |row| {
        Ok(Person {
            id: PersonId(row.get(0)?),
            name: row.get(1)?,
            faces: row.get::<_, i64>(2)? as u64,
            pictures: row.get::<_, i64>(3)? as u64,
        })
    })?
    .collect()
}

/// Numbers, for `rarray(?)`.
fn array(people: &[PersonId]) -> Rc<Vec<Value>> {
    Rc::new(people.iter().map(|person| Value::from(person.0)).collect())
}

pub(super) fn unassigned(
    db: &Connection,
    model: &str,
    after: Option<(AssetId, usize)>,
    limit: usize,
) -> rusqlite::Result<Vec<UnassignedFace>> {
    let (asset, place) = after.map_or((i64::MIN, 0), |(asset, place)| (asset.0, place as i64));
    let mut statement = db.prepare_cached(
        "SELECT asset, place, vector, corners FROM face WHERE person IS NULL AND model = ? AND (asset, place) > (?, ?)
         ORDER BY asset, place LIMIT ?",
    )?;
    let mut rows = statement.query(params![model, asset, place, limit as i64])?;
    let mut faces = Vec::new();
    while let Some(row) = rows.next()? {
        let asset = AssetId(row.get(0)?);
        faces.push(UnassignedFace {
            asset,
            place: row.get::<_, i64>(1)? as usize,
            embedding: from_bytes(row.get_ref(2)?.as_blob()?),
            not: rejected(corners(row, 3)?, &decisions::rejections(db, asset)?),
        });
    }
    Ok(faces)
}

/// The corners in a column.
pub(super) fn corners(row: &Row<'_>, column: usize) -> rusqlite::Result<[f32; 4]> {
    Ok(from_bytes(row.get_ref(column)?.as_blob()?).try_into().unwrap_or_default())
}

pub(super) fn similar(
    db: &Connection,
    vectors: &Arc<Vectors>,
    model: &str,
    embedding: &[f32],
    without: &[PersonId],
    limit: usize,
) -> rusqlite::Result<Vec<(PersonId, f32)>> {
    let allowed: Option<Vec<i64>> = if without.is_empty() {
        None
    } else {
        let sql = "SELECT id FROM face WHERE model = ? AND person IS NOT NULL AND person NOT IN rarray(?)";
        let mut statement = db.prepare_cached(sql)?;
        let ids = statement.query_map(params![model, array(without)], |row| row.get(0))?;
        Some(ids.collect::<rusqlite::Result<_>>()?)
    };
    let mut of = db.prepare_cached("SELECT person FROM face WHERE id = ?")?;
    let mut similar = Vec::new();
    for (face, score) in vectors.nearest(db, model, embedding, allowed.as_deref(), limit)? {
        similar.push((PersonId(of.query_row([face], |row| row.get(0))?), score));
    }
    Ok(similar)
}

pub(super) fn assign(
    db: &Connection,
    id: AssetId,
    place: usize,
    person: Option<PersonId>,
) -> rusqlite::Result<Option<PersonId>> {
    let face: Option<(i64, bool, [f32; 4])> = db
        .prepare_cached("SELECT id, person IS NOT NULL, corners FROM face WHERE asset = ? AND place = ?")?
        .query_row([id.0, place as i64], |row| Ok((row.get(0)?, row.get(1)?, corners(row, 2)?)))
        .optional()?;
    let Some((face, was_known, corners)) = face else { return Ok(None) };
    let person = match person {
        None => db.prepare_cached("INSERT INTO person DEFAULT VALUES")?.insert([])?,
        Some(person) if rejected(corners, &decisions::rejections(db, id)?).contains(&person) => {
            return Ok(None);
        }
        Some(person) if exists(db, person)? => person.0,
        Some(_) => return Ok(None),
    };
    // Known ones are kept in memory by their place in the sequence.
    let sequence = if was_known { None } else { Some(next_sequence(db)?) };
    db.prepare_cached("UPDATE face SET person = ?2, sequence = ifnull(?3, sequence) WHERE id = ?1")?
        .execute(params![face, person, sequence])?;
    touch(db)?;
    Ok(Some(PersonId(person)))
}

pub(super) fn exists(db: &Connection, person: PersonId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM person WHERE id = ?")?.exists([person.0])
}

pub(super) fn called(db: &Connection, name: &str) -> rusqlite::Result<Vec<PersonId>> {
    db.prepare_cached("SELECT id FROM person WHERE folded_name = ? AND name <> '' ORDER BY id")?
        .query_map([folded(name)], |row| row.get(0).map(PersonId))?
        .collect()
}
