//! How well a search finds what it should.
use std::collections::BTreeMap;

use super::queries::{Case, Kind};

/// Hits that count.
const FIRST: usize = 10;

/// Results of queries of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    pub(crate) queries: usize,
    recall: f64,
    precision: f64,
    /// Queries with a hit.
    answered: usize,
}

impl Score {
    /// Part of the relevant pictures, of ten if there are more, among the first ten hits; the mean over queries.
    pub(crate) fn recall(&self) -> f64 {
        self.recall / self.queries as f64
    }

    /// Part of the first ten hits that are relevant; the mean over queries with a hit.
    pub(crate) fn precision(&self) -> f64 {
        self.precision / self.answered as f64
    }

    /// Part of the queries without any hit.
    pub(crate) fn unanswered(&self) -> f64 {
        1.0 - self.answered as f64 / self.queries as f64
    }

    fn add(&mut self, case: &Case, hits: &[String]) {
        let hits = &hits[..hits.len().min(FIRST)];
        let right = hits.iter().filter(|hit| case.relevant.contains(*hit)).count() as f64;
        self.queries += 1;
        self.recall += right / case.relevant.len().clamp(1, FIRST) as f64;
        if !hits.is_empty() {
            self.precision += right / hits.len() as f64;
            self.answered += 1;
        }
    }

    fn join(mut self, other: &Self) -> Self {
        self.queries += other.queries;
        self.recall += other.recall;
        self.precision += other.precision;
        self.answered += other.answered;
        self
    }
}

/// Scores of a search by kind of query. `search` returns paths of pictures, best first.
pub(crate) fn measure(cases: &[Case], mut search: impl FnMut(&str) -> Vec<String>) -> BTreeMap<Kind, Score> {
    let mut scores: BTreeMap<Kind, Score> = BTreeMap::new();
    for case in cases {
        let hits = search(&case.query);
        scores.entry(case.kind).or_default().add(case, &hits);
    }
    scores
}

/// The score of all kinds that `which` chooses together.
pub(crate) fn total(scores: &BTreeMap<Kind, Score>, which: impl Fn(Kind) -> bool) -> Score {
    scores.iter().filter(|(kind, _)| which(**kind)).fold(Score::default(), |sum, (_, score)| sum.join(score))
}
