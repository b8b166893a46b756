//! Ranks what a user's catalogue knows.
use async_trait::async_trait;
use uuid::Uuid;
use viewfinder_catalog::{
    AssetId, Filter,
    search::{EmbedError, Embedder, MOST_HITS, QueryVector, Ranker, excluded},
    unit,
};
use viewfinder_core::SentenceRequest;

use crate::{
    api::{account::Account, library::ApiConfig, listed::id_of, rerun::failed},
    library::{LibraryError, SearchRequest, WarningThrottle, Who},
};

impl Account {
    /// Everything that fits, best first: Immich's ids. Without an engine, only text is found.
    pub(crate) async fn rank(
        &self,
        config: &ApiConfig,
        request: &SearchRequest,
        warnings: &WarningThrottle,
    ) -> Result<Vec<Uuid>, LibraryError> {
        let query = request.query();
        let embedder = Words { config, language: request.language() };
        let ranker = Ranker {
            source: &*self.store,
            segmenter: &config.segmenter,
            embedder: Some(&embedder),
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
            let newest = self.store.browse(&filter, None, MOST_HITS).await.map_err(|error| failed(&error))?;
            return self.ids(&newest).await;
        }
        let (ranked, notes) = ranker.rank(query, filter).await.map_err(|error| failed(&error))?;
        if let Some(note) = notes.iter().find(|note| note.code == "text_only") {
            if ranked.is_empty() {
                return Err(LibraryError::Failed { code: "engine", message: note.message.clone() });
            }
            if let Some(often) = warnings.hear(("text_only", Who::User(self.user))) {
                tracing::warn!(reason = note.message, "only text was searched{often}");
            }
        }
        self.ids(&ranked.iter().take(MOST_HITS).map(|hit| hit.asset).collect::<Vec<_>>()).await
    }

    async fn ids(&self, assets: &[AssetId]) -> Result<Vec<Uuid>, LibraryError> {
        let assets = self.store.assets(assets).await.map_err(|error| failed(&error))?;
        Ok(assets.iter().filter_map(id_of).collect())
    }
}

/// Has the backend embed words.
struct Words<'a> {
    config: &'a ApiConfig,
    language: Option<&'a str>,
}

#[async_trait]
impl Embedder for Words<'_> {
    async fn embed(&self, text: &str) -> Result<QueryVector, EmbedError> {
        let Self { config, language } = self;
        let sentence = SentenceRequest {
            model: config.sentence_model.clone(),
            text: text.to_owned(),
            language: language.map(str::to_owned),
        };
        let vector =
            config.backend.sentence_at_hand(sentence).await.map_err(|error| EmbedError(error.to_string()))?;
        Ok(QueryVector { model: config.models.clip.clone(), vector: unit(&vector) })
    }
}
