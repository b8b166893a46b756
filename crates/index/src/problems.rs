//! What went wrong with single files, kept together until the end.
use std::collections::BTreeMap;

/// Files of one group that are named; more are only counted.
const NAMED: usize = 20;

/// A kind of trouble, the files that have it, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// The first ones, each with what is to be said about it.
    pub files: Vec<(String, String)>,
    /// All of them.
    pub count: u64,
}

/// Troubles with files, by kind: a stable code, or a sentence that holds for all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(BTreeMap<String, Problem>);

impl Problems {
    /// Adds one.
    pub fn add(&mut self, kind: &str, path: impl Into<String>, message: impl Into<String>) {
        let problem = self.0.entry(kind.to_owned()).or_default();
        problem.count += 1;
        if problem.files.len() < NAMED {
            problem.files.push((path.into(), message.into()));
        }
    }

    /// Takes in those of another part of the run.
    pub fn merge(&mut self, other: Self) {
        for (kind, problem) in other.0 {
            let mine = self.0.entry(kind).or_default();
            mine.count += problem.count;
            mine.files.extend(problem.files);
            mine.files.truncate(NAMED);
        }
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, in the order of their kinds.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Problem)> {
        self.0.iter().map(|(kind, problem)| (kind.as_str(), problem))
    }
}
