//! The catalogue in PostgreSQL with pgvector, for many pictures, several users, and more than one machine.
//!
//! The parts that know of no table of the catalogue are public, for whoever keeps text in another form: connections, the `tsvector` of
//! lines, text queries, and how well they fit.
//!
//! All tables are in the schema `viewfinder`, so that any database will do, one of another program's included.
//! `docs/design/catalogue.md` says what lies where and why.
mod address;
mod decisions;
mod error;
mod expression;
mod files;
mod findings;
mod people;
mod pool;
mod portraits;
mod schema;
mod search;
mod text;
mod tls;
mod transaction;
mod vectors;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join;

use crate::{
    AnalysisKind, Asset, AssetId, ContentHash, Counts, FaceRecord, FileRecord, Filter, Outcome, Person,
    PersonFace, PersonId, Properties, Scored, Store, StoreError, TextExpr, TextLine, UnassignedFace,
    search::{Source, TextSteps},
    text::Segmenter,
};
pub use expression::Sql;
pub use pool::Pool;
pub use schema::{migrate, require_config};
pub use search::{TextSearch, use_index};
pub use text::letters_of;
pub use transaction::{Params, Result, Transaction, at_most, storable};

/// Where the database is, and how it cuts text.
#[derive(Clone)]
pub struct PostgresConfig {
    /// `postgresql://user:password@host:port/database`, or `host=… user=… dbname=…`.
    pub url: String,
    /// A text search configuration of the database, such as `english` or `chinese` of zhparser, whose words are found beside those of
    /// this program's segmenter.
    pub text_search_config: Option<String>,
}

impl PostgresConfig {
    /// A database, with this program's segmenter.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), text_search_config: None }
    }
}

/// A step in a transaction of its own. No function can do this: whether the future of a closure may change threads cannot be said of
/// every one yet.
macro_rules! one_step {
    ($begun:expr, $tx:ident => $step:expr) => {{
        let $tx = $begun.await?;
        let value = $step.await?;
        $tx.commit().await?;
        Ok(value)
    }};
}

/// A catalogue in a database.
pub struct PostgresStore {
    pool: Pool,
    tokenizer: Tokenizer,
}

/// What cuts text into tokens.
pub struct Tokenizer {
    /// This program's segmenter.
    pub segmenter: Arc<Segmenter>,
    /// The database's configuration for words, beside the segmenter.
    pub config: Option<String>,
}

impl PostgresStore {
    /// Opens the catalogue in a database, or makes it. `segmenter` cuts the texts; see [`Store::refresh_text`] for what happens if they
    /// were cut otherwise before.
    ///
    /// # Errors
    /// [`StoreError::TooNew`] for tables of a newer program, [`StoreError::Unusable`] if something is missing or not
    /// allowed, [`StoreError::Away`] if the server does not answer.
    pub async fn open(config: &PostgresConfig, segmenter: Arc<Segmenter>) -> Result<Self, StoreError> {
        let pool = Pool::new(&config.url)?;
        let tx = pool.write().await?;
        schema::prepare(&tx).await?;
        tx.commit().await?;
        let tokenizer = Tokenizer { segmenter, config: config.text_search_config.clone() };
        let tx = pool.write().await?;
        if let Some(config) = &tokenizer.config {
            schema::require_config(&tx, config).await?;
        }
        text::note_version(&tx, &tokenizer).await?;
        tx.commit().await?;
        Ok(Self { pool, tokenizer })
    }
}

