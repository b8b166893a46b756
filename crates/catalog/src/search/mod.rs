//! Searches: what a query finds, in which order, and why.
//!
//! Text comes first. The store proposes pictures (`text_query.rs`); their lines are then read and judged here (`judge.rs`), so
//! that the order does not depend on the database and every hit can say why it is one. Pictures that show what was asked for
//! come from the vectors, and both meet in [`fuse`] and [`Similarity`].
mod by_picture;
mod cursor;
mod find;
mod fuse;
mod judge;
mod rank;
mod source;
mod text;
mod text_query;

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use serde::Serialize;

pub use cursor::{Cursor, Page};
pub use fuse::{Similarity, fuse};
pub use judge::{LineMatch, MatchQuality, TextMatch};
pub use rank::{Ranked, Ranker, excluded};
pub use source::Source;
pub use text::TextSteps;

use crate::{
    Asset, AssetId, Filter, Store, StoreError,
    query::{Query, QueryError},
    text::Segmenter,
};
use cursor::{From, Position};
use rank::MOST_SIMILAR;
use text_query::TextQuery;

/// The most hits of a search, over all pages.
pub const MOST_HITS: usize = 1000;

/// Turns words into the vector of what they mean.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// The vector of `text`, of unit length, and the model whose vectors it is to be compared with.
    async fn embed(&self, text: &str) -> Result<QueryVector, EmbedError>;
}

/// What knows its vectors without having to wait.
#[async_trait]
impl<F: Fn(&str) -> Result<QueryVector, EmbedError> + Send + Sync> Embedder for F {
    async fn embed(&self, text: &str) -> Result<QueryVector, EmbedError> {
        self(text)
    }
}

/// What words mean.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryVector {
    /// The model of the pictures' vectors.
    pub model: String,
    /// Unit length.
    pub vector: Vec<f32>,
}

/// No vector of words can be had now; the reason in one line, for people.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct EmbedError(pub String);

/// Why a search could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The query cannot be understood.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The cursor is not one of this query.
    #[error("this cursor does not belong to this search; begin again without one")]
    BadCursor,
    /// There is no such asset, or it has no vector yet.
    #[error("this picture has no vector to compare with others yet; wait until it is indexed")]
    NoVector,
    /// The catalogue cannot be searched.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A page of hits, best first.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// Hits.
    pub hits: Vec<Hit>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
    /// Hits on all pages; of a search, at most [`MOST_HITS`].
    pub found: usize,
    /// What people should know about these results.
    pub notes: Vec<Note>,
}

/// A picture that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The picture.
    pub asset: Asset,
    /// Relevance, 0 to 1; 0 where nothing was searched for.
    pub score: f32,
    /// What put it here.
    pub reason: Reason,
    /// What its text has of the query.
    pub text: Option<TextMatch>,
    /// Cosine of what it shows and the words, if it is among the most similar ones.
    pub similarity: Option<f32>,
}

/// What made a picture a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its text.
    Text,
    /// What it shows.
    Meaning,
    /// Both.
    TextAndMeaning,
    /// Its path, time or people; nothing else was asked for.
    Filter,
}

/// What people should know about results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Note {
    /// Stable name.
    pub code: &'static str,
    /// One line, for people.
    pub message: String,
}

impl Note {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Searches a catalogue.
pub struct Searcher {
    store: Arc<dyn Store>,
    segmenter: Arc<Segmenter>,
    embedder: Option<Arc<dyn Embedder>>,
    similarity: Similarity,
}

impl Searcher {
    /// A searcher; without an embedder, it searches text only. `segmenter` must be the store's.
    pub fn new(
        store: Arc<dyn Store>,
        segmenter: Arc<Segmenter>,
        embedder: Option<Arc<dyn Embedder>>,
        similarity: Similarity,
    ) -> Self {
        Self { store, segmenter, embedder, similarity }
    }

    /// Searches. A query without words shows what its filters let through, newest first.
    pub async fn search(&self, query: &str, page: &Page) -> Result<Results, SearchError> {
        let parsed = Query::parse(query)?;
        let (position, mut notes) = self.position(query, page).await?;
        let Some(filter) = self.filter(&parsed, &mut notes).await? else {
            return Ok(Results { hits: Vec::new(), next: None, found: 0, notes });
        };
        let limit = page.limit.max(1);
        if parsed.terms.is_empty() {
            return self.browse(&filter, query, position, limit, notes).await;
        }
        let text_query = TextQuery::of(&parsed, &self.segmenter).map(Arc::new);
        let ranker = Ranker {
            source: self.store.as_ref(),
            segmenter: &self.segmenter,
            embedder: self.embedder.as_deref(),
            similarity: self.similarity,
        };
        let mut ranked = ranker.rank_text(&parsed, text_query.as_ref(), filter, &mut notes).await?;
        ranked.truncate(MOST_HITS);
        self.page(ranked, text_query.as_ref(), query, position, limit, notes).await
    }

