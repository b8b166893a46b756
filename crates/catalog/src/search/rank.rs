//! All pictures that a query finds, best first: text, meaning, and both together.
use std::{collections::HashMap, sync::Arc};

use tokio::join;

use super::{
    Embedder, MatchQuality, Note, QueryVector, Similarity, Source, TextMatch, fuse,
    text::{TextHit, TextSteps},
    text_query::{self, TextQuery},
};
use crate::{
    AssetId, Filter, Scored, StoreError, TextExpr,
    query::{Query, Scope},
    text::Segmenter,
};

/// The most pictures found by what they show.
pub(super) const MOST_SIMILAR: usize = 200;

/// Pictures to compare similarities with.
const BACKGROUND: usize = 128;

/// Ranks the pictures of a source.
pub struct Ranker<'a, S: Source + ?Sized> {
    /// Where the pictures are.
    pub source: &'a S,
    /// What cut the source's texts.
    pub segmenter: &'a Segmenter,
    /// What makes vectors of words; without it, only text is searched.
    pub embedder: Option<&'a dyn Embedder>,
    /// What counts as similar.
    pub similarity: Similarity,
}

/// A picture that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// The picture.
    pub asset: AssetId,
    /// Relevance, 0 to 1.
    pub score: f32,
    /// Was its text found?
    pub by_text: bool,
    /// What was found in it, if its lines were read.
    pub text: Option<TextMatch>,
    /// Cosine of what it shows and the words, if it is among the most similar ones.
    pub similarity: Option<f32>,
}

/// What a picture's text must not have, for [`Filter::without`].
pub fn excluded(query: &Query) -> Option<TextExpr> {
    let without: Vec<_> = query.without.iter().filter_map(|term| text_query::without(term)).collect();
    (!without.is_empty()).then_some(TextExpr::Any(without))
}

impl<S: Source + ?Sized> Ranker<'_, S> {
    /// Everything that fits the query's words, best first; nothing for a query without words. What the query filters by must be in
    /// `filter` already. Which of those that fit alike come first may change: order them, then take [`MOST_HITS`](super::MOST_HITS).
    pub async fn rank(&self, query: &Query, filter: Filter) -> Result<(Vec<Ranked>, Vec<Note>), StoreError> {
        let text_query = TextQuery::of(query, self.segmenter).map(Arc::new);
        let mut notes = Vec::new();
        let ranked = self.rank_text(query, text_query.as_ref(), filter, &mut notes).await?;
        Ok((ranked, notes))
    }

    /// All hits, best first.
    pub(super) async fn rank_text(
        &self,
        query: &Query,
        text_query: Option<&Arc<TextQuery>>,
        mut filter: Filter,
        notes: &mut Vec<Note>,
    ) -> Result<Vec<Ranked>, StoreError> {
        if text_query.is_none() && query.terms.iter().all(|term| term.scope == Scope::Text) {
            notes.push(Note::new("no_letters", "the query has no letter or digit that text could have"));
        }
        let required = text_query.is_some_and(|text_query| text_query.any_required());
        let (text, similar);
        if required {
            text = self.text(text_query, &filter, true, notes).await?;
            if text.is_empty() {
                return Ok(Vec::new());
            }
            let mut among: Vec<AssetId> = text.iter().map(|hit| hit.asset).collect();
            among.sort_unstable();
            filter.among = Some(among);
            let vector = self.meaning_of(query, notes).await;
            similar = self.similar_to(vector.as_ref(), &filter).await?;
        } else {
            let vector = self.meaning_of(query, notes).await;
            // Pictures that show it are better than some of its words.
            let some_words = vector.is_none();
            let (by_text, by_meaning) = join!(
                self.text(text_query, &filter, some_words, notes),
                self.similar_to(vector.as_ref(), &filter)
            );
            (text, similar) = (by_text?, by_meaning?);
        }
        Ok(fused(text, similar, !required))
    }

    async fn text(
        &self,
        text_query: Option<&Arc<TextQuery>>,
        filter: &Filter,
        some_words: bool,
        notes: &mut Vec<Note>,
    ) -> Result<Vec<TextHit>, StoreError> {
        let Some(text_query) = text_query else { return Ok(Vec::new()) };
        let steps = TextSteps::new(text_query, some_words, self.source.finds_other_forms());
        let hits = self.source.search_text(steps, filter).await?.hits();
        let closeness = |hit: &TextHit| hit.found.as_ref().map(|found| found.closeness);
        if hits.first().is_some_and(|hit| closeness(hit) == Some(MatchQuality::SomeWords)) {
            notes.push(Note::new("some_words", "no text has all of the words; these have some of them"));
        }
        Ok(hits)
    }

    /// The vector of what is to be seen; none if nothing is, or if none can be had.
    async fn meaning_of(&self, query: &Query, notes: &mut Vec<Note>) -> Option<QueryVector> {
        let meaning = query.meaning()?;
        let Some(embedder) = self.embedder else {
            notes.push(Note::new(
                "text_only",
                "only text was searched, because search by meaning is switched off",
            ));
            return None;
        };
        match embedder.embed(&meaning).await {
            Ok(vector) => Some(vector),
            Err(error) => {
                let message =
                    format!("only text was searched, because the words could not be understood: {error}");
                notes.push(Note::new("text_only", message));
                None
            }
        }
    }

    /// Pictures that show it, with their relevance; none without a vector.
    async fn similar_to(
        &self,
        query: Option<&QueryVector>,
        filter: &Filter,
    ) -> Result<Vec<(Scored, f32)>, StoreError> {
        let Some(query) = query else { return Ok(Vec::new()) };
        let (nearest, background) =
            self.source.compare(&query.model, &query.vector, filter, (MOST_SIMILAR, BACKGROUND)).await?;
        Ok(self.similarity.relevant(&nearest, &background))
    }
}

/// Both lists as one, best first; of the same relevance, the more similar and then the newer ones first. Without `alone`,
/// pictures that only show it are no hits.
fn fused(text: Vec<TextHit>, similar: Vec<(Scored, f32)>, alone: bool) -> Vec<Ranked> {
    let mut all: HashMap<AssetId, Ranked> = HashMap::with_capacity(text.len() + similar.len());
    for TextHit { asset, relevance, found } in text {
        all.insert(asset, Ranked { asset, score: relevance, by_text: true, text: found, similarity: None });
    }
    for (Scored { asset, score: similarity }, relevance) in similar {
        if let Some(ranked) = all.get_mut(&asset) {
            ranked.score = fuse(ranked.score, relevance);
            ranked.similarity = Some(similarity);
        } else if alone {
            let similarity = Some(similarity);
            all.insert(asset, Ranked { asset, score: relevance, by_text: false, text: None, similarity });
        }
    }
    let mut all: Vec<Ranked> = all.into_values().collect();
    let similarity = |ranked: &Ranked| ranked.similarity.unwrap_or(f32::NEG_INFINITY);
    all.sort_unstable_by(|one, other| {
        let order = other.score.total_cmp(&one.score);
        order.then(similarity(other).total_cmp(&similarity(one))).then(other.asset.cmp(&one.asset))
    });
    all
}
