//! Searches: text, meaning, or both, ranked as the catalogue ranks.
use uuid::Uuid;
use viewfinder_catalog::{
    Filter,
    query::Scope as Words,
    search::{EmbedError, MOST_HITS, QueryVector, Ranker, excluded},
    unit,
};
use viewfinder_companion::Capability;
use viewfinder_engine::SentenceRequest;

use crate::{
    Caller, Error, Library, Next, NotUnderstood, Page, SearchRequest,
    filters::needs_of_query,
    item::{Extras, items},
    schema::{Rules, Schema},
    scope::Scope,
    settings::Settings,
    source::{Allowed, Known},
};

impl Library {
    /// Searches what the caller may find. Words find text and what pictures show; what was asked for as text (`ocr:`, phrases, the
    /// field `ocr`) must be in the text; without words, the newest of what the filters let through. At most [`MOST_HITS`](viewfinder_catalog::search::MOST_HITS) are found over all pages.
    ///
    /// # Errors
    /// Any [`Error`]; whoever has Immich at hand lets it answer instead.
    pub fn search(&self, caller: &Caller, request: &SearchRequest) -> Result<Page, Error> {
        self.answer(caller, request).inspect_err(|error| self.look_after_failure(error))
    }

    fn answer(&self, caller: &Caller, request: &SearchRequest) -> Result<Page, Error> {
        let schema = self.schema();
        require(&schema, request)?;
        if schema.rules == Rules::V3 && request.metadata && !request.filters.albums.is_empty() {
            return Err(NotUnderstood::new("in v3, albums widen a search to pictures of others").into());
        }
        let visibility = request.filters.visibility;
        let (scope, settings) = self.pool().read(|work| {
            Ok((Scope::of(work, &schema, *caller, visibility)?, Settings::read(work, &schema)?))
        })?;
        let scope = scope?;
        let meaning = request
            .query
            .meaning()
            .map(|meaning| self.meaning(&schema, &settings, meaning, request.language.clone()));
        let (vector, trouble) = match meaning.transpose() {
            Ok(vector) => (vector, None),
            // Text is found without an engine.
            Err(error @ Error::Engine(_)) => (None, Some(error)),
            Err(error) => return Err(error),
        };
        let allowed = Allowed::new(
            self.pool(),
            &schema,
            self.cutter(),
            (&scope, *caller),
            &request.filters,
            &request.query,
        );
        let ranked = if request.query.terms.is_empty() {
            allowed.newest(&without(request))?
        } else {
            rank(self, &allowed, request, vector)?
        };
        if let Some(error) = trouble {
            if ranked.is_empty() {
                return Err(error);
            }
            tracing::warn!(%error, "only text was searched");
        }

        let places = request.places();
        let page = ranked.iter().skip(places.start).take(places.len());
        let ids: Vec<Uuid> = page.map(|known| known.id).collect();
        let extras = Extras { exif: request.with_exif, people: request.with_people };
        let items = self
            .pool()
            .read(|work| items(work, &schema, *caller, &ids, extras, |sql| allowed.conditions(sql)))?;
        let next = (ranked.len() > places.end).then(|| Next::Page(request.page + 1));
        Ok(Page { items, total: ranked.len(), next })
    }

    /// The vector of what words mean.
    fn meaning(
        &self,
        schema: &Schema,
        settings: &Settings,
        text: String,
        language: Option<String>,
    ) -> Result<QueryVector, Error> {
        let (width, model) = Self::vectors(schema, settings)?;
        let request = SentenceRequest { model: model.clone(), text, language };
        let vector = self.asker().sentence(&request)?;
        if vector.len() != width {
            return Err(Error::Width { model, vector: vector.len(), column: width });
        }
        Ok(QueryVector { model, vector: unit(&vector) })
    }
}

/// Refuses a search that needs what this Immich lacks.
fn require(schema: &Schema, request: &SearchRequest) -> Result<(), Error> {
    let SearchRequest { query, filters, .. } = request;
    let text = query.terms.iter().any(|term| term.scope != Words::Meaning);
    schema.require(match (text, query.meaning().is_some()) {
        (true, true) => Capability::HybridSearch,
        (false, true) => Capability::MeaningSearch,
        (_, false) => Capability::TextSearch,
    })?;
    let answer = [(request.with_exif, Capability::Exif), (request.with_people, Capability::PeopleInAnswers)];
    let answer = answer.into_iter().filter_map(|(needed, capability)| needed.then_some(capability));
    for capability in answer.chain(filters.needs()).chain(needs_of_query(query)) {
        schema.require(capability)?;
    }
    if filters.encoded.is_some() && !schema.encoded_known {
        return Err(NotUnderstood::new("this Immich does not tell which videos were converted").into());
    }
    Ok(())
}

/// What the query's words exclude; its other filters are among those of the request.
fn without(request: &SearchRequest) -> Filter {
    Filter { without: excluded(&request.query), ..Filter::default() }
}

/// All hits, best first; of those that fit alike, newer ones first.
fn rank(
    library: &Library,
    allowed: &Allowed<'_>,
    request: &SearchRequest,
    vector: Option<QueryVector>,
) -> Result<Vec<Known>, Error> {
    let embedder = move |_: &str| vector.clone().ok_or_else(|| EmbedError("nothing is asked for".into()));
    let ranker = Ranker {
        source: allowed,
        segmenter: &library.cutter().segmenter,
        embedder: Some(&embedder),
        similarity: library.similarity(),
    };
    let (ranked, _) = ranker.rank(&request.query, without(request))?;
    let mut hits: Vec<_> = ranked
        .into_iter()
        .filter_map(|hit| {
            Some((hit.score, hit.similarity.unwrap_or(f32::NEG_INFINITY), allowed.known(hit.asset)?))
        })
        .collect();
    hits.sort_unstable_by(|one, other| {
        other.0.total_cmp(&one.0).then(other.1.total_cmp(&one.1)).then(other.2.cmp(&one.2))
    });
    Ok(hits.into_iter().map(|(.., known)| known).take(MOST_HITS).collect())
}
