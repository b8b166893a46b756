//! Outcomes of analyses and their states.
use pgvector::Vector;
use postgres::Row;

use super::{
    Cutter, files, people,
    schema::touch,
    session::{Result, Work, at_most, storable},
    text,
    vectors::provide_model,
};
use crate::{AnalysisKind, Asset, AssetId, Counts, Finding, Outcome};

pub(super) fn record(work: &mut Work<'_>, cutter: &Cutter, outcomes: &[Outcome]) -> Result<()> {
    for outcome in outcomes {
        let id = outcome.asset.0;
        let same = work
            .row("SELECT 1 FROM asset WHERE id = $1 AND hash = $2 FOR UPDATE", &[&id, &&outcome.hash[..]])?;
        if same.is_none() {
            continue;
        }
        let kind = match &outcome.finding {
            Finding::Text(lines) => {
                text::replace(work, cutter, id, lines)?;
                AnalysisKind::Ocr
            }
            Finding::Embedding(vector) => {
                let model = provide_model(work, &outcome.model, vector.len())?;
                work.execute(
                    "INSERT INTO embedding (asset, model, vector) VALUES ($1, $2, $3)
                     ON CONFLICT (asset) DO UPDATE SET model = excluded.model, vector = excluded.vector",
                    &[&id, &model, &Vector::from(vector.clone())],
                )?;
                AnalysisKind::Clip
            }
            Finding::Faces(faces) => {
                people::replace_faces(work, id, &outcome.model, faces)?;
                AnalysisKind::Faces
            }
            Finding::Failure { kind, .. } => *kind,
        };
        let (state, code, message) = match &outcome.finding {
            Finding::Failure { code, message, .. } => (2i16, Some(code), Some(storable(message))),
            _ => (1, None, None),
        };
        work.execute(
            "UPDATE analysis SET state = $1, model = $2, at_ms = $3, code = $4, message = $5 WHERE asset = $6 AND kind = $7",
            &[&state, &outcome.model, &outcome.at_ms, &code, &message, &id, &number(kind)],
        )?;
    }
    touch(work)
}

pub(super) fn embedding(work: &mut Work<'_>, id: AssetId) -> Result<Option<(String, Vec<f32>)>> {
    let row = work.row(
        "SELECT model.name, vector FROM embedding JOIN model ON model.id = embedding.model WHERE asset = $1",
        &[&id.0],
    )?;
    Ok(row.map(|row| (row.get(0), row.get::<_, Vector>(1).into())))
}

const FORGET: &str =
    "UPDATE analysis SET state = 0, model = NULL, at_ms = NULL, code = NULL, message = NULL WHERE kind = $1";

pub(super) fn forget(work: &mut Work<'_>, kind: AnalysisKind, ids: &[AssetId]) -> Result<()> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    work.execute(&format!("{FORGET} AND asset = ANY($2)"), &[&number(kind), &ids])?;
    touch(work)
}

pub(super) fn forget_other_models(work: &mut Work<'_>, kind: AnalysisKind, model: &str) -> Result<u64> {
    let forgotten =
        work.execute(&format!("{FORGET} AND state = 1 AND model <> $2"), &[&number(kind), &model])?;
    touch(work)?;
    Ok(forgotten)
}

pub(super) fn forget_failures(work: &mut Work<'_>, kind: AnalysisKind) -> Result<u64> {
    let forgotten = work.execute(&format!("{FORGET} AND state = 2"), &[&number(kind)])?;
    touch(work)?;
    Ok(forgotten)
}

pub(super) fn pending(
    work: &mut Work<'_>,
    kinds: &[AnalysisKind],
    after: Option<AssetId>,
    limit: usize,
) -> Result<Vec<Asset>> {
    let kinds: Vec<i16> = kinds.iter().copied().map(number).collect();
    // Each kind by itself, because only so the index gives its rows in order.
    let rows = work.rows(
        "SELECT DISTINCT asset FROM unnest($1::smallint[]) AS wanted, LATERAL (
             SELECT asset FROM analysis WHERE kind = wanted AND state = 0 AND asset > $2 ORDER BY asset LIMIT $3
         ) AS pending ORDER BY asset LIMIT $3",
        &[&kinds, &after.map_or(i64::MIN, |after| after.0), &at_most(limit)],
    )?;
    files::get(work, &ids(&rows))
}

pub(super) fn failures(work: &mut Work<'_>, limit: usize) -> Result<Vec<Asset>> {
    let rows = work.rows(
        "SELECT asset FROM analysis WHERE kind IN (0, 1, 2) AND state = 2
         GROUP BY asset ORDER BY max(at_ms) DESC, asset LIMIT $1",
        &[&at_most(limit)],
    )?;
    files::get(work, &ids(&rows))
}

fn ids(rows: &[Row]) -> Vec<AssetId> {
    rows.iter().map(|row| AssetId(row.get(0))).collect()
}

pub(super) fn counts(work: &mut Work<'_>) -> Result<Counts> {
    let assets: i64 = work.one("SELECT count(*) FROM asset", &[])?;
    let mut counts = Counts { assets: assets as u64, ..Counts::default() };
    for row in work.rows("SELECT kind, state, count(*) FROM analysis GROUP BY kind, state", &[])? {
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
