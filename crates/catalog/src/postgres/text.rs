//! Lines of text, their corrections, and the index over them.
use std::{collections::BTreeMap, fmt::Write as _};

use futures_util::future::try_join;
use tokio_postgres::Row;

use super::{
    Tokenizer,
    expression::Sql,
    schema::touch,
    transaction::{Params, Result, Transaction, at_most, storable},
};
use crate::{
    AssetId, TextLine,
    corrections::{StoredLine, merge},
    text::normalized,
};

/// PostgreSQL keeps no places beyond this: what stands there in a very long text is left out.
const LAST_PLACE: usize = 16_383;
/// Stands before grams. Without it, a word and a gram that are alike and have the same place would be one for PostgreSQL, and
/// only the word.
pub(super) const GRAM_MARK: &str = "+";

/// Remembers which segmenter cuts texts from now on. If it is another than before, all texts are to be cut anew.
pub(super) async fn note_version(tx: &Transaction, tokenizer: &Tokenizer) -> Result<()> {
    tx.execute(
        "UPDATE state SET segmentation = $1, refreshed_up_to = 0 WHERE segmentation <> $1",
        &[&tokenizer.version()],
    )
    .await?;
    Ok(())
}

/// Cuts some more texts anew; returns how many assets with text are left.
pub(super) async fn refresh(tx: &Transaction, tokenizer: &Tokenizer, limit: usize) -> Result<u64> {
    let from: Option<i64> = tx.one("SELECT refreshed_up_to FROM state FOR UPDATE", &[]).await?;
    let Some(from) = from else { return Ok(0) };
    let rows = tx
        .rows(
            "SELECT DISTINCT asset FROM line WHERE asset > $1 ORDER BY asset LIMIT $2",
            &[&from, &at_most(limit)],
        )
        .await?;
    let assets: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    for (asset, lines) in assets.iter().zip(stored(tx, &assets).await?) {
        tx.execute("DELETE FROM tokens WHERE asset = $1", &[asset]).await?;
        index(tx, tokenizer, *asset, &lines).await?;
    }
    let up_to = assets.last().copied().unwrap_or(i64::MAX);
    let left: i64 = tx.one("SELECT count(DISTINCT asset) FROM line WHERE asset > $1", &[&up_to]).await?;
    tx.execute("UPDATE state SET refreshed_up_to = $1", &[&(left > 0).then_some(up_to)]).await?;
    touch(tx).await?;
    Ok(left as u64)
}

/// Replaces the text of an asset by what a machine read. Corrections stay.
pub(super) async fn replace(
    tx: &Transaction,
    tokenizer: &Tokenizer,
    asset: i64,
    read: &[TextLine],
) -> Result<()> {
    let before = of_one(tx, asset).await?;
    if !before.is_empty() {
        forget(tx, asset).await?;
    }
    write(tx, tokenizer, asset, &merge(read, before)).await
}

/// Forgets the text of an asset.
pub(super) async fn forget(tx: &Transaction, asset: i64) -> Result<()> {
    tx.execute("DELETE FROM line WHERE asset = $1", &[&asset]).await?;
    tx.execute("DELETE FROM tokens WHERE asset = $1", &[&asset]).await?;
    Ok(())
}

pub(super) async fn lines(tx: &Transaction, ids: &[AssetId]) -> Result<Vec<Vec<TextLine>>> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let plain = |lines: Vec<StoredLine>| lines.into_iter().map(|stored| stored.line).collect();
    Ok(stored(tx, &ids).await?.into_iter().map(plain).collect())
}

pub(super) async fn correct(
    tx: &Transaction,
    tokenizer: &Tokenizer,
    id: AssetId,
    place: usize,
    text: &str,
) -> Result<bool> {
    let mut lines = of_one(tx, id.0).await?;
    let Some(line) = lines.get_mut(place) else { return Ok(false) };
    line.correct(text);
    forget(tx, id.0).await?;
    write(tx, tokenizer, id.0, &lines).await?;
    touch(tx).await?;
    Ok(true)
}

/// Puts corrected lines back to what the machine read.
pub(super) async fn undo_corrections(tx: &Transaction, tokenizer: &Tokenizer, ids: &[AssetId]) -> Result<()> {
    for id in ids {
        let mut lines = of_one(tx, id.0).await?;
        let mut any = false;
        for line in &mut lines {
            any |= line.undo();
        }
        if any {
            forget(tx, id.0).await?;
            write(tx, tokenizer, id.0, &lines).await?;
        }
    }
    Ok(())
}

async fn of_one(tx: &Transaction, asset: i64) -> Result<Vec<StoredLine>> {
    Ok(stored(tx, &[asset]).await?.pop().unwrap_or_default())
}

/// Lines of each of the assets, which are different ones, in the same order.
async fn stored(tx: &Transaction, assets: &[i64]) -> Result<Vec<Vec<StoredLine>>> {
    let rows = tx.rows(
        "SELECT text, score, corners, read_text, read_score, asset FROM line WHERE asset = ANY($1) ORDER BY asset, place",
        &[&assets],
    ).await?;
    let mut of: BTreeMap<i64, Vec<StoredLine>> = BTreeMap::new();
    for row in rows {
        of.entry(row.get(5)).or_default().push(stored_line(&row));
    }
    Ok(assets.iter().map(|asset| of.remove(asset).unwrap_or_default()).collect())
}

