//! The catalogue in one SQLite file.
//!
//! One connection writes, a few read; SQLite's write-ahead log lets them work at the same time, and lets other
//! programs open the file beside this one. SQLite blocks: `file` is the catalogue as it is asked on a thread that may
//! wait, and what stands here puts questions there. `docs/design/catalogue.md` says what lies where and why.
mod connections;
mod decisions;
mod expression;
mod file;
mod files;
mod findings;
mod matrix;
mod people;
mod portraits;
mod schema;
mod search;
mod text;
mod vectors;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;

use crate::{
    AnalysisKind, Asset, AssetId, ContentHash, Counts, FaceRecord, FileRecord, Filter, Outcome, Person,
    PersonFace, PersonId, Properties, Scored, Store, StoreError, TextExpr, TextLine, UnassignedFace,
    blocking::blocking,
    search::{Source, TextSteps},
    text::Segmenter,
};
use file::Catalogue;

/// A catalogue in one file.
pub struct SqliteStore(Arc<Catalogue>);

impl SqliteStore {
    /// Opens the file, or makes it; its folder must exist. `segmenter` cuts the texts. If they were cut by one of another version,
    /// [`Store::refresh_text`] has work to do.
    ///
    /// # Errors
    /// [`StoreError::TooNew`] for a file of a newer program, [`StoreError::Unusable`] if it cannot be used.
    pub async fn open(path: &Path, segmenter: Arc<Segmenter>) -> Result<Self, StoreError> {
        let path = path.to_owned();
        let catalogue = blocking(move || Catalogue::open(&path, segmenter)).await?;
        Ok(Self(Arc::new(catalogue)))
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Catalogue) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let catalogue = Arc::clone(&self.0);
        blocking(move || question(&catalogue)).await
    }
}

