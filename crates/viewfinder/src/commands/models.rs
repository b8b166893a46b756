use std::path::PathBuf;

use anyhow::anyhow;
use indicatif::HumanBytes;
use serde_json::json;
use viewfinder_engine::runtime_flavour;
use viewfinder_models::{Family, ModelError, ModelStatus, Role, RuntimeFlavour, State, Store, Verdict};

use super::convert::{self, ConvertRequest};
use super::look::json_line;
use crate::cli::ModelsVerb;
use crate::config::Loaded;
use crate::failure::{Failure, Outcome};
use crate::progress::Report;
use crate::remedies::remedies;
use crate::{output, wiring};

/// Lists, fetches, checks, removes and locates models.
pub(crate) fn run(verb: &ModelsVerb, loaded: &Loaded) -> Result<Outcome, Failure> {
    let store = wiring::store(loaded)?;
    match verb {
        ModelsVerb::List { installed, json } => list(&store, *installed, *json),
        ModelsVerb::Pull { names, json } => pull(&store, names, *json, loaded),
        ModelsVerb::Convert { from, precision, out, text_heads, force, json } => {
            let wanted = ConvertRequest { precision: *precision, force: *force, json: *json };
            convert::convert(&store, loaded, from, out.as_deref(), *text_heads, wanted)
        }
        ModelsVerb::Quantize { name, precision, force, json } => {
            let wanted = ConvertRequest { precision: *precision, force: *force, json: *json };
            convert::quantize(loaded, name, wanted)
        }
        ModelsVerb::Verify { names, json } => verify(&store, names, *json),
        ModelsVerb::Remove { names } => remove(&store, names, loaded),
        ModelsVerb::Where { name } => locate(&store, name.as_deref(), loaded),
    }
}

