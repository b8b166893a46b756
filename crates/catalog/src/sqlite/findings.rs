//! Outcomes of analyses and their states.
use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    files,
    schema::{next_sequence, touch},
    text,
};
use crate::{
    AnalysisKind, Asset, AssetId, ContentHash, Counts, Finding, Outcome,
    bytes::{from_bytes, to_bytes},
    text::Segmenter,
};

pub(super) fn record(db: &Connection, segmenter: &Segmenter, outcomes: &[Outcome]) -> rusqlite::Result<()> {
    for outcome in outcomes {
        let id = outcome.asset.0;
        let hash: Option<ContentHash> = db
            .prepare_cached("SELECT hash FROM asset WHERE id = ?")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        if hash != Some(outcome.hash) {
            continue;
        }
        match &outcome.finding {
            Finding::Text(lines) => text::replace(db, segmenter, id, lines)?,
            Finding::Embedding(vector) => put_embedding(db, id, &outcome.model, vector)?,
            Finding::Faces(faces) => super::people::replace_faces(db, id, &outcome.model, faces)?,
            Finding::Failure { .. } => {}
        }
        let (state, code, message) = match &outcome.finding {
            Finding::Failure { code, message, .. } => (2, Some(code), Some(message)),
            _ => (1, None, None),
        };
        db.prepare_cached(
            "UPDATE analysis SET state = ?, model = ?, at_ms = ?, code = ?, message = ? WHERE asset = ? AND kind = ?",
        )?
        .execute(params![state, outcome.model, outcome.at_ms, code, message, id, number(outcome.finding.kind())])?;
    }
    touch(db)
}

fn put_embedding(db: &Connection, id: i64, model: &str, vector: &[f32]) -> rusqlite::Result<()> {
    let before: Option<String> = db
        .prepare_cached("SELECT model FROM embedding WHERE id = ?")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    db.prepare_cached("INSERT OR REPLACE INTO embedding (id, model, sequence, vector) VALUES (?, ?, ?, ?)")?
        .execute(params![id, model, next_sequence(db)?, to_bytes(vector)])?;
    files::note_gone(db, before.is_some_and(|before| before != model), false)
}

pub(super) fn embedding(db: &Connection, id: AssetId) -> rusqlite::Result<Option<(String, Vec<f32>)>> {
    db.prepare_cached("SELECT model, vector FROM embedding WHERE id = ?")?
        .query_row([id.0], |row| Ok((row.get(0)?, from_bytes(row.get_ref(1)?.as_blob()?))))
        .optional()
}

const FORGET: &str =
    "UPDATE analysis SET state = 0, model = NULL, at_ms = NULL, code = NULL, message = NULL WHERE kind = ?1";

pub(super) fn forget(db: &Connection, kind: AnalysisKind, ids: &[AssetId]) -> rusqlite::Result<()> {
    let mut forget = db.prepare_cached(&format!("{FORGET} AND asset = ?2"))?;
    for id in ids {
        forget.execute([number(kind), id.0])?;
    }
    touch(db)
}

pub(super) fn forget_other_models(db: &Connection, kind: AnalysisKind, model: &str) -> rusqlite::Result<u64> {
    let forgotten = db
        .prepare_cached(&format!("{FORGET} AND state = 1 AND model <> ?2"))?
        .execute(params![number(kind), model])?;
    touch(db)?;
    Ok(forgotten as u64)
}

pub(super) fn forget_failures(
    db: &Connection,
    kind: AnalysisKind,
    code: Option<&str>,
) -> rusqlite::Result<u64> {
    let failed = format!("{FORGET} AND state = 2 AND (?2 IS NULL OR code = ?2)");
    let forgotten = db.prepare_cached(&failed)?.execute(params![number(kind), code])?;
    touch(db)?;
    Ok(forgotten as u64)
}

pub(super) fn pending(
    db: &Connection,
    kinds: &[AnalysisKind],
    after: Option<AssetId>,
    limit: usize,
) -> rusqlite::Result<Vec<Asset>> {
    let mut ids = BTreeSet::new();
    for kind in kinds {
        let mut statement = db.prepare_cached(
            "SELECT asset FROM analysis WHERE kind = ? AND state = 0 AND asset > ? ORDER BY asset LIMIT ?",
        )?;
        let after = after.map_or(i64::MIN, |after| after.0);
        for id in statement.query_map([number(*kind), after, limit as i64], |row| row.get(0))? {
            ids.insert(AssetId(id?));
        }
    }
    files::get(db, &ids.into_iter().take(limit).collect::<Vec<_>>())
}

pub(super) fn failures(db: &Connection, limit: usize) -> rusqlite::Result<Vec<Asset>> {
    let mut statement = db.prepare_cached(
        "SELECT asset FROM analysis WHERE kind IN (0, 1, 2) AND state = 2 GROUP BY asset ORDER BY max(at_ms) DESC, asset LIMIT ?",
    )?;
    let ids: Vec<AssetId> = statement
        .query_map([limit as i64], |row| row.get(0).map(AssetId))?
        .collect::<rusqlite::Result<_>>()?;
    files::get(db, &ids)
}

pub(super) fn counts(db: &Connection) -> rusqlite::Result<Counts> {
    let mut counts = Counts {
        assets: db.query_row("SELECT count(*) FROM asset", [], |row| row.get::<_, i64>(0))? as u64,
        ..Counts::default()
    };
    let mut statement =
        db.prepare_cached("SELECT kind, state, count(*) FROM analysis GROUP BY kind, state")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, state): (u32, u32) = (row.get(0)?, row.get(1)?);
        let states = counts.states.get_mut(kind as usize);
        if let Some(count) = states.and_then(|states| states.get_mut(state as usize)) {
            *count = row.get::<_, i64>(2)? as u64;
        }
    }
    Ok(counts)
}

/// The kind's place in [`AnalysisKind::ALL`].
fn number(kind: AnalysisKind) -> i64 {
    kind as i64
}