#[async_trait]
impl Source for SqliteStore {
    async fn find_text(
        &self,
        expr: &TextExpr,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError> {
        let (expr, filter) = (expr.clone(), filter.clone());
        self.ask(move |catalogue| catalogue.find_text(&expr, &filter, limit)).await
    }

    async fn nearest(
        &self,
        model: &str,
        vector: &[f32],
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError> {
        let (model, vector, filter) = (model.to_owned(), vector.to_owned(), filter.clone());
        self.ask(move |catalogue| catalogue.nearest(&model, &vector, &filter, limit)).await
    }

    async fn background(&self, model: &str, vector: &[f32], count: usize) -> Result<Vec<f32>, StoreError> {
        let (model, vector) = (model.to_owned(), vector.to_owned());
        self.ask(move |catalogue| catalogue.background(&model, &vector, count)).await
    }

    async fn lines(&self, ids: &[AssetId]) -> Result<Vec<Vec<TextLine>>, StoreError> {
        let ids = ids.to_owned();
        self.ask(move |catalogue| catalogue.lines(&ids)).await
    }

    async fn search_text(&self, steps: TextSteps, filter: &Filter) -> Result<TextSteps, StoreError> {
        let filter = filter.clone();
        self.ask(move |catalogue| catalogue.search_text(steps, &filter)).await
    }

    async fn compare(
        &self,
        model: &str,
        vector: &[f32],
        filter: &Filter,
        (limit, count): (usize, usize),
    ) -> Result<(Vec<Scored>, Vec<f32>), StoreError> {
        let (model, vector, filter) = (model.to_owned(), vector.to_owned(), filter.clone());
        self.ask(move |catalogue| catalogue.compare(&model, &vector, &filter, (limit, count))).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn put_files(&self, files: &[(FileRecord, Properties)]) -> Result<Vec<AssetId>, StoreError> {
        let files = files.to_owned();
        self.ask(move |catalogue| catalogue.put_files(&files)).await
    }

    async fn move_file(&self, id: AssetId, file: &FileRecord) -> Result<(), StoreError> {
        let file = file.clone();
        self.ask(move |catalogue| catalogue.move_file(id, &file)).await
    }

    async fn remove(&self, ids: &[AssetId]) -> Result<(), StoreError> {
        let ids = ids.to_owned();
        self.ask(move |catalogue| catalogue.remove(&ids)).await
    }

    async fn list(&self, folder: &str, after: Option<&str>, limit: usize) -> Result<Vec<Asset>, StoreError> {
        let (folder, after) = (folder.to_owned(), after.map(str::to_owned));
        self.ask(move |catalogue| catalogue.list(&folder, after.as_deref(), limit)).await
    }

    async fn assets(&self, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError> {
        let ids = ids.to_owned();
        self.ask(move |catalogue| catalogue.assets(&ids)).await
    }

    async fn by_path(&self, path: &str) -> Result<Option<Asset>, StoreError> {
        let path = path.to_owned();
        self.ask(move |catalogue| catalogue.by_path(&path)).await
    }

    async fn by_hash(&self, hash: &ContentHash) -> Result<Vec<Asset>, StoreError> {
        let hash = *hash;
        self.ask(move |catalogue| catalogue.by_hash(&hash)).await
    }

    async fn record(&self, outcomes: &[Outcome]) -> Result<(), StoreError> {
        let outcomes = outcomes.to_owned();
        self.ask(move |catalogue| catalogue.record(&outcomes)).await
    }

    async fn forget(
        &self,
        kind: AnalysisKind,
        ids: &[AssetId],
        discard_corrections: bool,
    ) -> Result<(), StoreError> {
        let ids = ids.to_owned();
        self.ask(move |catalogue| catalogue.forget(kind, &ids, discard_corrections)).await
    }

    async fn forget_other_models(&self, kind: AnalysisKind, model: &str) -> Result<u64, StoreError> {
        let model = model.to_owned();
        self.ask(move |catalogue| catalogue.forget_other_models(kind, &model)).await
    }

    async fn forget_failures(&self, kind: AnalysisKind, code: Option<&str>) -> Result<u64, StoreError> {
        let code = code.map(str::to_owned);
        self.ask(move |catalogue| catalogue.forget_failures(kind, code.as_deref())).await
    }

    async fn pending(
        &self,
        kinds: &[AnalysisKind],
        after: Option<AssetId>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError> {
        let kinds = kinds.to_owned();
        self.ask(move |catalogue| catalogue.pending(&kinds, after, limit)).await
    }

    async fn failures(&self, limit: usize) -> Result<Vec<Asset>, StoreError> {
        self.ask(move |catalogue| catalogue.failures(limit)).await
    }

    async fn correct(&self, id: AssetId, line: usize, corrected: &str) -> Result<bool, StoreError> {
        let corrected = corrected.to_owned();
        self.ask(move |catalogue| catalogue.correct(id, line, &corrected)).await
    }

    async fn embedding(&self, id: AssetId) -> Result<Option<(String, Vec<f32>)>, StoreError> {
        self.ask(move |catalogue| catalogue.embedding(id)).await
    }

    async fn faces(&self, id: AssetId) -> Result<Vec<FaceRecord>, StoreError> {
        self.ask(move |catalogue| catalogue.faces(id)).await
    }

    async fn browse(
        &self,
        filter: &Filter,
        after: Option<AssetId>,
        limit: usize,
    ) -> Result<Vec<AssetId>, StoreError> {
        let filter = filter.clone();
        self.ask(move |catalogue| catalogue.browse(&filter, after, limit)).await
    }

    async fn count(&self, filter: &Filter) -> Result<usize, StoreError> {
        let filter = filter.clone();
        self.ask(move |catalogue| catalogue.count(&filter)).await
    }

    async fn people(&self) -> Result<Vec<Person>, StoreError> {
        self.ask(Catalogue::people).await
    }

    async fn people_of(&self, people: &[PersonId]) -> Result<Vec<Person>, StoreError> {
        let people = people.to_owned();
        self.ask(move |catalogue| catalogue.people_of(&people)).await
    }

    async fn portraits(&self, people: &[PersonId], each: usize) -> Result<Vec<Vec<PersonFace>>, StoreError> {
        let people = people.to_owned();
        self.ask(move |catalogue| catalogue.portraits(&people, each)).await
    }

    async fn faces_of(
        &self,
        person: PersonId,
        after: Option<(AssetId, usize)>,
        limit: usize,
    ) -> Result<Vec<PersonFace>, StoreError> {
        self.ask(move |catalogue| catalogue.faces_of(person, after, limit)).await
    }

    async fn unassigned_faces(
        &self,
        model: &str,
        after: Option<(AssetId, usize)>,
        limit: usize,
    ) -> Result<Vec<UnassignedFace>, StoreError> {
        let model = model.to_owned();
        self.ask(move |catalogue| catalogue.unassigned_faces(&model, after, limit)).await
    }

    async fn similar_people(
        &self,
        model: &str,
        embedding: &[f32],
        without: &[PersonId],
        limit: usize,
    ) -> Result<Vec<(PersonId, f32)>, StoreError> {
        let (model, embedding, without) = (model.to_owned(), embedding.to_owned(), without.to_owned());
        self.ask(move |catalogue| catalogue.similar_people(&model, &embedding, &without, limit)).await
    }

    async fn assign(
        &self,
        id: AssetId,
        face: usize,
        person: Option<PersonId>,
    ) -> Result<Option<PersonId>, StoreError> {
        self.ask(move |catalogue| catalogue.assign(id, face, person)).await
    }

    async fn assign_by_hand(
        &self,
        id: AssetId,
        face: usize,
        person: Option<PersonId>,
    ) -> Result<Option<PersonId>, StoreError> {
        self.ask(move |catalogue| catalogue.assign_by_hand(id, face, person)).await
    }

    async fn reject(&self, id: AssetId, face: usize, person: PersonId) -> Result<bool, StoreError> {
        self.ask(move |catalogue| catalogue.reject(id, face, person)).await
    }

    async fn merge_people(&self, keep: PersonId, others: &[PersonId]) -> Result<Option<Person>, StoreError> {
        let others = others.to_owned();
        self.ask(move |catalogue| catalogue.merge_people(keep, &others)).await
    }

    async fn name_people(&self, people: &[PersonId], name: &str) -> Result<bool, StoreError> {
        let (people, name) = (people.to_owned(), name.to_owned());
        self.ask(move |catalogue| catalogue.name_people(&people, &name)).await
    }

    async fn people_called(&self, name: &str) -> Result<Vec<PersonId>, StoreError> {
        let name = name.to_owned();
        self.ask(move |catalogue| catalogue.people_called(&name)).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.ask(Catalogue::counts).await
    }

    async fn revision(&self) -> Result<i64, StoreError> {
        self.ask(Catalogue::revision).await
    }

    async fn refresh_text(&self, limit: usize) -> Result<u64, StoreError> {
        self.ask(move |catalogue| catalogue.refresh_text(limit)).await
    }
}