    /// Where the page begins, and whether the catalogue has changed since the first.
    async fn position(&self, query: &str, page: &Page) -> Result<(Position, Vec<Note>), SearchError> {
        let revision = self.store.revision().await?;
        let Some(cursor) = &page.cursor else {
            return Ok((Position { revision, from: From::Hit(0) }, Vec::new()));
        };
        let position = Position::read(cursor, query)?;
        let mut notes = Vec::new();
        if position.revision != revision {
            notes.push(Note::new(
                "changed",
                "the catalogue has changed since the first page; search again to be sure to see everything once",
            ));
        }
        Ok((position, notes))
    }

    /// Pictures that show something similar, without the picture itself.
    pub async fn similar(&self, to: AssetId, page: &Page) -> Result<Results, SearchError> {
        let name = format!("similar to {}", to.0);
        let (position, notes) = self.position(&name, page).await?;
        let (model, vector) = self.store.embedding(to).await?.ok_or(SearchError::NoVector)?;
        let mut nearest = self.store.nearest(&model, &vector, &Filter::default(), MOST_SIMILAR + 1).await?;
        nearest.retain(|scored| scored.asset != to);
        let ranked = nearest.into_iter().map(by_picture::similar).collect();
        self.page(ranked, None, &name, position, page.limit.max(1), notes).await
    }

    /// Which pictures may be found; none if nobody has a name that was asked for.
    async fn filter(&self, query: &Query, notes: &mut Vec<Note>) -> Result<Option<Filter>, SearchError> {
        let mut people = Vec::new();
        for name in &query.people {
            let called = self.store.people_called(name).await?;
            if called.is_empty() {
                notes.push(Note::new("nobody", format!("nobody is called {name}; name faces to find them")));
                return Ok(None);
            }
            people.push(called);
        }
        Ok(Some(Filter {
            path: query.path.clone(),
            from_ms: query.from_ms,
            until_ms: query.until_ms,
            people,
            without: excluded(query),
            among: None,
        }))
    }

    async fn browse(
        &self,
        filter: &Filter,
        query: &str,
        position: Position,
        limit: usize,
        notes: Vec<Note>,
    ) -> Result<Results, SearchError> {
        let after = match position.from {
            From::Asset(id) => Some(id),
            From::Hit(_) => None,
        };
        let mut ids = self.store.browse(filter, after, limit + 1).await?;
        let more = ids.len() > limit;
        ids.truncate(limit);
        let next = ids
            .last()
            .filter(|_| more)
            .map(|last| Position { from: From::Asset(*last), ..position }.write(query));
        let hit = |asset| Hit { asset, score: 0.0, reason: Reason::Filter, text: None, similarity: None };
        let hits = self.store.assets(&ids).await?.into_iter().map(hit).collect();
        Ok(Results { hits, next, found: self.store.count(filter).await?, notes })
    }

    /// The hits of a page, with what is known about them.
    async fn page(
        &self,
        ranked: Vec<Ranked>,
        text_query: Option<&Arc<TextQuery>>,
        query: &str,
        position: Position,
        limit: usize,
        notes: Vec<Note>,
    ) -> Result<Results, SearchError> {
        let start = match position.from {
            From::Hit(hits) => hits.min(ranked.len()),
            From::Asset(_) => 0,
        };
        let found = ranked.len();
        let end = found.min(start.saturating_add(limit));
        let next = (end < found).then(|| Position { from: From::Hit(end), ..position }.write(query));
        let mut shown: Vec<Ranked> = ranked.into_iter().skip(start).take(end - start).collect();
        if let Some(text_query) = text_query {
            text::explain(self.store.as_ref(), text_query, &mut shown).await?;
        }
        let ids: Vec<AssetId> = shown.iter().map(|ranked| ranked.asset).collect();
        let mut shown: HashMap<AssetId, Ranked> =
            shown.into_iter().map(|ranked| (ranked.asset, ranked)).collect();
        let hit = |asset: Asset| {
            let Ranked { score, by_text, text, similarity, .. } = shown.remove(&asset.id)?;
            let reason = match (by_text, similarity) {
                (true, Some(_)) => Reason::TextAndMeaning,
                (true, None) => Reason::Text,
                (false, _) => Reason::Meaning,
            };
            Some(Hit { asset, score, reason, text, similarity })
        };
        let hits = self.store.assets(&ids).await?.into_iter().filter_map(hit).collect();
        Ok(Results { hits, next, found, notes })
    }
}
