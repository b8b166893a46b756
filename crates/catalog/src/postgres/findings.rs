//! Outcomes of analyses and their states.
use std::collections::HashMap;

use futures_util::future::try_join;
use pgvector::Vector;
use tokio_postgres::Row;

use super::{
    Tokenizer, files, people,
    schema::touch,
    text,
    transaction::{Result, Transaction, at_most, storable},
    vectors::provide_model,
};
use crate::{AnalysisKind, Asset, AssetId, Counts, Finding, Outcome};

pub(super) async fn record(tx: &Transaction, tokenizer: &Tokenizer, outcomes: &[Outcome]) -> Result<()> {
    let assets: Vec<i64> = outcomes.iter().map(|outcome| outcome.asset.0).collect();
    let hashes: HashMap<i64, Vec<u8>> = tx
        .rows("SELECT id, hash FROM asset WHERE id = ANY($1) ORDER BY id FOR UPDATE", &[&assets])
        .await?
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    for outcome in outcomes {
        if hashes.get(&outcome.asset.0).is_some_and(|hash| hash[..] == outcome.hash) {
            // Both are sent at once where what was found needs no questions.
            try_join(put(tx, tokenizer, outcome), put_state(tx, outcome)).await?;
        }
    }
    touch(tx).await
}

async fn put(tx: &Transaction, tokenizer: &Tokenizer, outcome: &Outcome) -> Result<()> {
    let id = outcome.asset.0;
    match &outcome.finding {
        Finding::Text(lines) => text::replace(tx, tokenizer, id, lines).await,
        Finding::Embedding(vector) => {
            let model = provide_model(tx, &outcome.model, vector.len()).await?;
            tx.execute(
                "INSERT INTO embedding (asset, model, vector) VALUES ($1, $2, $3)
                 ON CONFLICT (asset) DO UPDATE SET model = excluded.model, vector = excluded.vector",
                &[&id, &model, &Vector::from(vector.clone())],
            )
            .await?;
            Ok(())
        }
        Finding::Faces(faces) => people::replace_faces(tx, id, &outcome.model, faces).await,
        Finding::Failure { .. } => Ok(()),
    }
}

async fn put_state(tx: &Transaction, outcome: &Outcome) -> Result<()> {
    let kind = number(outcome.finding.kind());
    let (state, code, message) = match &outcome.finding {
        Finding::Failure { code, message, .. } => (2i16, Some(code), Some(storable(message))),
        _ => (1, None, None),
    };
    tx.execute(
        "UPDATE analysis SET state = $1, model = $2, at_ms = $3, code = $4, message = $5 WHERE asset = $6 AND kind = $7",
        &[&state, &outcome.model, &outcome.at_ms, &code, &message, &outcome.asset.0, &kind],
    ).await?;
    Ok(())
}

pub(super) async fn embedding(tx: &Transaction, id: AssetId) -> Result<Option<(String, Vec<f32>)>> {
    let row = tx.row(
        "SELECT model.name, vector FROM embedding JOIN model ON model.id = embedding.model WHERE asset = $1",
        &[&id.0],
    ).await?;
    Ok(row.map(|row| (row.get(0), row.get::<_, Vector>(1).into())))
}

const FORGET: &str =
    "UPDATE analysis SET state = 0, model = NULL, at_ms = NULL, code = NULL, message = NULL WHERE kind = $1";

pub(super) async fn forget(tx: &Transaction, kind: AnalysisKind, ids: &[AssetId]) -> Result<()> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    tx.execute(&format!("{FORGET} AND asset = ANY($2)"), &[&number(kind), &ids]).await?;
    touch(tx).await
}

pub(super) async fn forget_other_models(tx: &Transaction, kind: AnalysisKind, model: &str) -> Result<u64> {
    let forgotten =
        tx.execute(&format!("{FORGET} AND state = 1 AND model <> $2"), &[&number(kind), &model]).await?;
    touch(tx).await?;
    Ok(forgotten)
}

pub(super) async fn forget_failures(tx: &Transaction, kind: AnalysisKind, code: Option<&str>) -> Result<u64> {
    let failed = format!("{FORGET} AND state = 2 AND ($2::text IS NULL OR code = $2)");
    let forgotten = tx.execute(&failed, &[&number(kind), &code]).await?;
    touch(tx).await?;
    Ok(forgotten)
}

pub(super) async fn pending(
    tx: &Transaction,
    kinds: &[AnalysisKind],
    after: Option<AssetId>,
    limit: usize,
) -> Result<Vec<Asset>> {
    let kinds: Vec<i16> = kinds.iter().copied().map(number).collect();
    // Each kind by itself, because only so the index gives its rows in order.
    let rows = tx.rows(
        "SELECT DISTINCT asset FROM unnest($1::smallint[]) AS wanted, LATERAL (
             SELECT asset FROM analysis WHERE kind = wanted AND state = 0 AND asset > $2 ORDER BY asset LIMIT $3
         ) AS pending ORDER BY asset LIMIT $3",
        &[&kinds, &after.map_or(i64::MIN, |after| after.0), &at_most(limit)],
    ).await?;
    files::get(tx, &ids(&rows)).await
}

pub(super) async fn failures(tx: &Transaction, limit: usize) -> Result<Vec<Asset>> {
    let rows = tx
        .rows(
            "SELECT asset FROM analysis WHERE kind IN (0, 1, 2) AND state = 2
         GROUP BY asset ORDER BY max(at_ms) DESC, asset LIMIT $1",
            &[&at_most(limit)],
        )
        .await?;
    files::get(tx, &ids(&rows)).await
}

fn ids(rows: &[Row]) -> Vec<AssetId> {
    rows.iter().map(|row| AssetId(row.get(0))).collect()
}

pub(super) async fn counts(tx: &Transaction) -> Result<Counts> {
    let assets: i64 = tx.one("SELECT count(*) FROM asset", &[]).await?;
    let mut counts = Counts { assets: assets as u64, ..Counts::default() };
    for row in tx.rows("SELECT kind, state, count(*) FROM analysis GROUP BY kind, state", &[]).await? {
        let (kind, state, count): (i16, i16, i64) = (row.get(0), row.get(1), row.get(2));
        let states = counts.states.get_mut(kind as usize);
        if let Some(counted) = states.and_then(|states| states.get_mut(state as usize)) {
            *counted = count as u64;
        }
    }
    Ok(counts)
}

/// The kind's place in [`AnalysisKind::ALL`].
fn number(kind: AnalysisKind) -> i16 {
    kind as i16
}
