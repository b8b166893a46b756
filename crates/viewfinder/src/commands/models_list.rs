//! The known models, by what they are for.
use indicatif::HumanBytes;
use serde::Serialize;
use viewfinder_models::{ModelStatus, Role, State, Store};

use super::look::json_line;
use crate::config::{Config, Loaded};
use crate::failure::{Failure, Outcome};
use crate::guide::{self, Speed, Use};
use crate::output;

/// A model as programs get it.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    model: &'a ModelStatus,
    #[serde(rename = "use")]
    for_what: Use,
    /// Is it the one in the configuration?
    default: bool,
    here: State,
    languages: Option<&'static str>,
    speed: Option<Speed>,
}

const HEAD: [&str; 6] = ["NAME", "LANGUAGES", "SIZE", "SPEED", "HERE", "LICENCE"];

/// Lists models: a table for each use, or one object a line.
pub(super) fn run(store: &Store, installed: bool, json: bool, loaded: &Loaded) -> Result<Outcome, Failure> {
    let models = store.list();
    let listed: Vec<Listed<'_>> = models
        .iter()
        .filter(|model| !installed || state(model) != State::Absent)
        .map(|model| Listed::of(model, &loaded.config, store))
        .collect();
    if json {
        listed.iter().try_for_each(json_line)?;
        return Ok(Outcome::Done);
    }
    let mut first = true;
    for for_what in Use::ALL {
        let rows: Vec<[String; 6]> =
            listed.iter().filter(|model| model.for_what == for_what).map(Listed::row).collect();
        if rows.is_empty() {
            continue;
        }
        if !first {
            output::line("")?;
        }
        first = false;
        output::line(&format!("# {}", for_what.title()))?;
        table(&[&[HEAD.map(str::to_owned)][..], &rows[..]].concat())?;
    }
    Ok(Outcome::Done)
}

impl<'a> Listed<'a> {
    fn of(model: &'a ModelStatus, config: &Config, store: &Store) -> Self {
        let ModelStatus { name, family, .. } = model;
        let configured = [&config.ocr.model, &config.clip.model, &config.faces.model];
        let is = |wanted: &&String| store.catalogue().find(wanted).is_some_and(|entry| entry.name == *name);
        Self {
            for_what: Use::of(*family),
            default: configured.iter().any(is),
            here: state(model),
            languages: guide::languages(name, *family),
            speed: guide::speed(name, *family),
            model,
        }
    }

    fn row(&self) -> [String; 6] {
        let here = match self.here {
            State::Present => "yes",
            State::Partial => "partly",
            State::Absent => "-",
        };
        [
            self.model.name.clone(),
            self.languages.unwrap_or("-").to_owned(),
            bytes(self.model).map_or_else(|| "-".to_owned(), |bytes| HumanBytes(bytes).to_string()),
            self.speed.map_or("-", Speed::as_str).to_owned(),
            if self.default { format!("{here}, the default") } else { here.to_owned() },
            self.model.licence.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }
}

/// Bytes of its files, here or to be fetched, if all are known.
pub(super) fn bytes(model: &ModelStatus) -> Option<u64> {
    let bytes: Option<u64> = model.roles.iter().map(|role| role.bytes).sum();
    bytes.filter(|bytes| *bytes > 0)
}

/// How much of a model is on this machine.
pub(super) fn state(model: &ModelStatus) -> State {
    if model.roles.is_empty() {
        return if model.library.is_some() { State::Present } else { State::Absent };
    }
    // The orientation classifier is shared by many models: alone, it is none of them.
    let own: Vec<_> = model.roles.iter().filter(|role| role.role != Role::Classification).collect();
    let roles = if own.is_empty() { model.roles.iter().collect() } else { own };
    let all = |state| roles.iter().all(|role| role.state == state);
    if all(State::Present) {
        State::Present
    } else if all(State::Absent) {
        State::Absent
    } else {
        State::Partial
    }
}

/// Columns as wide as their widest cell, with two spaces between.
fn table<const N: usize>(rows: &[[String; N]]) -> std::io::Result<()> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        output::line(cells.join("  ").trim_end())?;
    }
    Ok(())
}
