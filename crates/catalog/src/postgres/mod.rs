//! The catalogue in PostgreSQL with pgvector, for many pictures, several users, and more than one machine.
//!
//! The parts that know of no table of the catalogue are public, for whoever keeps text in another form: connections, the `tsvector` of
//! lines, text queries, and how well they fit.
//!
//! All tables are in the schema `viewfinder`, so that any database will do, one of another program's included. See "The
//! catalogue" in ARCHITECTURE.md for what lies where and why.
mod expression;
mod files;
mod findings;
mod people;
mod schema;
mod search;
mod session;
mod text;
mod vectors;

use std::sync::Arc;

use crate::{
    AnalysisKind, Asset, AssetId, ContentHash, Counts, FaceRecord, FileRecord, Filter, Outcome, Person,
    PersonId, Properties, Scored, Store, StoreError, TextExpr, TextLine, search::Source, text::Segmenter,
};
pub use expression::Sql;
pub use schema::{bring_up, require_config};
pub use search::{TextSearch, use_index};
pub use session::{Params, Pool, Result, Trouble, Work, at_most, storable};
pub use text::letters_of;

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

/// A catalogue in a database.
pub struct PostgresStore {
    pool: Pool,
    cutter: Cutter,
}

/// What cuts text into tokens.
pub struct Cutter {
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
    pub fn open(config: &PostgresConfig, segmenter: Arc<Segmenter>) -> Result<Self, StoreError> {
        let pool = Pool::new(&config.url)?;
        pool.write(schema::migrate)?;
        let cutter = Cutter { segmenter, config: config.text_search_config.clone() };
        pool.write(|work| {
            if let Some(config) = &cutter.config {
                schema::require_config(work, config)?;
            }
            text::note_version(work, &cutter)
        })?;
        Ok(Self { pool, cutter })
    }
}

impl Source for PostgresStore {
    fn find_text(&self, expr: &TextExpr, filter: &Filter, limit: usize) -> Result<Vec<Scored>, StoreError> {
        self.pool.read(|work| search::find_text(work, &self.cutter, expr, filter, limit))
    }

    fn finds_other_forms(&self) -> bool {
        self.cutter.config.is_some()
    }

    fn nearest(
        &self,
        model: &str,
        vector: &[f32],
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError> {
        self.pool.read(|work| search::nearest(work, &self.cutter, model, vector, filter, limit))
    }

    fn background(&self, model: &str, vector: &[f32], count: usize) -> Result<Vec<f32>, StoreError> {
        self.pool.read(|work| search::background(work, model, vector, count))
    }

    fn lines(&self, ids: &[AssetId]) -> Result<Vec<Vec<TextLine>>, StoreError> {
        self.pool.read(|work| text::lines(work, ids))
    }
}

impl Store for PostgresStore {
    fn put_files(&self, files: &[(FileRecord, Properties)]) -> Result<Vec<AssetId>, StoreError> {
        self.pool.write(|work| files::put(work, files))
    }

    fn move_file(&self, id: AssetId, file: &FileRecord) -> Result<(), StoreError> {
        self.pool.write(|work| files::relocate(work, id, file))
    }

    fn remove(&self, ids: &[AssetId]) -> Result<(), StoreError> {
        self.pool.write(|work| files::remove(work, ids))
    }

    fn list(&self, folder: &str, after: Option<&str>, limit: usize) -> Result<Vec<Asset>, StoreError> {
        self.pool.read(|work| files::list(work, folder, after, limit))
    }

    fn assets(&self, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        self.pool.read(|work| files::get(work, ids))
    }

    fn by_path(&self, path: &str) -> Result<Option<Asset>, StoreError> {
        self.pool.read(|work| files::by_path(work, path))
    }

    fn by_hash(&self, hash: &ContentHash) -> Result<Vec<Asset>, StoreError> {
        self.pool.read(|work| files::by_hash(work, hash))
    }

    fn record(&self, outcomes: &[Outcome]) -> Result<(), StoreError> {
        self.pool.write(|work| findings::record(work, &self.cutter, outcomes))
    }

    fn forget(
        &self,
        kind: AnalysisKind,
        ids: &[AssetId],
        discard_corrections: bool,
    ) -> Result<(), StoreError> {
        self.pool.write(|work| {
            findings::forget(work, kind, ids)?;
            if kind == AnalysisKind::Ocr && discard_corrections {
                text::undo_corrections(work, &self.cutter, ids)?;
            }
            Ok(())
        })
    }

    fn forget_other_models(&self, kind: AnalysisKind, model: &str) -> Result<u64, StoreError> {
        self.pool.write(|work| findings::forget_other_models(work, kind, model))
    }

    fn forget_failures(&self, kind: AnalysisKind) -> Result<u64, StoreError> {
        self.pool.write(|work| findings::forget_failures(work, kind))
    }

    fn pending(
        &self,
        kinds: &[AnalysisKind],
        after: Option<AssetId>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        self.pool.read(|work| findings::pending(work, kinds, after, limit))
    }

    fn failures(&self, limit: usize) -> Result<Vec<Asset>, StoreError> {
        self.pool.read(|work| findings::failures(work, limit))
    }

    fn correct(&self, id: AssetId, line: usize, corrected: &str) -> Result<bool, StoreError> {
        self.pool.write(|work| text::correct(work, &self.cutter, id, line, corrected))
    }

    fn embedding(&self, id: AssetId) -> Result<Option<(String, Vec<f32>)>, StoreError> {
        self.pool.read(|work| findings::embedding(work, id))
    }

    fn faces(&self, id: AssetId) -> Result<Vec<FaceRecord>, StoreError> {
        self.pool.read(|work| people::faces(work, id))
    }

    fn browse(
        &self,
        filter: &Filter,
        after: Option<AssetId>,
        limit: usize,
    ) -> Result<Vec<AssetId>, StoreError> {
        self.pool.read(|work| search::browse(work, &self.cutter, filter, after, limit))
    }

    fn people(&self) -> Result<Vec<Person>, StoreError> {
        self.pool.read(people::everybody)
    }

    fn unassigned_faces(
        &self,
        model: &str,
        after: Option<(AssetId, usize)>,
        limit: usize,
    ) -> Result<Vec<(AssetId, usize, Vec<f32>)>, StoreError> {
        self.pool.read(|work| people::unassigned(work, model, after, limit))
    }

    fn similar_people(
        &self,
        model: &str,
        embedding: &[f32],
        limit: usize,
    ) -> Result<Vec<(PersonId, f32)>, StoreError> {
        self.pool.read(|work| people::similar(work, model, embedding, limit))
    }

    fn assign(
        &self,
        id: AssetId,
        face: usize,
        person: Option<PersonId>,
    ) -> Result<Option<PersonId>, StoreError> {
        self.pool.write(|work| people::assign(work, id, face, person))
    }

    fn name_person(&self, person: PersonId, name: &str) -> Result<bool, StoreError> {
        self.pool.write(|work| people::name(work, person, name))
    }

    fn people_called(&self, name: &str) -> Result<Vec<PersonId>, StoreError> {
        self.pool.read(|work| people::called(work, name))
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        self.pool.read(findings::counts)
    }

    fn revision(&self) -> Result<i64, StoreError> {
        self.pool.read(schema::revision)
    }

    fn refresh_text(&self, limit: usize) -> Result<u64, StoreError> {
        self.pool.write(|work| text::refresh(work, &self.cutter, limit))
    }
}
