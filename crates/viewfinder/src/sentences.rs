//! What words mean, for searches of pictures that also have text: nobody waits for a model to be fetched.
use std::sync::Arc;

use async_trait::async_trait;
use viewfinder_catalog::search::{EmbedError, Embedder, QueryVector};
use viewfinder_catalog::unit;
use viewfinder_core::{Backend, SentenceRequest};

/// Asks an engine for what words mean.
pub(crate) struct Sentences {
    backend: Arc<dyn Backend>,
    /// What is asked.
    model: String,
    /// The model of the pictures' vectors.
    pictures: String,
}

impl Sentences {
    /// One that asks `model`, to search the vectors of `pictures`.
    pub(crate) fn new(backend: &Arc<dyn Backend>, model: &str, pictures: &str) -> Self {
        Self { backend: Arc::clone(backend), model: model.to_owned(), pictures: pictures.to_owned() }
    }
}

#[async_trait]
impl Embedder for Sentences {
    async fn embed(&self, text: &str) -> Result<QueryVector, EmbedError> {
        let request = SentenceRequest { model: self.model.clone(), text: text.to_owned(), language: None };
        let vector = self.backend.sentence_at_hand(request).await;
        let vector = vector.map_err(|error| EmbedError(error.to_string()))?;
        Ok(QueryVector { model: self.pictures.clone(), vector: unit(&vector) })
    }
}
