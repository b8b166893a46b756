use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::environment::Environment;
use super::lines::{Lines, line};
use super::load::{ConfigError, Layers, Origin};
use super::setting::Setting;
use super::settings::SETTINGS;
use super::suggest::closest;
use super::value::Value as _;

/// Bytes of a file. The example, which has everything, is a hundredth of it.
const LARGEST: u64 = 4 << 20;

/// The file to read: the one asked for, or the first that exists of `viewfinder.toml` here, in the user's
/// configuration folder, and in `/etc/viewfinder`.
pub(super) fn find(asked: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    if let Some(path) =
        asked.map(Path::to_owned).or_else(|| environment.get("VIEWFINDER_CONFIG").map(PathBuf::from))
    {
        return Some(path);
    }
    let user = match environment.get("XDG_CONFIG_HOME") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => environment.get("HOME").map(|home| Path::new(home).join(".config")),
    };
    let candidates = [
        Some(PathBuf::from("viewfinder.toml")),
        user.map(|folder| folder.join("viewfinder/viewfinder.toml")),
        Some(PathBuf::from("/etc/viewfinder/viewfinder.toml")),
    ];
    candidates.into_iter().flatten().find(|path| path.is_file())
}

/// Reads the file into the layers. A file that cannot be read or parsed is an error at once.
pub(super) fn apply(path: &Path, layers: &mut Layers) -> Result<(), ConfigError> {
    let failed = |message: String| ConfigError { messages: vec![format!("{}{message}", path.display())] };
    let text = viewfinder_files::read_text(path, LARGEST).map_err(|error| failed(format!(": {error}")))?;
    // What the library shows of the text itself may be a secret, and so may the value that it cannot take.
    let unreadable = |error: &toml::de::Error, message: &str| {
        let line = error.span().map_or_else(String::new, |span| format!(":{}", line(&text, span)));
        failed(format!("{line}: {message}"))
    };
    DeTable::parse(&text).map_err(|error| unreadable(&error, error.message()))?;
    let table: toml::Table =
        toml::from_str(&text).map_err(|error| unreadable(&error, "this value is out of range"))?;
    let absolute = std::path::absolute(path).map_err(|error| failed(format!(": {error}")))?;
    let base = absolute.parent().unwrap_or(Path::new("/"));
    layers.lines = Lines::of(&text);
    walk(&table, "", base, path, layers);
    Ok(())
}

fn walk(table: &toml::Table, prefix: &str, base: &Path, path: &Path, layers: &mut Layers) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if let Some(setting) = Setting::find(&key) {
            match (setting.set_toml)(&mut layers.config, value, base) {
                Ok(()) => drop(layers.origins.insert(setting.key, Origin::File)),
                Err(message) => wrong(path, &key, &message, layers),
            }
            continue;
        }
        if let Some(setting) = Setting::find_in_file(&key) {
            match PathBuf::from_toml(value, base) {
                _ if layers.origins.get(setting.key) == Some(&Origin::File) => {
                    let both = format!("{} is there too; one of them is needed", setting.key);
                    wrong(path, &key, &both, layers);
                }
                Ok(file) => layers.secret(setting, &file, Origin::File),
                Err(message) => wrong(path, &key, &message, layers),
            }
            continue;
        }
        let section = format!("{key}.");
        match value {
            toml::Value::Table(inner) if SETTINGS.iter().any(|setting| setting.key.starts_with(&section)) => {
                walk(inner, &key, base, path, layers);
            }
            _ => {
                let known = SETTINGS.iter().map(|setting| setting.key);
                let hint =
                    closest(&key, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                unknown(path, &key, &hint, layers);
            }
        }
    }
}

/// Notes what is wrong with a setting.
fn wrong(path: &Path, key: &str, message: &str, layers: &mut Layers) {
    let place = place(path, key, layers);
    layers.errors.push(format!("{place}: {key}: {message}"));
}

fn unknown(path: &Path, key: &str, hint: &str, layers: &mut Layers) {
    let place = place(path, key, layers);
    layers.errors.push(format!("{place}: unknown setting `{key}`{hint}"));
}

/// The file and the line.
fn place(path: &Path, key: &str, layers: &Layers) -> String {
    let line = layers.lines.get(key).map_or_else(String::new, |line| format!(":{line}"));
    format!("{}{line}", path.display())
}
