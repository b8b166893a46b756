//! Finds pictures by their text, in steps: what is exact first, and what is less so only while there is little.
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    MOST_HITS, Ranked, Source,
    judge::{MatchQuality, TextMatch, Tolerance, judge},
    text_query::TextQuery,
};
use crate::{AssetId, Filter, Scored, StoreError, TextLine, blocking::blocking};

/// With so many hits, nobody needs worse ones: a page of results.
const ENOUGH: usize = 10;

/// So many proposals of the store are read and judged; others follow in the store's order.
const READ: usize = 64;

/// Where nothing follows, so many proposals are asked for: the store chooses those to be read by how well they fit.
const RANKED: usize = 4 * READ;

/// The most relevance of words in other forms, which letters alone cannot tell: less than that of a mistake.
const OTHER_FORM: f32 = 0.3;

/// The same mistake is hardly made in more pictures.
const SAME_MISTAKE: usize = 2;

/// A picture with fitting text.
pub(super) struct TextHit {
    pub(super) asset: AssetId,
    /// 0 to 1.
    pub(super) relevance: f32,
    /// What was found, if its lines were read.
    pub(super) found: Option<TextMatch>,
}

/// Pictures with fitting text, in no order. With `some_words`, missing words are forgiven where nothing else is found.
pub(super) async fn find<S: Source + ?Sized>(
    source: &S,
    text_query: &Arc<TextQuery>,
    filter: &Filter,
    some_words: bool,
) -> Result<Vec<TextHit>, StoreError> {
    let mut hits = Vec::new();
    let exactly = text_query.exactly();
    let inside = text_query.inside();
    let is_new = inside != exactly; // it is the same for Chinese
    let steps = [
        (Tolerance::Exact, Some(exactly)),
        (Tolerance::Inside, is_new.then_some(inside)),
        (Tolerance::Mistakes, text_query.mistaken()),
        (Tolerance::SomeWords, text_query.some().filter(|_| some_words)),
    ];
    let other_forms = source.finds_other_forms() && !text_query.needles.iter().any(|needle| needle.exact);
    let mut seen = HashSet::new();
    for (tolerance, expr) in steps {
        if hits.len() >= ENOUGH || (tolerance == Tolerance::SomeWords && !hits.is_empty()) {
            break;
        }
        let Some(expr) = expr else { continue };
        let found_before = hits.len();
        // What the unread ones count: below all that were read and fit as well. With mistakes, only reading tells.
        let unread = match tolerance {
            Tolerance::Exact => Some(0.5),
            Tolerance::Inside => Some(0.3),
            Tolerance::Mistakes | Tolerance::SomeWords => None,
        };
        let limit = if unread.is_some() { MOST_HITS } else { RANKED };
        let proposals = source.find_text(&expr, filter, limit).await?;
        let best = proposals.first().map_or(1.0, |first| first.score).max(f32::EPSILON);
        let (read, others) = proposals.split_at(proposals.len().min(READ));
        let new: Vec<Scored> =
            read.iter().filter(|proposal| !seen.contains(&proposal.asset)).copied().collect();
        let ids: Vec<AssetId> = new.iter().map(|proposal| proposal.asset).collect();
        let scores = new.iter().map(|proposal| proposal.score / best).collect();
        let judged = judge_all(text_query, source.lines(&ids).await?, tolerance, scores).await?;
        for (Scored { asset, score }, judged) in new.into_iter().zip(judged) {
            if let Some((relevance, found)) = judged {
                seen.insert(asset);
                hits.push(TextHit { asset, relevance, found: Some(found) });
            } else if tolerance == Tolerance::Exact && other_forms {
                seen.insert(asset);
                hits.push(TextHit { asset, relevance: OTHER_FORM * score / best, found: None });
            }
        }
        if tolerance == Tolerance::Mistakes && found_before > 0 {
            drop_other_words(&mut hits);
        }
        let Some(most) = unread else { continue };
        let hit = |proposal: &Scored| TextHit {
            asset: proposal.asset,
            relevance: most * proposal.score / best,
            found: None,
        };
        hits.extend(others.iter().filter(|proposal| seen.insert(proposal.asset)).map(hit));
    }
    Ok(hits)
}

/// Drops hits with a mistake that many pictures have: then it is none, but another word, such as `while` beside `white`.
fn drop_other_words(hits: &mut Vec<TextHit>) {
    let words = |hit: &TextHit| {
        let found = hit.found.as_ref().filter(|found| found.closeness == MatchQuality::Mistakes)?;
        Some(found.words.join(" ").to_lowercase())
    };
    let mut pictures: HashMap<String, usize> = HashMap::new();
    for words in hits.iter().filter_map(words) {
        *pictures.entry(words).or_default() += 1;
    }
    hits.retain(|hit| words(hit).is_none_or(|words| pictures[&words] <= SAME_MISTAKE));
}

/// Reads the lines of those that were not read yet.
pub(super) async fn explain<S: Source + ?Sized>(
    source: &S,
    text_query: &Arc<TextQuery>,
    shown: &mut [Ranked],
) -> Result<(), StoreError> {
    let mut unread: Vec<&mut Ranked> =
        shown.iter_mut().filter(|ranked| ranked.by_text && ranked.text.is_none()).collect();
    let ids: Vec<AssetId> = unread.iter().map(|ranked| ranked.asset).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let scores = vec![0.0; ids.len()];
    let judged = judge_all(text_query, source.lines(&ids).await?, Tolerance::Mistakes, scores).await?;
    for (ranked, judged) in unread.iter_mut().zip(judged) {
        ranked.text = judged.map(|(_, found)| found);
    }
    Ok(())
}

/// Judges several texts, each with the store's score, away from the threads that answer: some pictures are full of text.
async fn judge_all(
    text_query: &Arc<TextQuery>,
    texts: Vec<Vec<TextLine>>,
    tolerance: Tolerance,
    scores: Vec<f32>,
) -> Result<Vec<Option<(f32, TextMatch)>>, StoreError> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let text_query = Arc::clone(text_query);
    blocking(move || {
        let texts = texts.iter().zip(scores);
        Ok(texts.map(|(lines, score)| judge(&text_query, lines, tolerance, score)).collect())
    })
    .await
}
