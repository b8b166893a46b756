//! Searches: text, meaning, or both, ranked as the catalogue ranks; or lists without words.
use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use uuid::Uuid;
use viewfinder_catalog::{
    query::Query,
    search::{EmbedError, Embedder, MOST_HITS, QueryVector, Ranker},
    unit,
};
use viewfinder_core::SentenceRequest;

use crate::{
    database::{
        Database, Error,
        albums::all_readable,
        answerable::require,
        item::{Extras, items},
        list::List,
        schema::Schema,
        scope::Scope,
        settings::Settings,
        source::{AlternativeSource, Known},
    },
    library::{
        Caller, Page, SearchRequest, SearchRoute, Unsupported, Who, order::Order, request::AssetFilter,
    },
};

impl Database {
    /// Searches what the caller may find. Words find text and what pictures show; what was asked for as text (`ocr:`, phrases, the
    /// fields `ocr`) must be in the text. Of words, at most [`MOST_HITS`](viewfinder_catalog::search::MOST_HITS) are found over all pages;
    /// without words, all that the filters let through.
    ///
    /// # Errors
    /// Any [`Error`]; whoever has Immich at hand lets it answer instead.
    pub async fn search(&self, caller: &Caller, request: &SearchRequest) -> Result<Page, Error> {
        let answer = self.answer(caller, request).await;
        if let Err(error) = &answer {
            self.look_after_failure(error).await;
        }
        answer
    }

    async fn answer(&self, caller: &Caller, request: &SearchRequest) -> Result<Page, Error> {
        let schema = self.schema();
        require(request, &schema, *caller)?;
        let albums = albums(request);
        let tx = self.pool().read().await?;
        let readable = albums.is_empty() || all_readable(&tx, caller.user, &albums).await?;
        let scope = Scope::of(&tx, &schema, *caller).await?;
        let settings = Settings::read(&tx, &schema).await?;
        tx.commit().await?;
        if !readable {
            return Err(Unsupported::new("an album is not the caller's to look into").into());
        }
        let searched: Vec<AlternativeSource<'_>> = request
            .alternatives
            .iter()
            .map(|alternative| {
                AlternativeSource::new(self.pool(), &schema, self.tokenizer(), &scope, alternative)
            })
            .collect();
        let (with_words, without): (Vec<&AlternativeSource<'_>>, Vec<&AlternativeSource<'_>>) =
            searched.iter().partition(|allowed| !allowed.alternative.query.terms.is_empty());
        let hits = if with_words.is_empty() {
            None
        } else {
            let vector = self.vector(&schema, &settings, request).await?;
            Some(self.hits(&schema, (caller, request), &with_words, &without, vector).await?)
        };
        let list = hits.as_deref().map_or(List::AlternativeSource(&without), List::Hits);
        let places = request.places();
        let (ids, total) = match request.route {
            SearchRoute::Statistics => (Vec::new(), self.counted(&schema, &list).await?),
            SearchRoute::Random => {
                let ids = list.drawn(self.pool(), &schema, request.size).await?;
                let total = ids.len();
                (ids, total)
            }
            SearchRoute::Smart | SearchRoute::Metadata => {
                let total = self.counted(&schema, &list).await?;
                let ids = match (&hits, request.order) {
                    (Some(hits), None) => {
                        hits.iter().skip(places.start).take(places.len()).copied().collect()
                    }
                    (_, order) => {
                        list.part(self.pool(), &schema, order.unwrap_or(Order::NEWEST), &places).await?
                    }
                };
                (ids, total)
            }
        };
        let extras = Extras { exif: request.with_exif, people: request.with_people };
        let allowed = |sql: &mut _| {
            let all: Vec<String> = searched.iter().map(|allowed| allowed.conditions(sql)).collect();
            format!("(({}))", all.join(") OR ("))
        };
        let items = if ids.is_empty() {
            Vec::new()
        } else {
            let tx = self.pool().read().await?;
            let items = items(&tx, &schema, *caller, &ids, extras, allowed).await?;
            tx.commit().await?;
            items
        };
        Ok(Page { items, total, next: request.next(total > places.end) })
    }

    async fn counted(&self, schema: &Schema, list: &List<'_>) -> Result<usize, Error> {
        Ok(match list {
            List::Hits(hits) => hits.len(),
            List::AlternativeSource(_) => list.count(self.pool(), schema).await?,
        })
    }

