//! The catalogue in one SQLite file.
//!
//! One connection writes, a few read; SQLite's write-ahead log lets them work at the same time, and lets other
//! programs open the file beside this one. See "The catalogue" in ARCHITECTURE.md for what lies where and why.
mod connections;
mod expression;
mod files;
mod findings;
mod matrix;
mod people;
mod schema;
mod search;
mod text;
mod vectors;

use std::{path::Path, sync::Arc};

use crate::{
    AnalysisKind, Asset, AssetId, ContentHash, Counts, FaceRecord, FileRecord, Filter, Outcome, Person,
    PersonId, Properties, Scored, Store, StoreError, TextExpr, TextLine, search::Source, text::Segmenter,
};
use connections::Connections;
use vectors::{Rows, Vectors};

/// A catalogue in one file.
pub struct SqliteStore {
    connections: Connections,
    segmenter: Arc<Segmenter>,
    pictures: Arc<Vectors>,
    faces: Arc<Vectors>,
}

impl SqliteStore {
    /// Opens the file, or makes it; its folder must exist. `segmenter` cuts the texts. If they were cut by one of another version,
    /// [`Store::refresh_text`] has work to do.
    ///
    /// # Errors
    /// [`StoreError::TooNew`] for a file of a newer program, [`StoreError::Unusable`] if it cannot be used.
    pub fn open(path: &Path, segmenter: Arc<Segmenter>) -> Result<Self, StoreError> {
        let connections = Connections::open(path)?;
        // Seldom, so that opening need not wait for another program that writes.
        if !connections.read(|db| text::is_version(db, segmenter.version()))? {
            connections.write(|tx| text::note_version(tx, segmenter.version()))?;
        }
        Ok(Self {
            connections,
            segmenter,
            pictures: Vectors::new(Rows::Pictures),
            faces: Vectors::new(Rows::KnownFaces),
        })
    }
}

impl Source for SqliteStore {
    fn find_text(&self, expr: &TextExpr, filter: &Filter, limit: usize) -> Result<Vec<Scored>, StoreError> {
        self.connections.read(|db| search::find_text(db, expr, filter, limit))
    }

    fn nearest(
        &self,
        model: &str,
        vector: &[f32],
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError> {
        self.connections.read(|db| search::nearest(db, &self.pictures, model, vector, filter, limit))
    }

    fn background(&self, model: &str, vector: &[f32], count: usize) -> Result<Vec<f32>, StoreError> {
        self.connections.read(|db| search::background(db, model, vector, count))
    }

    fn lines(&self, ids: &[AssetId]) -> Result<Vec<Vec<TextLine>>, StoreError> {
        self.connections.read(|db| text::lines(db, ids))
    }
}

impl Store for SqliteStore {
    fn put_files(&self, files: &[(FileRecord, Properties)]) -> Result<Vec<AssetId>, StoreError> {
        self.connections.write(|tx| files::put(tx, files))
    }

    fn move_file(&self, id: AssetId, file: &FileRecord) -> Result<(), StoreError> {
        self.connections.write(|tx| files::relocate(tx, id, file))
    }

    fn remove(&self, ids: &[AssetId]) -> Result<(), StoreError> {
        self.connections.write(|tx| files::remove(tx, ids))
    }

    fn list(&self, folder: &str, after: Option<&str>, limit: usize) -> Result<Vec<Asset>, StoreError> {
        self.connections.read(|db| files::list(db, folder, after, limit))
    }

    fn assets(&self, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        self.connections.read(|db| files::get(db, ids))
    }

    fn by_path(&self, path: &str) -> Result<Option<Asset>, StoreError> {
        self.connections.read(|db| files::by_path(db, path))
    }

    fn by_hash(&self, hash: &ContentHash) -> Result<Vec<Asset>, StoreError> {
        self.connections.read(|db| files::by_hash(db, hash))
    }

    fn record(&self, outcomes: &[Outcome]) -> Result<(), StoreError> {
        self.connections.write(|tx| findings::record(tx, &self.segmenter, outcomes))
    }

    fn forget(
        &self,
        kind: AnalysisKind,
        ids: &[AssetId],
        discard_corrections: bool,
    ) -> Result<(), StoreError> {
        self.connections.write(|tx| {
            findings::forget(tx, kind, ids)?;
            if kind == AnalysisKind::Ocr && discard_corrections {
                text::undo_corrections(tx, &self.segmenter, ids)?;
            }
            Ok(())
        })
    }

    fn forget_other_models(&self, kind: AnalysisKind, model: &str) -> Result<u64, StoreError> {
        self.connections.write(|tx| findings::forget_other_models(tx, kind, model))
    }

    fn forget_failures(&self, kind: AnalysisKind) -> Result<u64, StoreError> {
        self.connections.write(|tx| findings::forget_failures(tx, kind))
    }

    fn pending(
        &self,
        kinds: &[AnalysisKind],
        after: Option<AssetId>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        self.connections.read(|db| findings::pending(db, kinds, after, limit))
    }

    fn failures(&self, limit: usize) -> Result<Vec<Asset>, StoreError> {
        self.connections.read(|db| findings::failures(db, limit))
    }

    fn correct(&self, id: AssetId, line: usize, corrected: &str) -> Result<bool, StoreError> {
        self.connections.write(|tx| text::correct(tx, &self.segmenter, id, line, corrected))
    }

    fn embedding(&self, id: AssetId) -> Result<Option<(String, Vec<f32>)>, StoreError> {
        self.connections.read(|db| findings::embedding(db, id))
    }

    fn faces(&self, id: AssetId) -> Result<Vec<FaceRecord>, StoreError> {
        self.connections.read(|db| people::faces(db, id))
    }

    fn browse(
        &self,
        filter: &Filter,
        after: Option<AssetId>,
        limit: usize,
    ) -> Result<Vec<AssetId>, StoreError> {
        self.connections.read(|db| search::browse(db, filter, after, limit))
    }

    fn people(&self) -> Result<Vec<Person>, StoreError> {
        self.connections.read(people::everybody)
    }

    fn unassigned_faces(
        &self,
        model: &str,
        after: Option<(AssetId, usize)>,
        limit: usize,
    ) -> Result<Vec<(AssetId, usize, Vec<f32>)>, StoreError> {
        self.connections.read(|db| people::unassigned(db, model, after, limit))
    }

    fn similar_people(
        &self,
        model: &str,
        embedding: &[f32],
        limit: usize,
    ) -> Result<Vec<(PersonId, f32)>, StoreError> {
        self.connections.read(|db| people::similar(db, &self.faces, model, embedding, limit))
    }

    fn assign(
        &self,
        id: AssetId,
        face: usize,
        person: Option<PersonId>,
    ) -> Result<Option<PersonId>, StoreError> {
        self.connections.write(|tx| people::assign(tx, id, face, person))
    }

    fn name_person(&self, person: PersonId, name: &str) -> Result<bool, StoreError> {
        self.connections.write(|tx| people::name(tx, person, name))
    }

    fn people_called(&self, name: &str) -> Result<Vec<PersonId>, StoreError> {
        self.connections.read(|db| people::called(db, name))
    }

    fn counts(&self) -> Result<Counts, StoreError> {
        self.connections.read(findings::counts)
    }

    fn revision(&self) -> Result<i64, StoreError> {
        self.connections.read(schema::revision)
    }

    fn refresh_text(&self, limit: usize) -> Result<u64, StoreError> {
        self.connections.write(|tx| text::refresh(tx, &self.segmenter, limit))
    }
}
