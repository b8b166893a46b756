//! What people say of faces: whose they are, whose they are not, and who is the same person.
use super::{
    people::{self, corners, numbers},
    schema::touch,
    transaction::{Result, Transaction, storable},
};
use crate::{
    AssetId, Person, PersonId,
    faces::{Rejection, is_same},
    fold::folded,
};

/// What was said of the faces of assets.
pub(super) async fn rejections(tx: &Transaction, assets: &[i64]) -> Result<Vec<(AssetId, Rejection)>> {
    let rows =
        tx.rows("SELECT asset, corners, person FROM rejection WHERE asset = ANY($1)", &[&assets]).await?;
    let rejection = |row: &tokio_postgres::Row| {
        (AssetId(row.get(0)), Rejection { corners: corners(row, 1), person: PersonId(row.get(2)) })
    };
    Ok(rows.iter().map(rejection).collect())
}

pub(super) async fn reject(tx: &Transaction, id: AssetId, place: usize, person: PersonId) -> Result<bool> {
    let place = place as i32;
    tx.execute(
        "INSERT INTO rejection (asset, corners, person)
         SELECT asset, corners, person FROM face WHERE asset = $1 AND place = $2 AND person = $3
         ON CONFLICT DO NOTHING",
        &[&id.0, &place, &person.0],
    )
    .await?;
    let taken = tx
        .execute(
            "UPDATE face SET person = NULL WHERE asset = $1 AND place = $2 AND person = $3",
            &[&id.0, &place, &person.0],
        )
        .await?;
    touch(tx).await?;
    Ok(taken > 0)
}

pub(super) async fn assign_by_hand(
    tx: &Transaction,
    id: AssetId,
    place: usize,
    person: Option<PersonId>,
) -> Result<Option<PersonId>> {
    let face =
        tx.row("SELECT corners FROM face WHERE asset = $1 AND place = $2", &[&id.0, &(place as i32)]).await?;
    let Some(here) = face.map(|row| corners(&row, 0)) else { return Ok(None) };
    for (_, rejection) in rejections(tx, &[id.0]).await? {
        if Some(rejection.person) == person && is_same(here, rejection.corners) {
            tx.execute(
                "DELETE FROM rejection WHERE asset = $1 AND corners = $2 AND person = $3",
                &[&id.0, &&rejection.corners[..], &rejection.person.0],
            )
            .await?;
        }
    }
    people::assign(tx, id, place, person).await
}

pub(super) async fn merge(tx: &Transaction, keep: PersonId, others: &[PersonId]) -> Result<Option<Person>> {
    if !all_exist(tx, others).await? || !all_exist(tx, &[keep]).await? {
        return Ok(None);
    }
    for other in others.iter().filter(|other| **other != keep) {
        let both: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&keep.0, &other.0];
        tx.execute("UPDATE face SET person = $1 WHERE person = $2", &both).await?;
        tx.execute(
            "INSERT INTO rejection (asset, corners, person)
             SELECT asset, corners, $1 FROM rejection WHERE person = $2 ON CONFLICT DO NOTHING",
            &both,
        )
        .await?;
        tx.execute(
            "UPDATE person SET name = other.name, folded_name = other.folded_name FROM person AS other
             WHERE person.id = $1 AND person.name = '' AND other.id = $2",
            &both,
        )
        .await?;
        tx.execute("DELETE FROM person WHERE id = $1", &[&other.0]).await?;
    }
    leave_out(tx, keep).await?;
    touch(tx).await?;
    Ok(people::of(tx, &[keep]).await?.pop())
}

/// Takes from a person the faces that somebody said are not theirs.
async fn leave_out(tx: &Transaction, person: PersonId) -> Result<()> {
    let rejected = tx.rows("SELECT asset, corners FROM rejection WHERE person = $1", &[&person.0]).await?;
    for row in &rejected {
        let (asset, place) = (AssetId(row.get(0)), corners(row, 1));
        for (at, face) in people::faces(tx, asset).await?.iter().enumerate() {
            if face.person == Some(person) && is_same(face.corners, place) {
                reject(tx, asset, at, person).await?;
            }
        }
    }
    Ok(())
}

pub(super) async fn name(tx: &Transaction, people: &[PersonId], name: &str) -> Result<bool> {
    if !all_exist(tx, people).await? {
        return Ok(false);
    }
    let name = storable(name);
    tx.execute(
        "UPDATE person SET name = $2, folded_name = $3 WHERE id = ANY($1)",
        &[&numbers(people), &name, &folded(&name)],
    )
    .await?;
    touch(tx).await?;
    Ok(true)
}

async fn all_exist(tx: &Transaction, people: &[PersonId]) -> Result<bool> {
    let sql = "SELECT NOT EXISTS (
        SELECT FROM unnest($1::bigint[]) AS wanted WHERE wanted NOT IN (SELECT id FROM person)
    )";
    tx.one(sql, &[&numbers(people)]).await
}