#[async_trait]
impl Source for PostgresStore {
    async fn find_text(
        &self,
        expr: &TextExpr,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError> {
        one_step!(self.pool.read(), tx => search::find_text(&tx, &self.tokenizer, expr, filter, limit))
    }

    fn finds_other_forms(&self) -> bool {
        self.tokenizer.config.is_some()
    }

    async fn nearest(
        &self,
        model: &str,
        vector: &[f32],
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError> {
        one_step!(self.pool.read(), tx => search::nearest(&tx, &self.tokenizer, model, vector, filter, limit))
    }

    async fn background(&self, model: &str, vector: &[f32], count: usize) -> Result<Vec<f32>, StoreError> {
        one_step!(self.pool.read(), tx => search::background(&tx, model, vector, count))
    }

    async fn lines(&self, ids: &[AssetId]) -> Result<Vec<Vec<TextLine>>, StoreError> {
        one_step!(self.pool.read(), tx => text::lines(&tx, ids))
    }

    async fn search_text(&self, mut steps: TextSteps, filter: &Filter) -> Result<TextSteps, StoreError> {
        let tx = self.pool.read().await?;
        while let Some(step) = steps.next_step() {
            let proposals = search::find_text(&tx, &self.tokenizer, &step.expr, filter, step.limit()).await?;
            if !proposals.is_empty() {
                let lines = text::lines(&tx, &steps.to_read(&proposals)).await?;
                steps = steps.judged(step, proposals, lines).await?;
            }
        }
        tx.commit().await?;
        Ok(steps)
    }

    async fn compare(
        &self,
        model: &str,
        vector: &[f32],
        filter: &Filter,
        (limit, count): (usize, usize),
    ) -> Result<(Vec<Scored>, Vec<f32>), StoreError> {
        one_step!(self.pool.read(), tx => try_join(
            search::nearest(&tx, &self.tokenizer, model, vector, filter, limit),
            search::background(&tx, model, vector, count),
        ))
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn put_files(&self, files: &[(FileRecord, Properties)]) -> Result<Vec<AssetId>, StoreError> {
        one_step!(self.pool.write(), tx => files::put(&tx, files))
    }

    async fn move_file(&self, id: AssetId, file: &FileRecord) -> Result<(), StoreError> {
        one_step!(self.pool.write(), tx => files::relocate(&tx, id, file))
    }

    async fn remove(&self, ids: &[AssetId]) -> Result<(), StoreError> {
        one_step!(self.pool.write(), tx => files::remove(&tx, ids))
    }

    async fn list(&self, folder: &str, after: Option<&str>, limit: usize) -> Result<Vec<Asset>, StoreError> {
        one_step!(self.pool.read(), tx => files::list(&tx, folder, after, limit))
    }

    async fn assets(&self, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        one_step!(self.pool.read(), tx => files::get(&tx, ids))
    }

    async fn by_path(&self, path: &str) -> Result<Option<Asset>, StoreError> {
        one_step!(self.pool.read(), tx => files::by_path(&tx, path))
    }

    async fn by_hash(&self, hash: &ContentHash) -> Result<Vec<Asset>, StoreError> {
        one_step!(self.pool.read(), tx => files::by_hash(&tx, hash))
    }

    async fn record(&self, outcomes: &[Outcome]) -> Result<(), StoreError> {
        one_step!(self.pool.write(), tx => findings::record(&tx, &self.tokenizer, outcomes))
    }

    async fn forget(
        &self,
        kind: AnalysisKind,
        ids: &[AssetId],
        discard_corrections: bool,
    ) -> Result<(), StoreError> {
        let tx = self.pool.write().await?;
        findings::forget(&tx, kind, ids).await?;
        if kind == AnalysisKind::Ocr && discard_corrections {
            text::undo_corrections(&tx, &self.tokenizer, ids).await?;
        }
        tx.commit().await
    }

    async fn forget_other_models(&self, kind: AnalysisKind, model: &str) -> Result<u64, StoreError> {
        one_step!(self.pool.write(), tx => findings::forget_other_models(&tx, kind, model))
    }

    async fn forget_failures(&self, kind: AnalysisKind, code: Option<&str>) -> Result<u64, StoreError> {
        one_step!(self.pool.write(), tx => findings::forget_failures(&tx, kind, code))
    }

    async fn pending(
        &self,
        kinds: &[AnalysisKind],
        after: Option<AssetId>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        one_step!(self.pool.read(), tx => findings::pending(&tx, kinds, after, limit))
    }

    async fn failures(&self, limit: usize) -> Result<Vec<Asset>, StoreError> {
        one_step!(self.pool.read(), tx => findings::failures(&tx, limit))
    }

    async fn correct(&self, id: AssetId, line: usize, corrected: &str) -> Result<bool, StoreError> {
        one_step!(self.pool.write(), tx => text::correct(&tx, &self.tokenizer, id, line, corrected))
    }

    async fn embedding(&self, id: AssetId) -> Result<Option<(String, Vec<f32>)>, StoreError> {
        one_step!(self.pool.read(), tx => findings::embedding(&tx, id))
    }

    async fn faces(&self, id: AssetId) -> Result<Vec<FaceRecord>, StoreError> {
        one_step!(self.pool.read(), tx => people::faces(&tx, id))
    }

    async fn browse(
        &self,
        filter: &Filter,
        after: Option<AssetId>,
        limit: usize,
    ) -> Result<Vec<AssetId>, StoreError> {
        one_step!(self.pool.read(), tx => search::browse(&tx, &self.tokenizer, filter, after, limit))
    }

    async fn count(&self, filter: &Filter) -> Result<usize, StoreError> {
        one_step!(self.pool.read(), tx => search::count(&tx, &self.tokenizer, filter))
    }

    async fn people(&self) -> Result<Vec<Person>, StoreError> {
        one_step!(self.pool.read(), tx => people::everybody(&tx))
    }

    async fn people_of(&self, people: &[PersonId]) -> Result<Vec<Person>, StoreError> {
        one_step!(self.pool.read(), tx => people::of(&tx, people))
    }

    async fn portraits(&self, people: &[PersonId], each: usize) -> Result<Vec<Vec<PersonFace>>, StoreError> {
        one_step!(self.pool.read(), tx => portraits::portraits(&tx, people, each))
    }

    async fn faces_of(
        &self,
        person: PersonId,
        after: Option<(AssetId, usize)>,
        limit: usize,
    ) -> Result<Vec<PersonFace>, StoreError> {
        one_step!(self.pool.read(), tx => portraits::faces_of(&tx, person, after, limit))
    }

    async fn unassigned_faces(
        &self,
        model: &str,
        after: Option<(AssetId, usize)>,
        limit: usize,
    ) -> Result<Vec<UnassignedFace>, StoreError> {
        one_step!(self.pool.read(), tx => people::unassigned(&tx, model, after, limit))
    }

    async fn similar_people(
        &self,
        model: &str,
        embedding: &[f32],
        without: &[PersonId],
        limit: usize,
    ) -> Result<Vec<(PersonId, f32)>, StoreError> {
        one_step!(self.pool.read(), tx => people::similar(&tx, model, embedding, without, limit))
    }

    async fn assign(
        &self,
        id: AssetId,
        face: usize,
        person: Option<PersonId>,
    ) -> Result<Option<PersonId>, StoreError> {
        one_step!(self.pool.write(), tx => people::assign(&tx, id, face, person))
    }

    async fn assign_by_hand(
        &self,
        id: AssetId,
        face: usize,
        person: Option<PersonId>,
    ) -> Result<Option<PersonId>, StoreError> {
        one_step!(self.pool.write(), tx => decisions::assign_by_hand(&tx, id, face, person))
    }

    async fn reject(&self, id: AssetId, face: usize, person: PersonId) -> Result<bool, StoreError> {
        one_step!(self.pool.write(), tx => decisions::reject(&tx, id, face, person))
    }

    async fn merge_people(&self, keep: PersonId, others: &[PersonId]) -> Result<Option<Person>, StoreError> {
        one_step!(self.pool.write(), tx => decisions::merge(&tx, keep, others))
    }

    async fn name_people(&self, people: &[PersonId], name: &str) -> Result<bool, StoreError> {
        one_step!(self.pool.write(), tx => decisions::name(&tx, people, name))
    }

    async fn people_called(&self, name: &str) -> Result<Vec<PersonId>, StoreError> {
        one_step!(self.pool.read(), tx => people::called(&tx, name))
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        one_step!(self.pool.read(), tx => findings::counts(&tx))
    }

    async fn revision(&self) -> Result<i64, StoreError> {
        one_step!(self.pool.read(), tx => schema::revision(&tx))
    }

    async fn refresh_text(&self, limit: usize) -> Result<u64, StoreError> {
        one_step!(self.pool.write(), tx => text::refresh(&tx, &self.tokenizer, limit))
    }
}
