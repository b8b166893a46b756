//! Ranks what a user's catalogue knows.
use uuid::Uuid;
use viewfinder_catalog::{
    AssetId, Filter,
    search::{EmbedError, Embedder, MOST_HITS, QueryVector, Ranker, excluded},
    unit,
};
use viewfinder_core::SentenceRequest;

use crate::{
    api::{account::Account, library::ApiConfig, listed::id_of, rerun::failed},
    library::{Complaints, LibraryError, SearchRequest, Who},
};

impl Account {
    /// Everything that fits, best first: Immich's ids. Without an engine, only text is found.
    pub(crate) fn rank(
        &self,
        config: &ApiConfig,
        request: &SearchRequest,
        complaints: &Complaints,
    ) -> Result<Vec<Uuid>, LibraryError> {
        let query = request.query();
        let embed = |text: &str| {
            let language = request.language().map(str::to_owned);
            let sentence =
                SentenceRequest { model: config.sentence_model.clone(), text: text.to_owned(), language };
            let vector = config.runtime.block_on(config.backend.sentence(sentence));
            let vector = vector.map_err(|error| EmbedError(error.to_string()))?;
            Ok(QueryVector { model: config.models.clip.clone(), vector: unit(&vector) })
        };
        let ranker = Ranker {
            source: &*self.store,
            segmenter: &config.segmenter,
            embedder: Some(&embed as &dyn Embedder),
            similarity: config.similarity,
        };
        let filter = Filter {
            path: query.path.clone(),
            from_ms: query.from_ms,
            until_ms: query.until_ms,
            without: excluded(query),
            ..Filter::default()
        };
        if query.terms.is_empty() {
            let newest = self.store.browse(&filter, None, MOST_HITS).map_err(|error| failed(&error))?;
            return self.ids(&newest);
        }
        let (ranked, notes) = ranker.rank(query, filter).map_err(|error| failed(&error))?;
        if let Some(note) = notes.iter().find(|note| note.code == "text_only") {
            if ranked.is_empty() {
                return Err(LibraryError::Failed { code: "engine", message: note.message.clone() });
            }
            if let Some(often) = complaints.hear(("text_only", Who::User(self.user))) {
                tracing::warn!(reason = note.message, "only text was searched{often}");
            }
        }
        self.ids(&ranked.iter().take(MOST_HITS).map(|hit| hit.asset).collect::<Vec<_>>())
    }

    fn ids(&self, assets: &[AssetId]) -> Result<Vec<Uuid>, LibraryError> {
        Ok(self.store.assets(assets).map_err(|error| failed(&error))?.iter().filter_map(id_of).collect())
    }
}
