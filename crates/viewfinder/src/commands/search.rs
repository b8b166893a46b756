//! Pictures of the catalogue that fit a query.
use std::io::IsTerminal as _;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use serde::Serialize;
use utoipa::ToSchema;
use viewfinder_catalog::search::{
    EmbedError, Embedder, Hit, LineMatch, Page, QueryVector, Reason, SearchError, Searcher,
};
use viewfinder_catalog::unit;
use viewfinder_catalog::view::{AssetView, MatchView};
use viewfinder_core::SentenceRequest;
use viewfinder_engine::{Engine, runtime_flavour};
use viewfinder_models::{ModelError, Role};

use super::{look::json_line, on_threads};
use crate::amounts::counted;
use crate::catalogue::{self, Catalogue};
use crate::cli::SearchArgs;
use crate::config::Loaded;
use crate::failure::{Failure, Outcome};
use crate::output::{self, visible};
use crate::{routing, wiring};

/// A picture that was found, as JSON.
#[derive(Serialize, ToSchema)]
#[schema(as = Found)]
pub(crate) struct FoundView {
    asset: AssetView,
    #[serde(flatten)]
    why: MatchView,
}

impl From<Hit> for FoundView {
    fn from(hit: Hit) -> Self {
        let (asset, why) = MatchView::of(hit);
        Self { asset: asset.into(), why }
    }
}

/// Lines of text shown for a picture.
const LINES: usize = 3;

/// Prints what fits, best first.
pub(crate) fn run(args: &SearchArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    on_threads(search(args, loaded))
}

async fn search(args: &SearchArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let catalogue = catalogue::open(&args.catalog, loaded, false).await?;
    let page = Page { cursor: None, limit: args.limit };
    let results = searcher(&catalogue, loaded).search(&args.query.join(" "), &page).await?;
    for note in &results.notes {
        output::complain(&note.message);
    }
    if results.hits.is_empty() {
        output::complain("nothing found");
    }
    let marks = if std::io::stdout().is_terminal() { ["\x1b[1;7m", "\x1b[0m"] } else { ["[", "]"] };
    for hit in &results.hits {
        if args.json {
            json_line(&FoundView::from(hit.clone()))?;
        } else {
            show(hit, marks)?;
        }
    }
    if results.found > results.hits.len() {
        output::complain(&format!("{} of {}; --limit shows more", results.hits.len(), results.found));
    }
    if let Some(best) = results.hits.first().filter(|_| args.open) {
        open(&best.asset.file.path)?;
    }
    Ok(Outcome::Done)
}

/// A searcher that asks the engines for the meaning of words, if there are any. Their models are loaded only then.
pub(super) fn searcher(catalogue: &Catalogue, loaded: &Loaded) -> Searcher {
    Searcher::new(
        Arc::clone(&catalogue.store),
        Arc::clone(&catalogue.segmenter),
        Some(Arc::new(Engines(loaded.clone()))),
        catalogue::similarity(&loaded.config),
    )
}

/// The engines, which are started for each question.
struct Engines(Loaded);

#[async_trait]
impl Embedder for Engines {
    async fn embed(&self, text: &str) -> Result<QueryVector, EmbedError> {
        embed(text, &self.0).await.map_err(|failure| EmbedError(failure.to_string()))
    }
}

async fn embed(text: &str, loaded: &Loaded) -> Result<QueryVector, Failure> {
    let config = &loaded.config;
    let engine = wiring::engine(loaded)?;
    missing(&engine, loaded)?;
    wiring::check_sentence_model(config, engine.store())?;
    let request = SentenceRequest {
        model: wiring::sentence_model(config).to_owned(),
        text: text.to_owned(),
        language: None,
    };
    let vector = routing::backend(config, &engine)?.sentence(request).await?;
    Ok(QueryVector { model: wiring::index_models(config, &engine).clip, vector: unit(&vector) })
}

/// A person who searches wants an answer now, and no download of hundreds of megabytes before it: so nothing is fetched here, and what
/// is missing is named with the command that fetches it. Nodes look after their models themselves.
fn missing(engine: &Engine, loaded: &Loaded) -> Result<(), Failure> {
    let config = &loaded.config;
    let (store, model) = (engine.store(), wiring::sentence_model(config));
    if routing::has_nodes(config)? {
        return Ok(());
    }
    let library = config.engine.library.is_some()
        || store.locate_runtime_library(runtime_flavour(config.engine.device, store)).is_some();
    let mut names = Vec::new();
    if !library {
        names.push("runtime");
    }
    if matches!(store.local(model, Role::Textual), Err(ModelError::Missing { .. })) {
        names.push(model);
    }
    if names.is_empty() {
        return Ok(());
    }
    let (what, pull) = (names.join(" and "), names.join(" "));
    let verb = if names.len() == 1 { "is" } else { "are" };
    let message =
        anyhow!("{what} {verb} not on this machine; `viewfinder models pull {pull}` fetches what is missing");
    Err(Failure::Environment(message))
}

/// The path, and below it why it was found.
fn show(hit: &Hit, marks: [&str; 2]) -> std::io::Result<()> {
    output::line(&hit.asset.file.path)?;
    if let Some(found) = &hit.text {
        for line in found.lines.iter().take(LINES) {
            output::styled_line(&format!("    {}", marked(line, marks)))?;
        }
        if found.lines.len() > LINES {
            let more = counted((found.lines.len() - LINES) as u64, "more line", "more lines");
            output::line(&format!("    … and {more}"))?;
        }
    }
    match (hit.reason, hit.similarity) {
        (Reason::Meaning | Reason::TextAndMeaning, Some(cosine)) => {
            output::line(&format!("    shows it, similarity {cosine:.2}"))
        }
        _ => Ok(()),
    }
}

/// The line with its matching parts between the marks.
fn marked(line: &LineMatch, [begin, end]: [&str; 2]) -> String {
    let mut text = String::new();
    let mut from = 0;
    for [first, last] in &line.spans {
        // Spans are on character borders and in order; whatever they are, nothing may break here.
        let (Some(before), Some(found)) = (line.text.get(from..*first), line.text.get(*first..*last)) else {
            break;
        };
        text.push_str(&format!("{}{begin}{}{end}", visible(before), visible(found)));
        from = *last;
    }
    text.push_str(&visible(line.text.get(from..).unwrap_or_default()));
    text
}

/// Shows a picture in the program that the system has for it: one of the user's own desktop, which needs his environment and goes on
/// when this one has ended, so that it has no limits.
fn open(path: &str) -> Result<(), Failure> {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let status = Command::new(program)
        .arg(path)
        .status()
        .with_context(|| format!("{program} does not run"))
        .map_err(Failure::Environment)?;
    // Windows' explorer never says that all went well.
    if !status.success() && !cfg!(windows) {
        return Err(Failure::Environment(anyhow::anyhow!("{program} could not show {path}: {status}")));
    }
    Ok(())
}

impl From<SearchError> for Failure {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Store(error) => error.into(),
            SearchError::Query(_) | SearchError::BadCursor | SearchError::NoVector => {
                Self::Usage(error.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_marked_where_they_are() {
        let line = |spans: &[[usize; 2]]| LineMatch {
            line: 0,
            text: "合计 12 元".to_owned(),
            corners: [[0.0; 2]; 4],
            spans: spans.to_vec(),
        };
        assert_eq!(marked(&line(&[[0, 6], [7, 9]]), ["[", "]"]), "[合计] [12] 元");
        assert_eq!(marked(&line(&[]), ["[", "]"]), "合计 12 元");
        assert_eq!(marked(&line(&[[0, 1]]), ["[", "]"]), "合计 12 元");
    }
}