/// How much of a model is on this machine.
fn state(model: &ModelStatus) -> State {
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

fn list(store: &Store, installed: bool, json: bool) -> Result<Outcome, Failure> {
    let models = store.list();
    let shown = models.iter().filter(|model| !installed || state(model) != State::Absent);
    if json {
        for model in shown {
            json_line(model)?;
        }
        return Ok(Outcome::Done);
    }
    let mut rows = vec![["NAME", "FAMILY", "WIDTH", "SIZE", "HERE", "LICENCE"].map(str::to_owned)];
    for model in shown {
        let bytes: Option<u64> = model.roles.iter().map(|role| role.bytes).sum();
        rows.push([
            model.name.clone(),
            model.family.to_string(),
            model.width.map_or_else(|| "-".to_owned(), |width| width.to_string()),
            bytes
                .filter(|bytes| *bytes > 0)
                .map_or_else(|| "-".to_owned(), |bytes| HumanBytes(bytes).to_string()),
            match state(model) {
                State::Present => "yes",
                State::Partial => "partly",
                State::Absent => "-",
            }
            .to_owned(),
            model.licence.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table(&rows)?;
    Ok(Outcome::Done)
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

/// The build of ONNX Runtime that a name of the catalogue stands for: `runtime` is the one that the device needs.
fn flavour(store: &Store, name: &str, loaded: &Loaded) -> Result<Option<RuntimeFlavour>, Failure> {
    let entry = store.catalogue().find(name).ok_or_else(|| ModelError::Unknown { name: name.to_owned() })?;
    Ok((entry.family == Family::Runtime).then(|| {
        let cuda = entry.name == RuntimeFlavour::Cuda.name();
        if cuda { RuntimeFlavour::Cuda } else { runtime_flavour(loaded.config.engine.device, store) }
    }))
}

fn pull(store: &Store, names: &[String], json: bool, loaded: &Loaded) -> Result<Outcome, Failure> {
    // A misspelt name is found before anything is fetched.
    let wanted: Vec<_> =
        names.iter().map(|name| Ok((name, flavour(store, name, loaded)?))).collect::<Result<_, Failure>>()?;
    // Somebody wants it now, whatever failed a short while ago.
    store.try_sources_again();
    let report = Report::new();
    let mut outcome = Outcome::Done;
    for (name, flavour) in wanted {
        if store.catalogue().find(name).is_some_and(|entry| entry.variant.is_some()) {
            convert::make_missing(loaded, store, name, json)?;
        }
        let files: Result<Vec<PathBuf>, ModelError> = match flavour {
            Some(flavour) => store.fetch_runtime_library(flavour, &report).map(|path| vec![path]),
            None => store.pull(name, &report).map(|parts| parts.into_iter().map(|part| part.model).collect()),
        };
        match files {
            Ok(files) if json => json_line(&json!({ "name": name, "files": files }))?,
            Ok(files) => {
                if let Some(note) = store.catalogue().find(name).and_then(|entry| entry.note.as_ref()) {
                    output::complain(&format!("{name}: {note}"));
                }
                for file in files {
                    output::line(&format!("{name}: {}", file.display()))?;
                }
            }
            Err(error) => {
                let told = error.to_string();
                let told = if told.contains(name.as_str()) { told } else { format!("{name}: {told}") };
                for line in told.lines() {
                    output::complain(line);
                }
                if matches!(error, ModelError::Unavailable { .. } | ModelError::Missing { .. }) {
                    output::complain("what helps:");
                    for line in remedies(store, &[name]) {
                        output::complain(&format!("  {line}"));
                    }
                }
                outcome = Outcome::EnvironmentLacking;
            }
        }
    }
    Ok(outcome)
}

fn verify(store: &Store, names: &[String], json: bool) -> Result<Outcome, Failure> {
    let mut checked = Vec::new();
    if names.is_empty() {
        checked = store.verify(None)?;
    }
    for name in names {
        checked.extend(store.verify(Some(name))?);
    }
    let mut outcome = Outcome::Done;
    for item in &checked {
        let part = item.role.map_or_else(|| "library".to_owned(), |role| role.to_string());
        let (word, detail) = match &item.verdict {
            Verdict::Good => ("ok", None),
            Verdict::Unknown(sum) => ("unknown", Some(format!("no checksum is known; this file has {sum}"))),
            Verdict::Bad(error) => ("bad", Some(error.to_string())),
        };
        if matches!(item.verdict, Verdict::Bad(_)) {
            outcome = Outcome::SomeFailed;
        }
        if json {
            json_line(&json!({
                "name": item.name, "role": part, "path": item.path, "verdict": word, "detail": detail,
            }))?;
        } else {
            let detail = detail.map(|detail| format!("  {detail}")).unwrap_or_default();
            output::line(&format!("{word:7}  {} {part}{detail}", item.name))?;
        }
    }
    if checked.is_empty() && !json {
        output::complain("nothing to check: no model is in the store");
    }
    Ok(outcome)
}

fn remove(store: &Store, names: &[String], loaded: &Loaded) -> Result<Outcome, Failure> {
    for name in names {
        flavour(store, name, loaded)?;
    }
    for name in names {
        let freed = store.remove(name)?;
        if freed == 0 {
            output::line(&format!("{name}: nothing of it is in the store"))?;
        } else {
            output::line(&format!("{name}: removed, {} freed", HumanBytes(freed)))?;
        }
    }
    Ok(Outcome::Done)
}

fn locate(store: &Store, name: Option<&str>, loaded: &Loaded) -> Result<Outcome, Failure> {
    let Some(name) = name else {
        output::line(&store.root().display().to_string())?;
        return Ok(Outcome::Done);
    };
    if let Some(flavour) = flavour(store, name, loaded)? {
        let path = store.locate_runtime_library(flavour).ok_or_else(|| absent(name))?;
        output::line(&path.display().to_string())?;
        return Ok(Outcome::Done);
    }
    let roles = store.catalogue().find(name).map(viewfinder_models::ModelEntry::roles).unwrap_or_default();
    let mut found = false;
    for role in roles {
        if let Ok(files) = store.local(name, role) {
            output::line(&format!("{role}: {}", files.model.display()))?;
            found = true;
        }
    }
    if found { Ok(Outcome::Done) } else { Err(absent(name)) }
}

fn absent(name: &str) -> Failure {
    Failure::Environment(anyhow!("{name} is not on this machine; `viewfinder models pull {name}` fetches it"))
}
