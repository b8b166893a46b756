//! One source after the other, until one delivers.
use super::Inner;
use crate::{
    Asked, Progress, Source, SourceFailure,
    failed_sources::FailedSource,
    http::{Blame, Trouble},
};
use std::collections::BTreeMap;

/// What is asked for.
pub(super) struct Wanted<'a> {
    /// In words.
    pub(super) file: &'a str,
    /// Its size in bytes, where known.
    pub(super) total: Option<u64>,
    /// Who may have it.
    pub(super) sources: &'a [&'a Source],
}

/// What is known of a source before it is asked.
enum Known {
    Nothing,
    Failed(FailedSource),
    Crawls,
}

impl Inner {
    /// Asks one source after the other. Those that failed a short while ago are not asked, those that crawl come last. `ask` is told
    /// whether to leave the source if it crawls.
    pub(super) fn in_turn(
        &self,
        wanted: &Wanted<'_>,
        progress: &dyn Progress,
        ask: impl FnMut(&Source, bool) -> Result<(), Trouble>,
    ) -> Result<(), Vec<SourceFailure>> {
        let delivered = self.one_by_one(wanted, progress, ask);
        progress.over();
        delivered
    }

    fn one_by_one(
        &self,
        wanted: &Wanted<'_>,
        progress: &dyn Progress,
        mut ask: impl FnMut(&Source, bool) -> Result<(), Trouble>,
    ) -> Result<(), Vec<SourceFailure>> {
        let mut failures = Vec::new();
        let mut crawling = Vec::new();
        let mut instead_of = None;
        for (at, source) in wanted.sources.iter().copied().enumerate() {
            let failed = self.failed.known();
            match self.known(source, &failed) {
                Known::Failed(known) => {
                    self.add(&mut failures, source, format!("{} ({})", known.reason, known.ago()), progress);
                    continue;
                }
                Known::Crawls => {
                    crawling.push(source);
                    continue;
                }
                Known::Nothing => {}
            }
            let next = wanted.sources[at + 1..]
                .iter()
                .copied()
                .find(|next| !matches!(self.known(next, &failed), Known::Failed(_)));
            self.tell(wanted, source, next, instead_of, progress);
            match ask(source, next.is_some()) {
                Ok(()) => {
                    self.delivered(source);
                    return Ok(());
                }
                Err(trouble) => {
                    let later = trouble.blame == Blame::Crawling && next.is_some();
                    self.remember(source, &trouble, later);
                    if later {
                        crawling.push(source);
                    } else {
                        self.add(&mut failures, source, trouble.reason, progress);
                    }
                }
            }
            instead_of = Some(source);
        }
        // Better slowly than not at all.
        for (at, source) in crawling.iter().copied().enumerate() {
            if let Known::Failed(known) = self.known(source, &self.failed.known()) {
                self.add(&mut failures, source, known.reason, progress);
                continue;
            }
            self.tell(wanted, source, crawling.get(at + 1).copied(), instead_of, progress);
            match ask(source, false) {
                Ok(()) => return Ok(()),
                Err(trouble) => {
                    self.remember(source, &trouble, false);
                    self.add(&mut failures, source, trouble.reason, progress);
                }
            }
            instead_of = Some(source);
        }
        Err(failures)
    }

    fn tell(
        &self,
        wanted: &Wanted<'_>,
        source: &Source,
        next: Option<&Source>,
        instead_of: Option<&Source>,
        progress: &dyn Progress,
    ) {
        let name = |source: &Source| self.named(source);
        let (next, instead_of) = (next.map(name), instead_of.map(name));
        let asked = Asked {
            file: wanted.file,
            total: wanted.total,
            source: &self.named(source),
            next: next.as_deref().filter(|next| *next != self.named(source)),
            instead_of: instead_of.as_deref(),
        };
        tracing::debug!(file = wanted.file, %source, "asking");
        progress.ask(&asked);
    }

    fn known(&self, source: &Source, failed: &BTreeMap<String, FailedSource>) -> Known {
        let of = |key: Option<&str>| key.and_then(|key| failed.get(key));
        match of(self.endpoint(source)).or_else(|| of(Some(&self.key(source)))) {
            None => Known::Nothing,
            Some(known) if known.crawls => Known::Crawls,
            Some(known) => Known::Failed(known.clone()),
        }
    }

    /// Remembers what costs others a wait. `later`: it crawls, and is asked when no other delivers.
    fn remember(&self, source: &Source, trouble: &Trouble, later: bool) {
        let endpoint = self.endpoint(source);
        match (trouble.blame, endpoint) {
            (Blame::Endpoint | Blame::Crawling, Some(endpoint)) => {
                self.failed.note(endpoint, &trouble.reason, later);
            }
            (Blame::File, _) => self.failed.note(&self.key(source), &trouble.reason, false),
            _ => {}
        }
    }

    pub(super) fn delivered(&self, source: &Source) {
        if let Some(endpoint) = self.endpoint(source) {
            self.failed.forget(endpoint);
        }
    }

    /// Adds a failure; of an address that does not answer one is enough, however much it was asked for.
    fn add(
        &self,
        failures: &mut Vec<SourceFailure>,
        source: &Source,
        reason: String,
        progress: &dyn Progress,
    ) {
        let known = self.failed.known();
        let by_address = self.endpoint(source).is_some_and(|endpoint| known.contains_key(endpoint));
        let name = if by_address { self.named(source) } else { source.to_string() };
        if !failures.iter().any(|known| known.source == name) {
            progress.left(&name, &reason);
            failures.push(SourceFailure { source: name, reason });
        }
    }

    /// A file's own name in the memory of failed sources: a mirror may have another file of the same name.
    fn key(&self, source: &Source) -> String {
        format!("{source} at {}", self.endpoint(source).unwrap_or("this machine"))
    }

    /// The address that answers for a source; none for what is on this machine.
    pub(super) fn endpoint(&self, source: &Source) -> Option<&str> {
        match source {
            Source::File { .. } => None,
            Source::HuggingFace { .. } => Some(&self.hf_endpoint),
            Source::ModelScope { .. } => Some(&self.modelscope_endpoint),
            Source::GitHub { .. } => Some(&self.github_endpoint),
            Source::Pip { .. } => Some("pip"),
        }
    }

    /// A source in a word, with the mirror that stands in for it.
    pub(super) fn named(&self, source: &Source) -> String {
        let kind = source.kind();
        let public = super::PUBLIC.iter().any(|(_, public)| self.endpoint(source) == Some(public));
        match self.endpoint(source) {
            Some(endpoint) if !public && endpoint != "pip" => {
                let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
                let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
                format!("{kind} ({host})")
            }
            _ => kind.to_owned(),
        }
    }

    /// The address of a source that is one file, and the token that its server wants.
    pub(super) fn address<'a>(&'a self, source: &Source) -> Option<(String, Option<&'a str>)> {
        match source {
            Source::HuggingFace { repo, revision, path: Some(path) } => {
                Some((self.hub_file(repo, revision, path), self.token()))
            }
            Source::ModelScope { repo, revision, path } => {
                Some((format!("{}/models/{repo}/resolve/{revision}/{path}", self.modelscope_endpoint), None))
            }
            Source::GitHub { repo, tag, asset, .. } => {
                Some((format!("{}/{repo}/releases/download/{tag}/{asset}", self.github_endpoint), None))
            }
            Source::HuggingFace { path: None, .. } | Source::File { .. } | Source::Pip { .. } => None,
        }
    }
}