    /// All hits, in their order; those without words, which any may be, after the others.
    async fn hits(
        &self,
        schema: &Schema,
        (caller, request): (&Caller, &SearchRequest),
        with_words: &[&AlternativeSource<'_>],
        without: &[&AlternativeSource<'_>],
        (vector, trouble): (Option<QueryVector>, Option<Error>),
    ) -> Result<Vec<Uuid>, Error> {
        let mut hits = self.ranked(with_words, vector.as_ref()).await?;
        if !without.is_empty() && hits.len() < MOST_HITS {
            let known: HashSet<Uuid> = hits.iter().copied().collect();
            let others = List::AlternativeSource(without)
                .part(self.pool(), schema, Order::NEWEST, &(0..MOST_HITS))
                .await?;
            hits.extend(others.into_iter().filter(|id| !known.contains(id)));
            hits.truncate(MOST_HITS);
        }
        if let Some(error) = trouble {
            if hits.is_empty() {
                return Err(error);
            }
            if let Some(often) = self.warnings().hear(("text_only", Who::from(caller))) {
                tracing::warn!(%error, "only text was searched{often}");
            }
        }
        if hits.is_empty() && request.is_plain() {
            return Err(Error::NothingFound);
        }
        Ok(hits)
    }

    /// What the words of any have found, best first; of those that fit alike, newer ones first.
    async fn ranked(
        &self,
        with_words: &[&AlternativeSource<'_>],
        vector: Option<&QueryVector>,
    ) -> Result<Vec<Uuid>, Error> {
        let mut best: HashMap<Uuid, (f32, f32, Known)> = HashMap::new();
        for allowed in with_words {
            for hit in self.rank(allowed, vector).await? {
                let known = best.entry(hit.2.id).or_insert(hit);
                if order(&hit, known).is_gt() {
                    *known = hit;
                }
            }
        }
        let mut hits: Vec<_> = best.into_values().collect();
        hits.sort_unstable_by(|one, other| order(other, one));
        Ok(hits.into_iter().map(|(.., known)| known.id).take(MOST_HITS).collect())
    }

    async fn rank(
        &self,
        allowed: &AlternativeSource<'_>,
        vector: Option<&QueryVector>,
    ) -> Result<Vec<(f32, f32, Known)>, Error> {
        let embedder = AtHand(vector);
        let ranker = Ranker {
            source: allowed,
            segmenter: &self.tokenizer().segmenter,
            embedder: Some(&embedder),
            similarity: self.similarity(),
        };
        let (ranked, _) = ranker.rank(&allowed.alternative.query, allowed.without()).await?;
        let hit = |hit: viewfinder_catalog::search::Ranked| {
            Some((hit.score, hit.similarity.unwrap_or(f32::NEG_INFINITY), allowed.known(hit.asset)?))
        };
        Ok(ranked.into_iter().filter_map(hit).collect())
    }

    /// The vector of what the words mean, which is the same in all alternatives; or why there is none.
    async fn vector(
        &self,
        schema: &Schema,
        settings: &Settings,
        request: &SearchRequest,
    ) -> Result<(Option<QueryVector>, Option<Error>), Error> {
        let Some(meaning) = request.queries().find_map(Query::meaning) else { return Ok((None, None)) };
        match self.meaning(schema, settings, meaning, request.language.clone()).await {
            Ok(vector) => Ok((Some(vector), None)),
            // Text is found without an engine.
            Err(error @ Error::Engine(_)) => Ok((None, Some(error))),
            Err(error) => Err(error),
        }
    }

    async fn meaning(
        &self,
        schema: &Schema,
        settings: &Settings,
        text: String,
        language: Option<String>,
    ) -> Result<QueryVector, Error> {
        let (width, model) = Self::vectors(schema, settings)?;
        let request = SentenceRequest { model: model.clone(), text, language };
        let vector = self.embedder().sentence(&request).await?;
        if vector.len() != width {
            return Err(Error::Width { model, vector: vector.len(), column: width });
        }
        Ok(QueryVector { model, vector: unit(&vector) })
    }
}

/// The vector of a search, for whichever of its alternatives asks.
struct AtHand<'a>(Option<&'a QueryVector>);

#[async_trait]
impl Embedder for AtHand<'_> {
    async fn embed(&self, _: &str) -> Result<QueryVector, EmbedError> {
        self.0.cloned().ok_or_else(|| EmbedError("nothing is asked for".into()))
    }
}

/// Hits by relevance, similarity and time.
fn order(one: &(f32, f32, Known), other: &(f32, f32, Known)) -> std::cmp::Ordering {
    one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)).then(one.2.cmp(&other.2))
}

/// Albums that a request of the second shape names.
fn albums(request: &SearchRequest) -> Vec<Uuid> {
    let mut albums = Vec::new();
    for alternative in &request.alternatives {
        if let AssetFilter::Structured(filter) = &alternative.allows {
            albums.extend(filter.albums());
        }
    }
    albums
}
