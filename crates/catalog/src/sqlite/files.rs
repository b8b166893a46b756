//! Files and their assets.
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{schema::touch, text};
use crate::{
    AnalysisState, Asset, AssetId, ContentHash, FileRecord, Properties, fold::folded, fold::stored_time,
    fold::time_of,
};

pub(super) fn put(db: &Connection, files: &[(FileRecord, Properties)]) -> rusqlite::Result<Vec<AssetId>> {
    let mut ids = Vec::with_capacity(files.len());
    for (file, properties) in files {
        let known: Option<(i64, ContentHash)> = db
            .prepare_cached("SELECT id, hash FROM asset WHERE path = ?")?
            .query_row([&file.path], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let id = match known {
            None => insert(db, file, properties)?,
            Some((id, hash)) => {
                update(db, id, file, properties)?;
                if hash != file.hash {
                    forget_content(db, id)?;
                }
                id
            }
        };
        ids.push(AssetId(id));
    }
    touch(db)?;
    Ok(ids)
}

fn insert(db: &Connection, file: &FileRecord, properties: &Properties) -> rusqlite::Result<i64> {
    let id = db
        .prepare_cached(
            "INSERT INTO asset (path, folded_path, size, modified_ns, hash, width, height, taken_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .insert(params![
            file.path,
            folded(&file.path),
            file.size as i64,
            file.modified_ns,
            file.hash,
            properties.width,
            properties.height,
            stored_time(properties.taken_ms)
        ])?;
    db.prepare_cached("INSERT INTO analysis (asset, kind) VALUES (?1, 0), (?1, 1), (?1, 2)")?
        .execute([id])?;
    Ok(id)
}

fn update(db: &Connection, id: i64, file: &FileRecord, properties: &Properties) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE asset SET size = ?2, modified_ns = ?3, hash = ?4, width = ?5, height = ?6, taken_ms = ?7 WHERE id = ?1",
    )?
    .execute(params![
        id,
        file.size as i64,
        file.modified_ns,
        file.hash,
        properties.width,
        properties.height,
        stored_time(properties.taken_ms)
    ])?;
    Ok(())
}

/// Forgets what was found in an asset.
fn forget_content(db: &Connection, id: i64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE analysis SET state = 0, model = NULL, at_ms = NULL, code = NULL, message = NULL WHERE asset = ?",
    )?
    .execute([id])?;
    text::forget(db, id)?;
    let pictures = db.prepare_cached("DELETE FROM embedding WHERE id = ?")?.execute([id])?;
    let faces = db.prepare_cached("DELETE FROM face WHERE asset = ?")?.execute([id])?;
    db.prepare_cached("DELETE FROM rejection WHERE asset = ?")?.execute([id])?;
    note_gone(db, pictures > 0, faces > 0)
}

/// Tells those who keep vectors in memory that some are gone.
pub(super) fn note_gone(db: &Connection, pictures: bool, faces: bool) -> rusqlite::Result<()> {
    if pictures || faces {
        db.prepare_cached("UPDATE state SET pictures_gone = pictures_gone + ?, faces_gone = faces_gone + ?")?
            .execute([pictures, faces])?;
    }
    Ok(())
}

pub(super) fn relocate(db: &Connection, id: AssetId, file: &FileRecord) -> rusqlite::Result<()> {
    let there: Option<i64> = db
        .prepare_cached("SELECT id FROM asset WHERE path = ?")?
        .query_row([&file.path], |row| row.get(0))
        .optional()?;
    if let Some(there) = there.filter(|there| *there != id.0) {
        remove(db, &[AssetId(there)])?;
    }
    db.prepare_cached(
        "UPDATE asset SET path = ?2, folded_path = ?3, size = ?4, modified_ns = ?5 WHERE id = ?1",
    )?
    .execute(params![id.0, file.path, folded(&file.path), file.size as i64, file.modified_ns])?;
    touch(db)
}

pub(super) fn remove(db: &Connection, ids: &[AssetId]) -> rusqlite::Result<()> {
    for id in ids {
        forget_content(db, id.0)?;
        db.prepare_cached("DELETE FROM asset WHERE id = ?")?.execute([id.0])?;
    }
    touch(db)
}

pub(super) fn list(
    db: &Connection,
    folder: &str,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<Asset>> {
    // No path in the folder is larger than its name with the largest character behind it.
    let end = format!("{folder}\u{10ffff}");
    let start = after.map_or(folder, |after| after.max(folder));
    select(db, "path > ? AND path <= ? ORDER BY path LIMIT ?", params![start, end, limit as i64])
}

pub(super) fn get(db: &Connection, ids: &[AssetId]) -> rusqlite::Result<Vec<Asset>> {
    let mut assets = Vec::with_capacity(ids.len());
    for id in ids {
        assets.extend(select(db, "id = ?", [id.0])?);
    }
    Ok(assets)
}

pub(super) fn by_path(db: &Connection, path: &str) -> rusqlite::Result<Option<Asset>> {
    Ok(select(db, "path = ?", [path])?.pop())
}

pub(super) fn by_hash(db: &Connection, hash: &ContentHash) -> rusqlite::Result<Vec<Asset>> {
    select(db, "hash = ? ORDER BY id", [hash])
}

fn select(db: &Connection, condition: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<Asset>> {
    let sql = format!(
        "SELECT id, path, size, modified_ns, hash, width, height, taken_ms FROM asset WHERE {condition}"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params, |row| {
        Ok(Asset {
            id: AssetId(row.get(0)?),
            file: FileRecord {
                path: row.get(1)?,
                size: row.get::<_, i64>(2)? as u64,
                modified_ns: row.get(3)?,
                hash: row.get(4)?,
            },
            properties: Properties {
                width: row.get(5)?,
                height: row.get(6)?,
                taken_ms: time_of(row.get(7)?),
            },
            states: Default::default(),
        })
    })?;
    let mut assets = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut states = db.prepare_cached(
        "SELECT kind, state, model, at_ms, code, message FROM analysis WHERE asset = ? ORDER BY kind",
    )?;
    for asset in &mut assets {
        let mut rows = states.query([asset.id.0])?;
        for state in &mut asset.states {
            if let Some(row) = rows.next()? {
                *state = state_of(row)?;
            }
        }
    }
    Ok(assets)
}

fn state_of(row: &Row<'_>) -> rusqlite::Result<AnalysisState> {
    Ok(match row.get(1)? {
        0 => AnalysisState::Never,
        1 => AnalysisState::Done { model: row.get(2)?, at_ms: row.get(3)? },
        2 => AnalysisState::Failed {
            model: row.get(2)?,
            at_ms: row.get(3)?,
            code: row.get(4)?,
            message: row.get(5)?,
        },
        other => return Err(rusqlite::Error::IntegralValueOutOfRange(1, other)),
    })
}
