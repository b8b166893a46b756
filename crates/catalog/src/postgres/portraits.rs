//! Where a person's faces are.
use tokio_postgres::Row;

use super::{
    people::{corners, numbers},
    transaction::{Result, Transaction, at_most},
};
use crate::{
    AssetId, PersonFace, PersonId,
    faces::{CANDIDATES, best},
};

pub(super) async fn portraits(
    tx: &Transaction,
    people: &[PersonId],
    each: usize,
) -> Result<Vec<Vec<PersonFace>>> {
    let rows = tx
        .rows(
            "SELECT face.asset, place, corners, score, width, height, wanted.at
             FROM unnest($1::bigint[]) WITH ORDINALITY AS wanted(person, at), LATERAL (
                 SELECT asset, place, corners, score FROM face WHERE face.person = wanted.person
                 ORDER BY asset DESC LIMIT $2
             ) AS face JOIN asset ON asset.id = face.asset ORDER BY wanted.at, face.asset DESC, place",
            &[&numbers(people), &at_most(CANDIDATES)],
        )
        .await?;
    let side = |row: &Row, column: usize| {
        row.get::<_, Option<i64>>(column).and_then(|side| u32::try_from(side).ok())
    };
    let mut of = vec![Vec::new(); people.len()];
    for row in &rows {
        if let Some(faces) = of.get_mut(row.get::<_, i64>(6) as usize - 1) {
            faces.push((face(row), [side(row, 4), side(row, 5)]));
        }
    }
    Ok(of.into_iter().map(|faces| best(faces, each)).collect())
}

pub(super) async fn faces_of(
    tx: &Transaction,
    person: PersonId,
    after: Option<(AssetId, usize)>,
    limit: usize,
) -> Result<Vec<PersonFace>> {
    let mut from = (i64::MAX, i64::MAX, 0);
    if let Some((asset, place)) = after {
        let row = tx.row("SELECT taken_ms FROM asset WHERE id = $1", &[&asset.0]).await?;
        let Some(taken) = row.map(|row| row.get(0)) else { return Ok(Vec::new()) };
        from = (taken, asset.0, place as i32);
    }
    let rows = tx
        .rows(
            "SELECT face.asset, place, corners, score FROM face JOIN asset ON asset.id = face.asset
             WHERE person = $1 AND (taken_ms, asset.id, -place) < ($2, $3, -$4::integer)
             ORDER BY taken_ms DESC, asset.id DESC, place LIMIT $5",
            &[&person.0, &from.0, &from.1, &from.2, &at_most(limit)],
        )
        .await?;
    Ok(rows.iter().map(face).collect())
}

fn face(row: &Row) -> PersonFace {
    PersonFace {
        asset: AssetId(row.get(0)),
        place: row.get::<_, i32>(1) as usize,
        corners: corners(row, 2),
        score: row.get(3),
    }
}
