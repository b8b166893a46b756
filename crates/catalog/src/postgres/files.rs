//! Files and their assets.
use std::collections::HashMap;

use tokio_postgres::Row;

use super::{
    schema::touch,
    text,
    transaction::{Params, Result, Transaction, at_most},
};
use crate::{
    AnalysisState, Asset, AssetId, ContentHash, FileRecord, Properties,
    fold::{folded, stored_time, time_of},
};

pub(super) async fn put(tx: &Transaction, files: &[(FileRecord, Properties)]) -> Result<Vec<AssetId>> {
    let paths: Vec<&str> = files.iter().map(|(file, _)| file.path.as_str()).collect();
    let mut known: HashMap<String, (i64, Vec<u8>)> = tx
        .rows("SELECT path, id, hash FROM asset WHERE path = ANY($1) FOR UPDATE", &[&paths])
        .await?
        .iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2))))
        .collect();
    let mut ids = Vec::with_capacity(files.len());
    for (file, properties) in files {
        let id = match known.get(&file.path) {
            None => insert(tx, file, properties).await?,
            Some((id, hash)) => {
                update(tx, *id, file, properties).await?;
                if hash[..] != file.hash {
                    forget_content(tx, *id).await?;
                }
                *id
            }
        };
        known.insert(file.path.clone(), (id, file.hash.to_vec()));
        ids.push(AssetId(id));
    }
    touch(tx).await?;
    Ok(ids)
}

async fn insert(tx: &Transaction, file: &FileRecord, properties: &Properties) -> Result<i64> {
    tx.one(
        "WITH new AS (
             INSERT INTO asset (path, folded_path, size, modified_ns, hash, width, height, taken_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id
         ), states AS (
             INSERT INTO analysis (asset, kind) SELECT id, kind FROM new, generate_series(0, 2) AS kind
         )
         SELECT id FROM new",
        &[
            &file.path,
            &folded(&file.path),
            &(file.size as i64),
            &file.modified_ns,
            &&file.hash[..],
            &properties.width.map(i64::from),
            &properties.height.map(i64::from),
            &stored_time(properties.taken_ms),
        ],
    )
    .await
}

async fn update(tx: &Transaction, id: i64, file: &FileRecord, properties: &Properties) -> Result<()> {
    tx.execute(
        "UPDATE asset SET size = $2, modified_ns = $3, hash = $4, width = $5, height = $6, taken_ms = $7 WHERE id = $1",
        &[
            &id,
            &(file.size as i64),
            &file.modified_ns,
            &&file.hash[..],
            &properties.width.map(i64::from),
            &properties.height.map(i64::from),
            &stored_time(properties.taken_ms),
        ],
    ).await?;
    Ok(())
}

/// Forgets what was found in an asset.
async fn forget_content(tx: &Transaction, id: i64) -> Result<()> {
    tx.execute(
        "UPDATE analysis SET state = 0, model = NULL, at_ms = NULL, code = NULL, message = NULL WHERE asset = $1",
        &[&id],
    ).await?;
    text::forget(tx, id).await?;
    tx.execute("DELETE FROM embedding WHERE asset = $1", &[&id]).await?;
    tx.execute("DELETE FROM face WHERE asset = $1", &[&id]).await?;
    tx.execute("DELETE FROM rejection WHERE asset = $1", &[&id]).await?;
    Ok(())
}

pub(super) async fn relocate(tx: &Transaction, id: AssetId, file: &FileRecord) -> Result<()> {
    tx.execute("DELETE FROM asset WHERE path = $1 AND id <> $2", &[&file.path, &id.0]).await?;
    tx.execute(
        "UPDATE asset SET path = $2, folded_path = $3, size = $4, modified_ns = $5 WHERE id = $1",
        &[&id.0, &file.path, &folded(&file.path), &(file.size as i64), &file.modified_ns],
    )
    .await?;
    touch(tx).await
}

pub(super) async fn remove(tx: &Transaction, ids: &[AssetId]) -> Result<()> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    tx.execute("DELETE FROM asset WHERE id = ANY($1)", &[&ids]).await?;
    touch(tx).await
}

pub(super) async fn list(
    tx: &Transaction,
    folder: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Asset>> {
    // No path in the folder is larger than its name with the largest character behind it.
    let end = format!("{folder}\u{10ffff}");
    let start = after.map_or(folder, |after| after.max(folder));
    select(tx, "path > $1 AND path <= $2 ORDER BY path LIMIT $3", &[&start, &end, &at_most(limit)]).await
}

pub(super) async fn get(tx: &Transaction, ids: &[AssetId]) -> Result<Vec<Asset>> {
    let numbers: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let found = select(tx, "id = ANY($1)", &[&numbers]).await?;
    let mut of: HashMap<AssetId, Asset> = found.into_iter().map(|asset| (asset.id, asset)).collect();
    Ok(ids.iter().filter_map(|id| of.remove(id)).collect())
}

pub(super) async fn by_path(tx: &Transaction, path: &str) -> Result<Option<Asset>> {
    Ok(select(tx, "path = $1", &[&path]).await?.pop())
}

pub(super) async fn by_hash(tx: &Transaction, hash: &ContentHash) -> Result<Vec<Asset>> {
    select(tx, "hash = $1 ORDER BY id", &[&&hash[..]]).await
}

async fn select(tx: &Transaction, condition: &str, params: Params<'_>) -> Result<Vec<Asset>> {
    let sql = format!(
        "SELECT id, path, size, modified_ns, hash, width, height, taken_ms FROM asset WHERE {condition}"
    );
    let mut assets: Vec<Asset> = tx.rows(&sql, params).await?.iter().map(asset_of).collect();
    let ids: Vec<i64> = assets.iter().map(|asset| asset.id.0).collect();
    let rows = tx
        .rows(
            "SELECT asset, kind, state, model, at_ms, code, message FROM analysis WHERE asset = ANY($1)",
            &[&ids],
        )
        .await?;
    let mut states: HashMap<(i64, i16), AnalysisState> =
        rows.iter().map(|row| ((row.get(0), row.get(1)), state_of(row))).collect();
    for asset in &mut assets {
        for (kind, state) in (0..).zip(&mut asset.states) {
            *state = states.remove(&(asset.id.0, kind)).unwrap_or_default();
        }
    }
    Ok(assets)
}

fn asset_of(row: &Row) -> Asset {
    Asset {
        id: AssetId(row.get(0)),
        file: FileRecord {
            path: row.get(1),
            size: row.get::<_, i64>(2) as u64,
            modified_ns: row.get(3),
            hash: row.get::<_, Vec<u8>>(4).try_into().unwrap_or_default(),
        },
        properties: Properties {
            width: row.get::<_, Option<i64>>(5).map(|width| width as u32),
            height: row.get::<_, Option<i64>>(6).map(|height| height as u32),
            taken_ms: time_of(row.get(7)),
        },
        states: Default::default(),
    }
}

fn state_of(row: &Row) -> AnalysisState {
    match row.get::<_, i16>(2) {
        1 => AnalysisState::Done { model: row.get(3), at_ms: row.get(4) },
        2 => AnalysisState::Failed {
            model: row.get(3),
            at_ms: row.get(4),
            code: row.get(5),
            message: row.get(6),
        },
        _ => AnalysisState::Never,
    }
}
