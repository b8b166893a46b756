//! Faces and whose they are.
use pgvector::Vector;
use tokio_postgres::Row;

use super::{
    decisions,
    schema::touch,
    transaction::{Params, Result, Transaction, at_most, storable},
    vectors::{self, provide_model},
};
use crate::{
    AssetId, FaceRecord, Person, PersonId, UnassignedFace,
    faces::{keep_people, rejected},
    fold::folded,
};

pub(super) async fn faces(tx: &Transaction, id: AssetId) -> Result<Vec<FaceRecord>> {
    let rows = tx
        .rows("SELECT corners, score, vector, person FROM face WHERE asset = $1 ORDER BY place", &[&id.0])
        .await?;
    let face = |row: &Row| FaceRecord {
        corners: corners(row, 0),
        score: row.get(1),
        embedding: row.get::<_, Vector>(2).into(),
        person: row.get::<_, Option<i64>>(3).map(PersonId),
    };
    Ok(rows.iter().map(face).collect())
}

/// Replaces the faces of an asset. Who was known stays so where a new face lies over the old one.
pub(super) async fn replace_faces(
    tx: &Transaction,
    asset: i64,
    model: &str,
    found: &[FaceRecord],
) -> Result<()> {
    let before = faces(tx, AssetId(asset)).await?;
    tx.execute("DELETE FROM face WHERE asset = $1", &[&asset]).await?;
    for (place, (face, person)) in found.iter().zip(keep_people(found, &before)).enumerate() {
        let model = provide_model(tx, model, face.embedding.len()).await?;
        tx.execute(
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
        ).await?;
    }
    Ok(())
}

pub(super) async fn everybody(tx: &Transaction) -> Result<Vec<Person>> {
    select(tx, "true", "HAVING count(face.asset) > 0 OR name <> ''", &[]).await
}

pub(super) async fn of(tx: &Transaction, people: &[PersonId]) -> Result<Vec<Person>> {
    select(tx, "person.id = ANY($1)", "", &[&numbers(people)]).await
}

async fn select(tx: &Transaction, condition: &str, having: &str, params: Params<'_>) -> Result<Vec<Person>> {
    let sql = format!(
        "SELECT person.id, name, count(face.asset), count(DISTINCT face.asset) FROM person
         LEFT JOIN face ON face.person = person.id
         WHERE {condition} GROUP BY person.id {having} ORDER BY count(face.asset) DESC, person.id"
    );
    let rows = tx.rows(&sql, params).await?;
    let person = |row: &Row| Person {
        id: PersonId(row.get(0)),
        name: row.get(1),
        faces: row.get::<_, i64>(2) as u64,
        pictures: row.get::<_, i64>(3) as u64,
    };
    Ok(rows.iter().map(person).collect())
}

pub(super) fn numbers(people: &[PersonId]) -> Vec<i64> {
    people.iter().map(|person| person.0).collect()
}

pub(super) async fn unassigned(
    tx: &Transaction,
    model: &str,
    after: Option<(AssetId, usize)>,
    limit: usize,
) -> Result<Vec<UnassignedFace>> {
    let (asset, place) = after.map_or((i64::MIN, 0), |(asset, place)| (asset.0, place as i32));
    let rows = tx
        .rows(
            "SELECT asset, place, vector, corners FROM face WHERE person IS NULL
         AND model IN (SELECT id FROM model WHERE name = $1) AND (asset, place) > ($2, $3)
         ORDER BY asset, place LIMIT $4",
            &[&model, &asset, &place, &at_most(limit)],
        )
        .await?;
    let assets: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    let rejections = decisions::rejections(tx, &assets).await?;
    let face = |row: &Row| {
        let asset = AssetId(row.get(0));
        let here = rejections.iter().filter(|(of, _)| *of == asset).map(|(_, rejection)| rejection);
        UnassignedFace {
            asset,
            place: row.get::<_, i32>(1) as usize,
            embedding: row.get::<_, Vector>(2).into(),
            not: rejected(corners(row, 3), here),
        }
    };
    Ok(rows.iter().map(face).collect())
}

/// The corners in a column.
pub(super) fn corners(row: &Row, column: usize) -> [f32; 4] {
    row.get::<_, Vec<f32>>(column).try_into().unwrap_or_default()
}

pub(super) async fn similar(
    tx: &Transaction,
    model: &str,
    embedding: &[f32],
    without: &[PersonId],
    limit: usize,
) -> Result<Vec<(PersonId, f32)>> {
    let Some(model) = vectors::model(tx, model, embedding.len()).await? else { return Ok(Vec::new()) };
    vectors::widen(tx, limit).await?;
    let near = vectors::nearest(
        "person",
        "face",
        "person IS NOT NULL AND person <> ALL ($2)",
        model,
        embedding.len(),
        limit,
    );
    let rows = tx.rows(&near, &[&Vector::from(embedding.to_vec()), &numbers(without)]).await?;
    Ok(rows.iter().map(|row| (PersonId(row.get(0)), row.get::<_, f64>(1) as f32)).collect())
}

pub(super) async fn assign(
    tx: &Transaction,
    id: AssetId,
    place: usize,
    person: Option<PersonId>,
) -> Result<Option<PersonId>> {
    let place = place as i32;
    let face = tx.row("SELECT corners FROM face WHERE asset = $1 AND place = $2", &[&id.0, &place]).await?;
    let Some(face) = face else { return Ok(None) };
    let rejections = decisions::rejections(tx, &[id.0]).await?;
    let not = rejected(corners(&face, 0), rejections.iter().map(|(_, rejection)| rejection));
    let person: i64 = match person {
        None => tx.one("INSERT INTO person DEFAULT VALUES RETURNING id", &[]).await?,
        Some(person) if not.contains(&person) => return Ok(None),
        Some(person) if tx.row("SELECT 1 FROM person WHERE id = $1", &[&person.0]).await?.is_some() => {
            person.0
        }
        Some(_) => return Ok(None),
    };
    tx.execute("UPDATE face SET person = $3 WHERE asset = $1 AND place = $2", &[&id.0, &place, &person])
        .await?;
    touch(tx).await?;
    Ok(Some(PersonId(person)))
}

pub(super) async fn called(tx: &Transaction, name: &str) -> Result<Vec<PersonId>> {
    let rows = tx
        .rows(
            "SELECT id FROM person WHERE folded_name = $1 AND name <> '' ORDER BY id",
            &[&storable(&folded(name))],
        )
        .await?;
    Ok(rows.iter().map(|row| PersonId(row.get(0))).collect())
}