fn stored_line(row: &Row) -> StoredLine {
    let mut corners = [[0.0; 2]; 4];
    for (to, from) in corners.as_flattened_mut().iter_mut().zip(row.get::<_, Vec<f32>>(2)) {
        *to = from;
    }
    let read = row.get::<_, Option<String>>(3).zip(row.get(4));
    let line = TextLine { text: row.get(0), score: row.get(1), corners, corrected: read.is_some() };
    StoredLine { line, read }
}

/// Writes the text of an asset that has none.
async fn write(tx: &Transaction, tokenizer: &Tokenizer, asset: i64, lines: &[StoredLine]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = lines.iter().map(|stored| storable(&stored.line.text)).collect();
    let scores: Vec<f32> = lines.iter().map(|stored| stored.line.score).collect();
    let corners: Vec<f32> =
        lines.iter().flat_map(|stored| stored.line.corners.as_flattened()).copied().collect();
    let read = || lines.iter().map(|stored| stored.read.as_ref());
    let read_texts: Vec<Option<String>> = read().map(|read| Some(storable(&read?.0))).collect();
    let read_scores: Vec<Option<f32>> = read().map(|read| Some(read?.1)).collect();
    let params: Params<'_> = &[&asset, &texts, &scores, &corners, &read_texts, &read_scores];
    let written = tx.execute(
        "INSERT INTO line (asset, place, text, score, corners, read_text, read_score)
         SELECT $1::bigint, place - 1, text, score, ($4::real[])[place * 8 - 7 : place * 8], read_text, read_score
         FROM unnest($2::text[], $3::real[], $5::text[], $6::real[]) WITH ORDINALITY
             AS line(text, score, read_text, read_score, place)",
        params,
    );
    try_join(written, index(tx, tokenizer, asset, lines)).await?;
    Ok(())
}

/// Makes an asset without tokens be found by its lines.
async fn index(tx: &Transaction, tokenizer: &Tokenizer, asset: i64, lines: &[StoredLine]) -> Result<()> {
    let texts: Vec<&str> = lines.iter().map(|stored| stored.line.text.as_str()).collect();
    let mut sql = Sql::default();
    let asset = sql.param(asset);
    if let Some(vector) = tokenizer.vector(&mut sql, &texts) {
        let letters = sql.param(letters_of(&texts));
        let statement =
            format!("INSERT INTO tokens (asset, tokens, letters) VALUES ({asset}, {vector}, {letters})");
        tx.execute(&statement, &sql.refs()).await?;
    }
    Ok(())
}

impl Tokenizer {
    /// What tokens depend on: of another version, they do not fit to queries of this one.
    pub fn version(&self) -> String {
        let version = self.segmenter.version();
        self.config.as_ref().map_or_else(|| version.to_owned(), |config| format!("{version} and {config}"))
    }

    /// The tokens of lines, an expression of type `tsvector`; none without any.
    pub fn vector(&self, sql: &mut Sql, lines: &[&str]) -> Option<String> {
        let tokens = vector_text(self, lines);
        if let Some(config) = self.config.as_ref().filter(|_| !lines.is_empty()) {
            let (tokens, config) = (sql.param(tokens), sql.param(config.clone()));
            let text = sql.param(storable(&lines.join("\n")));
            return Some(format!(
                "({tokens}::text::tsvector || setweight(to_tsvector({config}::text::regconfig, {text}::text), 'A'))"
            ));
        }
        (!tokens.is_empty()).then(|| format!("{}::text::tsvector", sql.param(tokens)))
    }
}

/// The letters of lines, with a line break where one ends: what phrases are looked for in.
pub fn letters_of(lines: &[&str]) -> String {
    lines.iter().map(|line| normalized(line)).collect::<Vec<_>>().join("\n")
}

/// The tokens of lines as text of a `tsvector`: words have weight A, grams B. Each kind counts its own places, and leaves one out
/// between lines, so that no phrase crosses them.
fn vector_text(tokenizer: &Tokenizer, lines: &[&str]) -> String {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut word, mut gram) = (0, 0);
    for line in lines {
        let tokens = tokenizer.segmenter.line(line);
        let grams = tokens.grams.into_iter().map(|gram| format!("{GRAM_MARK}{gram}")).collect();
        for (place, weight, tokens) in [(&mut word, 'A', tokens.words), (&mut gram, 'B', grams)] {
            for token in tokens {
                *place += 1;
                if *place <= LAST_PLACE {
                    places.entry(token).or_default().push(format!("{place}{weight}"));
                }
            }
            *place += 1;
        }
    }
    let mut text = String::new();
    for (token, places) in places {
        let _ = write!(text, "{}:{} ", quoted(&token), places.join(",")); // writing to a string cannot fail
    }
    text
}

/// A token as a lexeme in the text of a `tsvector` or `tsquery`.
pub(super) fn quoted(token: &str) -> String {
    format!("'{}'", storable(token).replace('\\', "\\\\").replace('\'', "''"))
}
