use std::collections::BTreeMap;
use std::fmt;
use std::net::ToSocketAddrs as _;
use std::path::{Path, PathBuf};

use super::addresses;
use super::environment::Environment;
use super::file;
use super::lines::Lines;
use super::setting::{Scope, Setting};
use super::settings::{Config, SETTINGS};
use super::suggest::closest;
use super::value::{expand_home, is_address};
use crate::keys;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody said anything.
    Default,
    /// The configuration file.
    File,
    /// These variables.
    Environment(Vec<&'static str>),
    /// This flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Environment(names) => write!(f, "environment {}", names.join(", ")),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// How much a remark matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Something may not be as intended.
    Warning,
    /// Good to know.
    Information,
}

/// A remark about the configuration that is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// How much it matters.
    pub severity: Severity,
    /// One line.
    pub text: String,
}

impl Note {
    pub(super) fn warning(text: String) -> Self {
        Self { severity: Severity::Warning, text }
    }

    pub(super) fn information(text: String) -> Self {
        Self { severity: Severity::Information, text }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .messages.join("\n"))]
pub(crate) struct ConfigError {
    /// One line each.
    pub messages: Vec<String>,
}

/// What the command line says about the configuration.
#[derive(Clone, Default)]
pub(crate) struct Flags {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// Settings' own flags: key and value.
    pub values: Vec<(&'static str, String)>,
    /// `--set KEY=VALUE`.
    pub set: Vec<String>,
}

/// Names alone: values may be secrets.
impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.values.iter().map(|(key, _)| *key);
        let set = self.set.iter().map(|pair| pair.split_once('=').map_or("", |(key, _)| key));
        f.debug_list().entries(names.chain(set)).finish()
    }
}

/// A configuration with the history of its values.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// The values.
    pub config: Config,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// Remarks.
    pub notes: Vec<Note>,
    origins: BTreeMap<&'static str, Origin>,
}

impl Loaded {
    /// Where the setting's value came from.
    pub(crate) fn origin(&self, setting: &Setting) -> Origin {
        self.origins.get(setting.key).cloned().unwrap_or(Origin::Default)
    }
}

/// The HTTP library's buffers are no smaller.
const LEAST_HEAD_BYTES: usize = 8192;

/// A configuration in the making.
#[derive(Default)]
pub(super) struct Layers {
    pub(super) config: Config,
    pub(super) origins: BTreeMap<&'static str, Origin>,
    pub(super) notes: Vec<Note>,
    pub(super) errors: Vec<String>,
    /// Of the file's settings.
    pub(super) lines: Lines,
}

impl Layers {
    /// Sets a value from text.
    pub(super) fn text(&mut self, setting: &Setting, text: &str, origin: Origin) {
        match (setting.set_text)(&mut self.config, text) {
            Ok(()) => drop(self.origins.insert(setting.key, origin)),
            Err(message) => self.refuse(setting, &message, &origin),
        }
    }

    /// Sets a secret from the file that holds it and nothing else; several stand on a line each.
    pub(super) fn secret(&mut self, setting: &Setting, file: &Path, origin: Origin) {
        match keys::from_file(file) {
            Ok(secret) if setting.list => {
                let secrets: Vec<&str> = secret.lines().map(str::trim).collect();
                self.text(setting, &secrets.join(","), origin);
            }
            Ok(secret) => self.text(setting, &secret, origin),
            Err(error) => self.refuse(setting, &format!("{error:#}"), &origin),
        }
    }

    fn refuse(&mut self, setting: &Setting, message: &str, origin: &Origin) {
        self.errors.push(match origin {
            Origin::Environment(names) => format!("{}: {message}", names.join(", ")),
            Origin::Flag(flag) => format!("{flag}: {message}"),
            Origin::Default | Origin::File => format!("{}: {message}", setting.key),
        });
    }

    fn flags(&mut self, flags: &Flags) {
        for (key, text) in &flags.values {
            let named = |flag: Option<(&str, Scope)>| {
                Origin::Flag(flag.map_or_else(String::new, |(name, _)| format!("--{name}")))
            };
            if let Some(setting) = Setting::find(key) {
                self.text(setting, text, named(setting.flag));
            } else if let Some(setting) = Setting::find_in_file(key) {
                self.secret(setting, &expand_home(text), named(setting.in_file.flag));
            }
        }
        for pair in &flags.set {
            // What it is then may be a secret.
            let Some((key, text)) = pair.split_once('=') else {
                self.errors.push("--set: expected KEY=VALUE".to_owned());
                continue;
            };
            let (key, origin) = (key.trim(), Origin::Flag("--set".to_owned()));
            if let Some(setting) = Setting::find(key) {
                self.text(setting, text, origin);
                continue;
            }
            if let Some(setting) = Setting::find_in_file(key) {
                self.secret(setting, &expand_home(text), origin);
                continue;
            }
            let hint = closest(key, SETTINGS.iter().map(|setting| setting.key))
                .map(|near| format!("; did you mean `{near}`?"));
            self.errors.push(format!("--set: unknown setting `{key}`{}", hint.unwrap_or_default()));
        }
    }

