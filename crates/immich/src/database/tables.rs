//! Our own tables, in a schema of our own: without them Immich is as it was.
use std::time::SystemTime;

use uuid::Uuid;
use viewfinder_catalog::postgres::{Result, Sql, Tokenizer, Transaction, letters_of, migrate, storable};

/// What brings the tables from one format to the next. Never change an entry that was released: add one.
///
/// `immich_text` has a row for each picture whose text was read. `corners` are eight numbers a line. `read_at` is Immich's `ocrAt`;
/// without one, this program read the text itself. `generation` tells which segmenter cut the tokens.
/// `letters` stay in the row, as those of the catalogue. There are no references to Immich's tables: it may restore or rename them at any time.
const STEPS: &[&str] = &[
    "
CREATE TABLE viewfinder.immich_text (
    asset UUID PRIMARY KEY,
    texts TEXT[] NOT NULL,
    scores REAL[] NOT NULL,
    corners REAL[] NOT NULL,
    read_at TIMESTAMPTZ,
    generation INTEGER NOT NULL,
    tokens TSVECTOR,
    size INTEGER GENERATED ALWAYS AS (length(tokens)) STORED
);
CREATE INDEX immich_text_by_token ON viewfinder.immich_text USING gin (tokens) WITH (fastupdate = off);

CREATE TABLE viewfinder.immich_state (
    one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    segmentation TEXT NOT NULL DEFAULT '',
    generation INTEGER NOT NULL DEFAULT 0,
    compared_up_to UUID,
    laps BIGINT NOT NULL DEFAULT 0,
    changed_up_to TIMESTAMPTZ NOT NULL DEFAULT now(),
    read_up_to TIMESTAMPTZ NOT NULL DEFAULT now(),
    ocr_up_to UUID,
    clip_up_to UUID
);
INSERT INTO viewfinder.immich_state DEFAULT VALUES;
",
    "
ALTER TABLE viewfinder.immich_text ADD COLUMN letters TEXT NOT NULL DEFAULT '';
ALTER TABLE viewfinder.immich_text ALTER COLUMN letters SET STORAGE main;
UPDATE viewfinder.immich_state SET segmentation = '';
",
];

/// Makes the tables, or brings them to the newest format.
pub(crate) async fn prepare(tx: &Transaction) -> Result<()> {
    migrate(tx, "immich_migration", STEPS).await
}

/// A row of `immich_text`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OwnText {
    pub(crate) texts: Vec<String>,
    pub(crate) scores: Vec<f32>,
    /// Eight numbers a line.
    pub(crate) corners: Vec<f32>,
}

impl OwnText {
    /// Writes the text of a picture, in place of what was there.
    pub(crate) async fn write(
        &self,
        tx: &Transaction,
        tokenizer: &Tokenizer,
        asset: Uuid,
        read_at: Option<SystemTime>,
    ) -> Result<()> {
        let mut sql = Sql::default();
        let (asset, read_at) = (sql.param(asset), sql.param(read_at));
        let texts = sql.param(self.texts.iter().map(|text| storable(text)).collect::<Vec<_>>());
        let (scores, corners) = (sql.param(self.scores.clone()), sql.param(self.corners.clone()));
        let lines: Vec<&str> = self.texts.iter().map(String::as_str).collect();
        let tokens = tokenizer.vector(&mut sql, &lines).unwrap_or_else(|| "NULL::tsvector".into());
        let letters = sql.param(letters_of(&lines));
        tx.execute(
            &format!(
                "INSERT INTO viewfinder.immich_text
                     (asset, texts, scores, corners, read_at, generation, tokens, letters)
                 SELECT {asset}, {texts}, {scores}, {corners}, {read_at}, generation, {tokens}, {letters}
                 FROM viewfinder.immich_state
                 ON CONFLICT (asset) DO UPDATE SET texts = excluded.texts, scores = excluded.scores,
                     corners = excluded.corners, read_at = excluded.read_at, generation = excluded.generation,
                     tokens = excluded.tokens, letters = excluded.letters"
            ),
            &sql.refs(),
        )
        .await?;
        Ok(())
    }
}

/// Notes which segmenter cuts texts from now on. After another one, everything is compared and cut again.
pub(crate) async fn note_segmentation(tx: &Transaction, version: &str) -> Result<()> {
    tx.execute(
        "UPDATE viewfinder.immich_state
         SET segmentation = $1, generation = generation + 1, compared_up_to = NULL, laps = 0
         WHERE segmentation <> $1",
        &[&version],
    )
    .await?;
    Ok(())
}
