//! Finds pictures by their text, in steps: what is exact first, and what is less so only while there is little.
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    vec,
};

use super::{
    MOST_HITS, Ranked, Source,
    judge::{MatchQuality, TextMatch, Tolerance, judge},
    text_query::TextQuery,
};
use crate::{AssetId, Scored, StoreError, TextExpr, TextLine, blocking::blocking};

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

/// A search for text on its way. It says what to propose next, judges what was proposed by its lines, and says what to propose then.
pub struct TextSteps {
    text_query: Arc<TextQuery>,
    left: vec::IntoIter<TextStep>,
    /// May words of another form be proposed?
    other_forms: bool,
    seen: HashSet<AssetId>,
    hits: Vec<TextHit>,
}

/// What to propose.
pub(crate) struct TextStep {
    tolerance: Tolerance,
    pub(crate) expr: TextExpr,
}

impl TextStep {
    /// So many proposals at most.
    pub(crate) fn limit(&self) -> usize {
        if self.unread().is_some() { MOST_HITS } else { RANKED }
    }

    /// What proposals count at most whose lines are not read: less than all that were read and fit as well. With mistakes, only reading tells.
    fn unread(&self) -> Option<f32> {
        match self.tolerance {
            Tolerance::Exact => Some(0.5),
            Tolerance::Inside => Some(0.3),
            Tolerance::Mistakes | Tolerance::SomeWords => None,
        }
    }
}

impl TextSteps {
    /// With `some_words`, missing words are forgiven where nothing else is found.
    pub(super) fn new(text_query: &Arc<TextQuery>, some_words: bool, other_forms: bool) -> Self {
        let exactly = text_query.exactly();
        let inside = text_query.inside();
        let is_new = inside != exactly; // it is the same for Chinese
        let steps = [
            (Tolerance::Exact, Some(exactly)),
            (Tolerance::Inside, is_new.then_some(inside)),
            (Tolerance::Mistakes, text_query.mistaken()),
            (Tolerance::SomeWords, text_query.some().filter(|_| some_words)),
        ];
        let step = |(tolerance, expr): (_, Option<_>)| Some(TextStep { tolerance, expr: expr? });
        Self {
            text_query: Arc::clone(text_query),
            left: steps.into_iter().filter_map(step).collect::<Vec<_>>().into_iter(),
            other_forms: other_forms && !text_query.needles.iter().any(|needle| needle.exact),
            seen: HashSet::new(),
            hits: Vec::new(),
        }
    }

    /// What is to be proposed now; nothing once enough is found.
    pub(crate) fn next_step(&mut self) -> Option<TextStep> {
        if self.hits.len() >= ENOUGH {
            return None;
        }
        self.left.next().filter(|step| step.tolerance != Tolerance::SomeWords || self.hits.is_empty())
    }

    /// Of which proposals the lines are to be read.
    pub(crate) fn to_read(&self, proposals: &[Scored]) -> Vec<AssetId> {
        let read = proposals.iter().take(READ).map(|proposal| proposal.asset);
        read.filter(|asset| !self.seen.contains(asset)).collect()
    }

    /// Takes proposals, best first, and the lines of those [to be read](Self::to_read).
    pub(crate) fn judge(&mut self, step: &TextStep, proposals: &[Scored], lines: &[Vec<TextLine>]) {
        let best = proposals.first().map_or(1.0, |first| first.score).max(f32::EPSILON);
        let (read, others) = proposals.split_at(proposals.len().min(READ));
        let new: Vec<&Scored> = read.iter().filter(|proposal| !self.seen.contains(&proposal.asset)).collect();
        let found_before = self.hits.len();
        for (&&Scored { asset, score }, lines) in new.iter().zip(lines) {
            if let Some((relevance, found)) = judge(&self.text_query, lines, step.tolerance, score / best) {
                self.seen.insert(asset);
                self.hits.push(TextHit { asset, relevance, found: Some(found) });
            } else if step.tolerance == Tolerance::Exact && self.other_forms {
                self.seen.insert(asset);
                self.hits.push(TextHit { asset, relevance: OTHER_FORM * score / best, found: None });
            }
        }
        if step.tolerance == Tolerance::Mistakes && found_before > 0 {
            drop_other_words(&mut self.hits);
        }
        let Some(most) = step.unread() else { return };
        for Scored { asset, score } in others {
            if self.seen.insert(*asset) {
                self.hits.push(TextHit { asset: *asset, relevance: most * score / best, found: None });
            }
        }
    }

    /// As [`Self::judge`], away from the threads that answer: some pictures are full of text.
    pub(crate) async fn judged(
        mut self,
        step: TextStep,
        proposals: Vec<Scored>,
        lines: Vec<Vec<TextLine>>,
    ) -> Result<Self, StoreError> {
        blocking(move || {
            self.judge(&step, &proposals, &lines);
            Ok(self)
        })
        .await
    }

    /// Pictures with fitting text, in no order.
    pub(super) fn hits(self) -> Vec<TextHit> {
        self.hits
    }
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
    let texts = source.lines(&ids).await?;
    let text_query = Arc::clone(text_query);
    let judged = blocking(move || {
        Ok(texts.iter().map(|lines| judge(&text_query, lines, Tolerance::Mistakes, 0.0)).collect::<Vec<_>>())
    })
    .await?;
    for (ranked, judged) in unread.iter_mut().zip(judged) {
        ranked.text = judged.map(|(_, found)| found);
    }
    Ok(())
}
