//! Lines of text, their corrections, and the index over them.
use rusqlite::{Connection, Row, params};

use super::schema::touch;
use crate::{
    AssetId, TextLine,
    bytes::{from_bytes, to_bytes},
    corrections::{StoredLine, merge},
    text::Segmenter,
};

/// Stands between lines in the index, so that no phrase crosses them: no letter, so no token is like it.
const LINE_BREAK: &str = "\u{e000}";

/// Does a segmenter of this version cut the texts?
pub(super) fn is_version(db: &Connection, version: &str) -> rusqlite::Result<bool> {
    db.query_row("SELECT segmentation = ? FROM state", [version], |row| row.get(0))
}

/// Remembers which segmenter cuts texts from now on. If it is another than before, all texts are to be cut anew.
pub(super) fn note_version(db: &Connection, version: &str) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE state SET segmentation = ?1, refreshed_up_to = 0 WHERE segmentation <> ?1",
        [version],
    )?;
    Ok(())
}

/// Cuts some more texts anew; returns how many assets with text are left.
pub(super) fn refresh(db: &Connection, segmenter: &Segmenter, limit: usize) -> rusqlite::Result<u64> {
    let from: Option<i64> = db.query_row("SELECT refreshed_up_to FROM state", [], |row| row.get(0))?;
    let Some(from) = from else { return Ok(0) };
    let assets: Vec<i64> = db
        .prepare_cached("SELECT DISTINCT asset FROM line WHERE asset > ? ORDER BY asset LIMIT ?")?
        .query_map([from, limit as i64], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for asset in &assets {
        index(db, segmenter, *asset, &stored(db, *asset)?)?;
    }
    let up_to = assets.last().copied().unwrap_or(i64::MAX);
    let left: i64 =
        db.query_row("SELECT count(DISTINCT asset) FROM line WHERE asset > ?", [up_to], |row| row.get(0))?;
    db.execute("UPDATE state SET refreshed_up_to = ?", [(left > 0).then_some(up_to)])?;
    touch(db)?;
    Ok(left as u64)
}

/// Replaces the text of an asset by what a machine read. Corrections stay.
pub(super) fn replace(
    db: &Connection,
    segmenter: &Segmenter,
    asset: i64,
    read: &[TextLine],
) -> rusqlite::Result<()> {
    let lines = merge(read, stored(db, asset)?);
    write(db, segmenter, asset, &lines)
}

/// Forgets the text of an asset.
pub(super) fn forget(db: &Connection, asset: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM line WHERE asset = ?")?.execute([asset])?;
    db.prepare_cached("DELETE FROM text_index WHERE rowid = ?")?.execute([asset])?;
    Ok(())
}

pub(super) fn lines(db: &Connection, ids: &[AssetId]) -> rusqlite::Result<Vec<Vec<TextLine>>> {
    let of = |id: &AssetId| Ok(stored(db, id.0)?.into_iter().map(|stored| stored.line).collect());
    ids.iter().map(of).collect()
}

pub(super) fn correct(
    db: &Connection,
    segmenter: &Segmenter,
    id: AssetId,
    place: usize,
    text: &str,
) -> rusqlite::Result<bool> {
    let mut lines = stored(db, id.0)?;
    let Some(line) = lines.get_mut(place) else { return Ok(false) };
    line.correct(text);
    write(db, segmenter, id.0, &lines)?;
    touch(db)?;
    Ok(true)
}

/// Puts corrected lines back to what the machine read.
pub(super) fn undo_corrections(
    db: &Connection,
    segmenter: &Segmenter,
    ids: &[AssetId],
) -> rusqlite::Result<()> {
    for id in ids {
        let mut lines = stored(db, id.0)?;
        let mut any = false;
        for line in &mut lines {
            any |= line.undo();
        }
        if any {
            write(db, segmenter, id.0, &lines)?;
        }
    }
    Ok(())
}

fn stored(db: &Connection, asset: i64) -> rusqlite::Result<Vec<StoredLine>> {
    db.prepare_cached(
        "SELECT text, score, corners, read_text, read_score FROM line WHERE asset = ? ORDER BY place",
    )?
    .query_map([asset], stored_line)?
    .collect()
}

fn stored_line(row: &Row<'_>) -> rusqlite::Result<StoredLine> {
    let mut corners = [[0.0; 2]; 4];
    for (to, from) in corners.as_flattened_mut().iter_mut().zip(from_bytes(row.get_ref(2)?.as_blob()?)) {
        *to = from;
    }
    let read = row.get::<_, Option<String>>(3)?.zip(row.get(4)?);
    let line = TextLine { text: row.get(0)?, score: row.get(1)?, corners, corrected: read.is_some() };
    Ok(StoredLine { line, read })
}

fn write(db: &Connection, segmenter: &Segmenter, asset: i64, lines: &[StoredLine]) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM line WHERE asset = ?")?.execute([asset])?;
    let mut insert = db.prepare_cached(
        "INSERT INTO line (asset, place, text, score, corners, read_text, read_score) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?;
    for (place, StoredLine { line, read }) in lines.iter().enumerate() {
        let (read_text, read_score) = read.as_ref().map(|(text, score)| (text, score)).unzip();
        insert.execute(params![
            asset,
            place as i64,
            line.text,
            line.score,
            to_bytes(line.corners.as_flattened()),
            read_text,
            read_score
        ])?;
    }
    index(db, segmenter, asset, lines)
}

fn index(db: &Connection, segmenter: &Segmenter, asset: i64, lines: &[StoredLine]) -> rusqlite::Result<()> {
    let (mut words, mut grams) = (String::new(), String::new());
    for StoredLine { line, .. } in lines {
        let tokens = segmenter.line(&line.text);
        for (text, tokens) in [(&mut words, tokens.words), (&mut grams, tokens.grams)] {
            if !text.is_empty() {
                text.push_str(LINE_BREAK);
                text.push(' ');
            }
            for token in tokens {
                text.push_str(&token);
                text.push(' ');
            }
        }
    }
    db.prepare_cached("DELETE FROM text_index WHERE rowid = ?")?.execute([asset])?;
    if !words.is_empty() || !grams.is_empty() {
        db.prepare_cached("INSERT INTO text_index (rowid, words, grams) VALUES (?, ?, ?)")?
            .execute(params![asset, words, grams])?;
    }
    Ok(())
}
