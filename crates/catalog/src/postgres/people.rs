//! Faces and whose they are.
use pgvector::Vector;

use super::{
    schema::touch,
    session::{Result, Work, at_most, storable},
    vectors::{self, provide_model},
};
use crate::{AssetId, FaceRecord, Person, PersonId, faces::keep_people, fold::folded};

pub(super) fn faces(work: &mut Work<'_>, id: AssetId) -> Result<Vec<FaceRecord>> {
    let rows = work
        .rows("SELECT corners, score, vector, person FROM face WHERE asset = $1 ORDER BY place", &[&id.0])?;
    let face = |row: &postgres::Row| FaceRecord {
        corners: row.get::<_, Vec<f32>>(0).try_into().unwrap_or_default(),
        score: row.get(1),
        embedding: row.get::<_, Vector>(2).into(),
        person: row.get::<_, Option<i64>>(3).map(PersonId),
    };
    Ok(rows.iter().map(face).collect())
}

/// Replaces the faces of an asset. Who was known stays so where a new face lies over the old one.
pub(super) fn replace_faces(
    work: &mut Work<'_>,
    asset: i64,
    model: &str,
    found: &[FaceRecord],
) -> Result<()> {
    let before = faces(work, AssetId(asset))?;
    work.execute("DELETE FROM face WHERE asset = $1", &[&asset])?;
    for (place, (face, person)) in found.iter().zip(keep_people(found, &before)).enumerate() {
        let model = provide_model(work, model, face.embedding.len())?;
        work.execute(
            "INSERT INTO face (asset, place, corners, score, person, model, vector) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                &asset,
                &(place as i32),
                &&face.corners[..],
                &face.score,
                &person.map(|person| person.0),
                &model,
                &Vector::from(face.embedding.clone()),
            ],
        )?;
    }
    Ok(())
}

pub(super) fn everybody(work: &mut Work<'_>) -> Result<Vec<Person>> {
    let rows = work.rows(
        "SELECT person.id, name, count(face.asset) FROM person LEFT JOIN face ON face.person = person.id
         GROUP BY person.id HAVING count(face.asset) > 0 OR name <> '' ORDER BY count(face.asset) DESC, person.id",
        &[],
    )?;
    let person = |row: &postgres::Row| Person {
        id: PersonId(row.get(0)),
        name: row.get(1),
        faces: row.get::<_, i64>(2) as u64,
    };
    Ok(rows.iter().map(person).collect())
}

pub(super) fn unassigned(
    work: &mut Work<'_>,
    model: &str,
    after: Option<(AssetId, usize)>,
    limit: usize,
) -> Result<Vec<(AssetId, usize, Vec<f32>)>> {
    let (asset, place) = after.map_or((i64::MIN, 0), |(asset, place)| (asset.0, place as i32));
    let rows = work.rows(
        "SELECT asset, place, vector FROM face WHERE person IS NULL
         AND model IN (SELECT id FROM model WHERE name = $1) AND (asset, place) > ($2, $3)
         ORDER BY asset, place LIMIT $4",
        &[&model, &asset, &place, &at_most(limit)],
    )?;
    let face = |row: &postgres::Row| {
        (AssetId(row.get(0)), row.get::<_, i32>(1) as usize, row.get::<_, Vector>(2).into())
    };
    Ok(rows.iter().map(face).collect())
}

pub(super) fn similar(
    work: &mut Work<'_>,
    model: &str,
    embedding: &[f32],
    limit: usize,
) -> Result<Vec<(PersonId, f32)>> {
    let Some(model) = vectors::model(work, model, embedding.len())? else { return Ok(Vec::new()) };
    vectors::widen(work, limit)?;
    let near = vectors::nearest("person", "face", "person IS NOT NULL", model, embedding.len(), limit);
    let rows = work.rows(&near, &[&Vector::from(embedding.to_vec())])?;
    Ok(rows.iter().map(|row| (PersonId(row.get(0)), row.get::<_, f64>(1) as f32)).collect())
}

pub(super) fn assign(
    work: &mut Work<'_>,
    id: AssetId,
    place: usize,
    person: Option<PersonId>,
) -> Result<Option<PersonId>> {
    let place = place as i32;
    if work.row("SELECT 1 FROM face WHERE asset = $1 AND place = $2", &[&id.0, &place])?.is_none() {
        return Ok(None);
    }
    let person: i64 = match person {
        None => work.one("INSERT INTO person DEFAULT VALUES RETURNING id", &[])?,
        Some(person) if work.row("SELECT 1 FROM person WHERE id = $1", &[&person.0])?.is_some() => person.0,
        Some(_) => return Ok(None),
    };
    work.execute("UPDATE face SET person = $3 WHERE asset = $1 AND place = $2", &[&id.0, &place, &person])?;
    touch(work)?;
    Ok(Some(PersonId(person)))
}

pub(super) fn name(work: &mut Work<'_>, person: PersonId, name: &str) -> Result<bool> {
    let name = storable(name);
    let named = work.execute(
        "UPDATE person SET name = $2, folded_name = $3 WHERE id = $1",
        &[&person.0, &name, &folded(&name)],
    )?;
    touch(work)?;
    Ok(named > 0)
}

pub(super) fn called(work: &mut Work<'_>, name: &str) -> Result<Vec<PersonId>> {
    let rows = work.rows(
        "SELECT id FROM person WHERE folded_name = $1 AND name <> '' ORDER BY id",
        &[&storable(&folded(name))],
    )?;
    Ok(rows.iter().map(|row| PersonId(row.get(0))).collect())
}
