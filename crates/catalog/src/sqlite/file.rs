//! The catalogue in its file, as it is asked on a thread that may wait. Each call is one transaction; [`Store`](crate::Store) says what
//! each does.
use std::{path::Path, sync::Arc};

use super::{
    connections::Connections,
    decisions, files, findings, people, portraits, schema, search, text,
    vectors::{Rows, Vectors},
};
use crate::{
    AnalysisKind, Asset, AssetId, ContentHash, Counts, FaceRecord, FileRecord, Filter, Outcome, Person,
    PersonFace, PersonId, Properties, Scored, StoreError, TextExpr, TextLine, UnassignedFace,
    search::TextSteps, text::Segmenter,
};

/// A catalogue in one file.
pub(super) struct Catalogue {
    connections: Connections,
    segmenter: Arc<Segmenter>,
    pictures: Arc<Vectors>,
    faces: Arc<Vectors>,
}

impl Catalogue {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path, segmenter: Arc<Segmenter>) -> Result<Self, StoreError> {
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

    pub(super) fn find_text(
        &self,
        expr: &TextExpr,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError> {
        self.connections.read(|db| search::find_text(db, expr, filter, limit))
    }

    pub(super) fn nearest(
        &self,
        model: &str,
        vector: &[f32],
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError> {
        self.connections.read_vectors(|db| search::nearest(db, &self.pictures, model, vector, filter, limit))
    }

    pub(super) fn background(
        &self,
        model: &str,
        vector: &[f32],
        count: usize,
    ) -> Result<Vec<f32>, StoreError> {
        self.connections.read_vectors(|db| search::background(db, model, vector, count))
    }

    pub(super) fn lines(&self, ids: &[AssetId]) -> Result<Vec<Vec<TextLine>>, StoreError> {
        self.connections.read(|db| text::lines(db, ids))
    }

    pub(super) fn search_text(&self, steps: TextSteps, filter: &Filter) -> Result<TextSteps, StoreError> {
        self.connections.read(|db| search::in_steps(db, steps, filter))
    }

    pub(super) fn compare(
        &self,
        model: &str,
        vector: &[f32],
        filter: &Filter,
        (limit, count): (usize, usize),
    ) -> Result<(Vec<Scored>, Vec<f32>), StoreError> {
        self.connections.read_vectors(|db| {
            let nearest = search::nearest(db, &self.pictures, model, vector, filter, limit)?;
            Ok((nearest, search::background(db, model, vector, count)?))
        })
    }

    pub(super) fn put_files(&self, files: &[(FileRecord, Properties)]) -> Result<Vec<AssetId>, StoreError> {
        self.connections.write(|tx| files::put(tx, files))
    }

    pub(super) fn move_file(&self, id: AssetId, file: &FileRecord) -> Result<(), StoreError> {
        self.connections.write(|tx| files::relocate(tx, id, file))
    }

    pub(super) fn remove(&self, ids: &[AssetId]) -> Result<(), StoreError> {
        self.connections.write(|tx| files::remove(tx, ids))
    }

    pub(super) fn list(
        &self,
        folder: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        self.connections.read(|db| files::list(db, folder, after, limit))
    }

    pub(super) fn assets(&self, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        self.connections.read(|db| files::get(db, ids))
    }

    pub(super) fn by_path(&self, path: &str) -> Result<Option<Asset>, StoreError> {
        self.connections.read(|db| files::by_path(db, path))
    }

    pub(super) fn by_hash(&self, hash: &ContentHash) -> Result<Vec<Asset>, StoreError> {
        self.connections.read(|db| files::by_hash(db, hash))
    }

    pub(super) fn record(&self, outcomes: &[Outcome]) -> Result<(), StoreError> {
        self.connections.write(|tx| findings::record(tx, &self.segmenter, outcomes))
    }

    pub(super) fn forget(
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

    pub(super) fn forget_other_models(&self, kind: AnalysisKind, model: &str) -> Result<u64, StoreError> {
        self.connections.write(|tx| findings::forget_other_models(tx, kind, model))
    }

    pub(super) fn forget_failures(&self, kind: AnalysisKind, code: Option<&str>) -> Result<u64, StoreError> {
        self.connections.write(|tx| findings::forget_failures(tx, kind, code))
    }

    pub(super) fn pending(
        &self,
        kinds: &[AnalysisKind],
        after: Option<AssetId>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        self.connections.read(|db| findings::pending(db, kinds, after, limit))
    }

    pub(super) fn failures(&self, limit: usize) -> Result<Vec<Asset>, StoreError> {
        self.connections.read(|db| findings::failures(db, limit))
    }

    pub(super) fn correct(&self, id: AssetId, line: usize, corrected: &str) -> Result<bool, StoreError> {
        self.connections.write(|tx| text::correct(tx, &self.segmenter, id, line, corrected))
    }

    pub(super) fn embedding(&self, id: AssetId) -> Result<Option<(String, Vec<f32>)>, StoreError> {
        self.connections.read(|db| findings::embedding(db, id))
    }

    pub(super) fn faces(&self, id: AssetId) -> Result<Vec<FaceRecord>, StoreError> {
        self.connections.read(|db| people::faces(db, id))
    }

    pub(super) fn browse(
        &self,
        filter: &Filter,
        after: Option<AssetId>,
        limit: usize,
    ) -> Result<Vec<AssetId>, StoreError> {
        self.connections.read(|db| search::browse(db, filter, after, limit))
    }

    pub(super) fn count(&self, filter: &Filter) -> Result<usize, StoreError> {
        self.connections.read(|db| search::count(db, filter))
    }

    pub(super) fn people(&self) -> Result<Vec<Person>, StoreError> {
        self.connections.read(people::everybody)
    }

    pub(super) fn people_of(&self, people: &[PersonId]) -> Result<Vec<Person>, StoreError> {
        self.connections.read(|db| people::of(db, people))
    }

    pub(super) fn portraits(
        &self,
        people: &[PersonId],
        each: usize,
    ) -> Result<Vec<Vec<PersonFace>>, StoreError> {
        self.connections.read(|db| portraits::portraits(db, people, each))
    }

    pub(super) fn faces_of(
        &self,
        person: PersonId,
        after: Option<(AssetId, usize)>,
        limit: usize,
    ) -> Result<Vec<PersonFace>, StoreError> {
        self.connections.read(|db| portraits::faces_of(db, person, after, limit))
    }

    pub(super) fn unassigned_faces(
        &self,
        model: &str,
        after: Option<(AssetId, usize)>,
        limit: usize,
    ) -> Result<Vec<UnassignedFace>, StoreError> {
        self.connections.read(|db| people::unassigned(db, model, after, limit))
    }

    pub(super) fn similar_people(
        &self,
        model: &str,
        embedding: &[f32],
        without: &[PersonId],
        limit: usize,
    ) -> Result<Vec<(PersonId, f32)>, StoreError> {
        self.connections.read_vectors(|db| people::similar(db, &self.faces, model, embedding, without, limit))
    }

    pub(super) fn assign(
        &self,
        id: AssetId,
        face: usize,
        person: Option<PersonId>,
    ) -> Result<Option<PersonId>, StoreError> {
        self.connections.write(|tx| people::assign(tx, id, face, person))
    }

    pub(super) fn assign_by_hand(
        &self,
        id: AssetId,
        face: usize,
        person: Option<PersonId>,
    ) -> Result<Option<PersonId>, StoreError> {
        self.connections.write(|tx| decisions::assign_by_hand(tx, id, face, person))
    }

    pub(super) fn reject(&self, id: AssetId, face: usize, person: PersonId) -> Result<bool, StoreError> {
        self.connections.write(|tx| decisions::reject(tx, id, face, person))
    }

    pub(super) fn merge_people(
        &self,
        keep: PersonId,
        others: &[PersonId],
    ) -> Result<Option<Person>, StoreError> {
        self.connections.write(|tx| decisions::merge(tx, keep, others))
    }

    pub(super) fn name_people(&self, people: &[PersonId], name: &str) -> Result<bool, StoreError> {
        self.connections.write(|tx| decisions::name(tx, people, name))
    }

    pub(super) fn people_called(&self, name: &str) -> Result<Vec<PersonId>, StoreError> {
        self.connections.read(|db| people::called(db, name))
    }

    pub(super) fn counts(&self) -> Result<Counts, StoreError> {
        self.connections.read(findings::counts)
    }

    pub(super) fn revision(&self) -> Result<i64, StoreError> {
        self.connections.read(schema::revision)
    }

    pub(super) fn refresh_text(&self, limit: usize) -> Result<u64, StoreError> {
        self.connections.write(|tx| text::refresh(tx, &self.segmenter, limit))
    }
}
