//! Pictures like one that the catalogue does not have, and pictures of a person.
use super::{Note, Page, QueryVector, Ranked, Results, SearchError, Searcher, rank::MOST_SIMILAR};
use crate::{Filter, PersonId, Scored, query::Query};

impl Searcher {
    /// Pictures that show something similar to what has this vector, best first, of those that the filters of `query` let through. There is
    /// one page, of at most `limit`.
    pub async fn like(
        &self,
        picture: &QueryVector,
        query: &str,
        limit: usize,
    ) -> Result<Results, SearchError> {
        let parsed = Query::parse(query)?;
        let (position, mut notes) = self.position("", &Page { cursor: None, limit }).await?;
        if !parsed.terms.is_empty() {
            notes.push(Note::new(
                "words_left_out",
                "beside a picture only filters count, such as path: or after:; the words were left out",
            ));
        }
        let Some(filter) = self.filter(&parsed, &mut notes).await? else {
            return Ok(Results { hits: Vec::new(), next: None, found: 0, notes });
        };
        let limit = limit.clamp(1, MOST_SIMILAR);
        let nearest = self.store.nearest(&picture.model, &picture.vector, &filter, limit).await?;
        if nearest.is_empty() && filter == Filter::default() {
            notes.push(Note::new(
                "no_vectors",
                format!("no picture has a vector of {} yet; wait until they are indexed", picture.model),
            ));
        }
        let ranked = nearest.into_iter().map(similar).collect();
        self.page(ranked, None, "", position, limit, notes).await
    }

    /// Pictures with a person, newest first.
    pub async fn with_person(&self, person: PersonId, page: &Page) -> Result<Results, SearchError> {
        let name = format!("with person {}", person.0);
        let (position, notes) = self.position(&name, page).await?;
        let filter = Filter { people: vec![vec![person]], ..Filter::default() };
        self.browse(&filter, &name, position, page.limit.max(1), notes).await
    }
}

/// A picture that was found by nothing but how similar it is.
pub(super) fn similar(Scored { asset, score }: Scored) -> Ranked {
    Ranked { asset, score: score.clamp(0.0, 1.0), by_text: false, text: None, similarity: Some(score) }
}
