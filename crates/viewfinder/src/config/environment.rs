use std::collections::BTreeMap;
use std::fmt;

use super::aliases::WITHOUT_EFFECT;
use super::load::{Layers, Note, Origin};
use super::settings::SETTINGS;
use super::suggest::closest;
use super::value::expand_home;

/// Environment variables, found whatever their case.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<String, String>,
}

/// `VIEWFINDER_*` variables that are not settings: the configuration file, and what the project's tests use.
const NOT_SETTINGS: [&str; 2] = ["VIEWFINDER_CONFIG", "VIEWFINDER_TEST_"];

impl Environment {
    /// The variables of this process. Those that are not Unicode are none of ours and left out.
    pub(crate) fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// A variable that is set and not empty; compose files like to write `NAME=${NAME:-}`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(&canonical(name)).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Applies every variable that means something here.
    pub(super) fn apply(&self, layers: &mut Layers) {
        for setting in SETTINGS {
            let aliases: Vec<_> =
                setting.aliases.iter().filter_map(|alias| Some((alias, self.get(alias.name)?))).collect();
            let file = self.get(setting.in_file.env).filter(|_| setting.secret);
            if let Some(text) = self.get(setting.env) {
                layers.text(setting, text, Origin::Environment(vec![setting.env]));
                for (alias, _) in aliases {
                    layers.notes.push(Note::warning(format!("{} wins over {}", setting.env, alias.name)));
                }
                if file.is_some() {
                    let note = format!("{} wins over {}", setting.env, setting.in_file.env);
                    layers.notes.push(Note::warning(note));
                }
                continue;
            }
            if let Some(file) = file {
                layers.secret(setting, &expand_home(file), Origin::Environment(vec![setting.in_file.env]));
                for (alias, _) in aliases {
                    let note = format!("{} wins over {}", setting.in_file.env, alias.name);
                    layers.notes.push(Note::warning(note));
                }
                continue;
            }
            let mut names = Vec::new();
            for (alias, text) in aliases {
                match (alias.apply)(&mut layers.config, text) {
                    Ok(said) => layers.notes.extend(said.map(Note::warning)),
                    Err(message) => layers.errors.push(format!("{}: {message}", alias.name)),
                }
                names.push(alias.name);
            }
            if !names.is_empty() {
                layers.origins.insert(setting.key, Origin::Environment(names));
            }
        }
        for (name, reason) in WITHOUT_EFFECT {
            if self.get(name).is_some() {
                layers.notes.push(Note::information(format!("{name} has no effect: {reason}")));
            }
        }
        self.report_unknown(layers);
    }

    fn report_unknown(&self, layers: &mut Layers) {
        let known = || {
            SETTINGS
                .iter()
                .flat_map(|setting| setting.aliases.iter().map(|alias| alias.name).chain([setting.env]))
                .chain(SETTINGS.iter().filter(|setting| setting.secret).map(|setting| setting.in_file.env))
                .chain(WITHOUT_EFFECT.iter().map(|(name, _)| *name))
        };
        for name in self.variables.keys() {
            let ours =
                name.starts_with("VIEWFINDER_") && !NOT_SETTINGS.iter().any(|other| name.starts_with(other));
            if !(ours || name.starts_with("MACHINE_LEARNING_"))
                || known().any(|other| canonical(other) == *name)
            {
                continue;
            }
            let hint =
                closest(name, known()).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            layers.notes.push(Note::warning(format!("{name} is not a known variable{hint}")));
        }
    }
}

/// Names alone: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

/// Upper case; and in our own names a nested `__` is the same as `_`.
fn canonical(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    if name.starts_with("VIEWFINDER_") { name.replace("__", "_") } else { name }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables =
            variables.into_iter().map(|(name, value)| (canonical(&name.into()), value.into())).collect();
        Self { variables }
    }
}
