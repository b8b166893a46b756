use std::fmt::Write as _;

use serde_json::json;

use super::load::{Loaded, Severity};
use super::setting::Setting;
use super::settings::{Config, SETTINGS};
use super::value::HIDDEN;

/// The value as it may be shown.
fn shown(setting: &Setting, config: &Config) -> Option<toml::Value> {
    let value = (setting.get)(config)?;
    Some(match value {
        _ if setting.secret => HIDDEN.into(),
        toml::Value::String(text) => without_user(text).into(),
        other => other,
    })
}

/// An address without its user and password; any other text as it is.
fn without_user(text: String) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{HIDDEN}{}", &rest[at..]),
        None => text,
    }
}

/// The effective configuration as TOML, each line with the origin of its value.
pub(crate) fn to_text(loaded: &Loaded) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    for setting in SETTINGS {
        let line = match shown(setting, &loaded.config) {
            Some(value) => format!("{} = {value}", setting.key),
            None => format!("# {} is not set", setting.key),
        };
        lines.push((line, loaded.origin(setting).to_string()));
    }
    let width =
        lines.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= 60).max().unwrap_or(0);
    let mut text = match &loaded.file {
        Some(path) => format!("# file: {}\n", path.display()),
        None => "# file: none\n".to_owned(),
    };
    for (line, origin) in lines {
        let _ = writeln!(text, "{line:width$}  # {origin}");
    }
    text
}

/// The effective configuration as JSON.
pub(crate) fn to_json(loaded: &Loaded) -> serde_json::Value {
    let settings: serde_json::Map<String, serde_json::Value> = SETTINGS
        .iter()
        .map(|setting| {
            let value = shown(setting, &loaded.config);
            (setting.key.to_owned(), json!({ "value": value, "from": loaded.origin(setting).to_string() }))
        })
        .collect();
    let notes: Vec<_> = loaded
        .notes
        .iter()
        .map(|note| {
            let severity = match note.severity {
                Severity::Warning => "warning",
                Severity::Information => "information",
            };
            json!({ "severity": severity, "text": note.text })
        })
        .collect();
    json!({ "file": loaded.file, "settings": settings, "notes": notes })
}

/// A commented configuration file with every setting at its default.
pub(crate) fn example() -> String {
    let defaults = Config::default();
    let mut text = String::from(
        "# Configuration of Viewfinder. Every line shows the default; change what you need.\n\
         #\n\
         # Read from --config FILE, VIEWFINDER_CONFIG, ./viewfinder.toml, ~/.config/viewfinder/viewfinder.toml or\n\
         # /etc/viewfinder/viewfinder.toml, the first that exists. A flag wins over an environment variable, which\n\
         # wins over this file. `viewfinder config` shows what is in effect and where each value came from.\n",
    );
    let mut section = "";
    for setting in SETTINGS {
        let (group, name) = setting.key.rsplit_once('.').unwrap_or(("", setting.key));
        text.push('\n');
        if group != section && !group.is_empty() {
            section = group;
            let _ = writeln!(text, "[{section}]");
        }
        for line in setting.help {
            let _ = writeln!(text, "#{line}");
        }
        write_variables(&mut text, setting);
        if setting.secret {
            let (_, name) = setting.in_file.key.rsplit_once('.').unwrap_or(("", setting.in_file.key));
            let _ = writeln!(
                text,
                "# Or in a file that holds nothing else: {name} = \"…\", {}",
                setting.in_file.env
            );
        }
        let example = setting.example;
        let _ = match (setting.get)(&defaults) {
            Some(toml::Value::Table(_)) => writeln!(text, "[{name}]\n# {example}"),
            // A list of tables cannot follow other tables as one line, and an empty one says nothing.
            Some(_) if example.starts_with("[[") => writeln!(text, "# {}", example.replace('\n', "\n# ")),
            Some(value) if example.is_empty() => writeln!(text, "{name} = {value}"),
            Some(value) => writeln!(text, "{name} = {value}  # for example {example}"),
            None => writeln!(text, "# {name} = {}", toml::Value::from(example)),
        };
    }
    text
}

/// The variables of a setting, as comment lines of bearable length.
fn write_variables(text: &mut String, setting: &Setting) {
    let mut line = String::from("# Environment:");
    let names = [setting.env].into_iter().chain(setting.aliases.iter().map(|alias| alias.name));
    for (index, name) in names.filter(|name| !name.is_empty()).enumerate() {
        if index > 0 {
            line.push(',');
        }
        if line.len() + name.len() > 108 {
            let _ = writeln!(text, "{line}");
            line = String::from("#  ");
        }
        let _ = write!(line, " {name}");
    }
    if !setting.env.is_empty() {
        let _ = writeln!(text, "{line}");
    }
}
