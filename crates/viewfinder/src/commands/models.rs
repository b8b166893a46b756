use std::path::PathBuf;

use anyhow::anyhow;
use indicatif::HumanBytes;
use serde_json::json;
use viewfinder_engine::runtime_flavour;
use viewfinder_models::{Family, ModelError, RuntimeFlavour, Store, Verdict};

use super::convert::{self, ConvertRequest};
use super::look::json_line;
use super::{advise, models_list};
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
        ModelsVerb::List { installed, json } => models_list::run(&store, *installed, *json, loaded),
        ModelsVerb::Advise { language, json } => advise::run(&store, language.as_deref(), *json, loaded),
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