    /// Checks what a value's type alone does not say.
    fn check(&mut self) {
        let mut wrong: Vec<(&'static str, String)> = Vec::new();
        let config = &self.config;
        if config.listen.is_empty() {
            wrong.push(("listen", "at least one address is needed".to_owned()));
        }
        if config.companion.listen.is_empty() {
            wrong.push(("companion.listen", "at least one address is needed".to_owned()));
        }
        for (key, addresses) in [("listen", &config.listen), ("companion.listen", &config.companion.listen)] {
            for address in addresses {
                if let Err(error) = address.to_socket_addrs() {
                    wrong.push((key, format!("`{address}` is no address to listen on: {error}")));
                }
            }
        }
        for address in config.listen_keys.keys().filter(|address| !config.listen.contains(address)) {
            // What does not look like an address may be a key that stands on the wrong side.
            let address =
                if is_address(address) { format!("`{address}`") } else { "a key's address".to_owned() };
            wrong.push(("listen_keys", format!("{address} is not among the addresses of `listen`")));
        }
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&config.log.level) {
            wrong.push(("log.level", error.to_string()));
        }
        for (key, value, least, most) in [
            ("faces.min_score", config.faces.min_score, 0.0, 1.0),
            ("faces.same_person", config.faces.same_person, -1.0, 1.0),
            ("search.similarity_floor", config.search.similarity_floor, 0.0, 100.0),
            ("search.similarity_share", config.search.similarity_share, 0.0, 1.0),
            ("search.similarity_weight", config.search.similarity_weight, 0.0, 1.0),
        ] {
            if !(least..=most).contains(&value) {
                wrong.push((key, format!("{value} is not between {least} and {most}")));
            }
        }
        if config.index.kinds.is_empty() {
            wrong.push(("index.kinds", "at least one kind is needed".to_owned()));
        }
        for (key, zero) in [
            ("engine.queue", config.engine.queue == 0),
            ("limits.max_bytes", config.limits.max_bytes == 0),
            ("limits.max_pixels", config.limits.max_pixels == 0),
            ("limits.max_side", config.limits.max_side == 0),
            ("limits.held_bytes", config.limits.held_bytes == 0),
            ("limits.body_time", config.limits.body_time.is_zero()),
            ("limits.head_time", config.limits.head_time.is_zero()),
            ("limits.answer_time", config.limits.answer_time.is_zero()),
            ("limits.headers", config.limits.headers == 0),
            ("limits.connections", config.limits.connections == 0),
            ("companion.search_time", config.companion.search_time.is_zero()),
            ("companion.connect_time", config.companion.connect_time.is_zero()),
            ("companion.connections", config.companion.connections == 0),
            ("limits.node_time", config.limits.node_time.is_zero()),
            ("limits.node_connect_time", config.limits.node_connect_time.is_zero()),
        ] {
            if zero {
                wrong.push((key, "must be more than 0".to_owned()));
            }
        }
        if config.limits.head_bytes < LEAST_HEAD_BYTES {
            wrong.push(("limits.head_bytes", format!("must be at least {LEAST_HEAD_BYTES}")));
        }
        let wrong = wrong.into_iter().map(|(key, message)| (key.to_owned(), message));
        for (key, message) in wrong.chain(addresses::check(config)) {
            let setting = key.split('[').next().unwrap_or_default();
            let origin = self.origins.get(setting).unwrap_or(&Origin::Default);
            let line = match self.lines.get(&key) {
                Some(line) if *origin == Origin::File => format!(", line {line}"),
                _ => String::new(),
            };
            self.errors.push(format!("{setting}: {message} (from {origin}{line})"));
        }
    }
}

/// Reads all sources. All errors are gathered, so that they can be mended in one go.
pub(crate) fn load(flags: &Flags, environment: &Environment) -> Result<Loaded, ConfigError> {
    let mut layers = Layers::default();
    let file = file::find(flags.file.as_deref(), environment);
    if let Some(path) = &file {
        file::apply(path, &mut layers)?;
    }
    environment.apply(&mut layers);
    layers.flags(flags);
    layers.check();
    if !layers.errors.is_empty() {
        return Err(ConfigError { messages: layers.errors });
    }
    Ok(Loaded { config: layers.config, file, notes: layers.notes, origins: layers.origins })
}
