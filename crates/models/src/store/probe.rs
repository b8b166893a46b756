//! Do the sources deliver?
use super::Inner;
use crate::{Role, Source, Store};
use std::{
    thread,
    time::{Duration, Instant},
};

/// What became of asking one source for one byte.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The source in a word, with its mirror.
    pub source: String,
    /// What was asked for.
    pub model: String,
    /// How long the answer took, or why there was none.
    pub result: Result<Duration, String>,
}

impl Store {
    /// Asks each kind of source that these models can come from for the first byte of one of their files, all at a time. What answers
    /// is asked again from now on. Sources that are a folder, or a program with settings of its own, are none to ask.
    pub fn probe(&self, models: &[&str]) -> Vec<Probe> {
        let inner = &*self.inner;
        let mut chosen: Vec<(&Source, String)> = Vec::new();
        for name in models {
            let Some(entry) = inner.catalogue.find(name) else { continue };
            for source in Role::ALL.into_iter().flat_map(|role| inner.sources(entry, role)) {
                let known = |(other, _): &(&Source, String)| other.kind() == source.kind();
                if inner.probed(source).is_some() && !chosen.iter().any(known) {
                    chosen.push((source, entry.name.clone()));
                }
            }
        }
        thread::scope(|scope| {
            let asked: Vec<_> =
                chosen.iter().map(|(source, model)| scope.spawn(|| inner.ask_one(source, model))).collect();
            asked.into_iter().filter_map(|probe| probe.join().ok()).collect()
        })
    }
}

impl Inner {
    fn ask_one(&self, source: &Source, model: &str) -> Probe {
        let began = Instant::now();
        let result = match self.probed(source) {
            Some((url, bearer)) => self.client.probe(&url, bearer),
            None => Err("it has no address".to_owned().into()),
        };
        if result.is_ok() {
            self.delivered(source);
        }
        Probe {
            source: self.named(source),
            model: model.to_owned(),
            result: result.map(|()| began.elapsed()).map_err(|trouble| trouble.reason),
        }
    }

    /// What to ask a source for; of a whole repository its list of files.
    fn probed<'a>(&'a self, source: &Source) -> Option<(String, Option<&'a str>)> {
        match source {
            Source::HuggingFace { repo, revision, path: None } => {
                Some((self.listing(repo, revision), self.token()))
            }
            one => self.address(one),
        }
    }
}
