use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::load::{ConfigError, Layers, Origin};
use super::settings::{SETTINGS, Setting};
use super::suggest::closest;

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
    let failed = |message: String| ConfigError { messages: vec![format!("{}: {message}", path.display())] };
    let text = viewfinder_files::read_text(path, LARGEST).map_err(|error| failed(error.to_string()))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let absolute = std::path::absolute(path).map_err(|error| failed(error.to_string()))?;
    let base = absolute.parent().unwrap_or(Path::new("/"));
    walk(&table, "", base, path, layers);
    Ok(())
}

fn walk(table: &toml::Table, prefix: &str, base: &Path, path: &Path, layers: &mut Layers) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if let Some(setting) = Setting::find(&key) {
            match (setting.set_toml)(&mut layers.config, value, base) {
                Ok(()) => drop(layers.origins.insert(setting.key, Origin::File)),
                Err(message) => layers.errors.push(format!("{}: {key}: {message}", path.display())),
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
                layers.errors.push(format!("{}: unknown setting `{key}`{hint}", path.display()));
            }
        }
    }
}
