use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use viewfinder_models::Role;

use super::secret::Secret;

/// A type a setting can have: readable from a word (environment, flag) and from TOML, and printable as TOML.
pub(crate) trait Value: Sized {
    /// Yes or no.
    const SWITCH: bool = false;
    /// Several values.
    const LIST: bool = false;
    /// Never shown.
    const SECRET: bool = false;
    /// May an error repeat what was written? Not where a secret may be part of it.
    const QUOTED: bool = !Self::SECRET;

    /// Reads what a person typed in a flag or a variable. Lists are comma-separated.
    fn from_text(text: &str) -> Result<Self, String>;

    /// Reads a TOML value; relative paths are relative to `base`, the folder of the file.
    fn from_toml(value: &toml::Value, base: &Path) -> Result<Self, String>;

    /// The value as TOML; `None` when there is none to write.
    fn to_toml(&self) -> Option<toml::Value>;
}

/// Says what was expected and what came instead. Of tables and lists only that they are: anything may be in them.
pub(super) fn expected<T: Value>(what: &str, value: &toml::Value) -> String {
    let kind = value.type_str();
    match value {
        toml::Value::Table(_) | toml::Value::Array(_) => format!("expected {what}, found {kind}"),
        _ if !T::QUOTED => format!("expected {what}, found {kind}"),
        _ => format!("expected {what}, found {kind} {value}"),
    }
}

impl Value for String {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn from_toml(value: &toml::Value, _: &Path) -> Result<Self, String> {
        value.as_str().map(str::to_owned).ok_or_else(|| expected::<Self>("a string", value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(self.clone().into())
    }
}

impl Value for Option<String> {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Some(text.to_owned()))
    }

    fn from_toml(value: &toml::Value, base: &Path) -> Result<Self, String> {
        String::from_toml(value, base).map(Some)
    }

    fn to_toml(&self) -> Option<toml::Value> {
        self.clone().map(Into::into)
    }
}

impl Value for bool {
    const SWITCH: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(format!("expected true or false, found `{text}`")),
        }
    }

    fn from_toml(value: &toml::Value, _: &Path) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| expected::<Self>("true or false", value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some((*self).into())
    }
}

/// A whole number, optionally with `_` between digits and a unit: `k`, `M`, `G` (thousands) or `Ki`, `Mi`, `Gi`
/// (1024), with or without `B`.
fn whole(text: &str) -> Result<u64, String> {
    let compact: String = text.chars().filter(|c| *c != '_' && !c.is_whitespace()).collect();
    let digits = compact.len() - compact.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = compact.split_at(digits);
    let scale: u64 = match unit.to_ascii_lowercase().trim_end_matches('b') {
        "" => 1,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "ki" => 1 << 10,
        "mi" => 1 << 20,
        "gi" => 1 << 30,
        _ => return Err(format!("expected a whole number, found `{text}`")),
    };
    let number: u64 = number.parse().map_err(|_| format!("expected a whole number, found `{text}`"))?;
    number.checked_mul(scale).ok_or_else(|| format!("`{text}` is too large"))
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn from_text(text: &str) -> Result<Self, String> {
                Self::try_from(whole(text)?).map_err(|_| format!("`{text}` is too large"))
            }

            fn from_toml(value: &toml::Value, _: &Path) -> Result<Self, String> {
                match value {
                    toml::Value::Integer(number) => Self::try_from(*number)
                        .map_err(|_| format!("{number} is not between 0 and {}", Self::MAX)),
                    toml::Value::String(text) => Self::from_text(text),
                    _ => Err(expected::<Self>("a whole number", value)),
                }
            }

            fn to_toml(&self) -> Option<toml::Value> {
                Some(toml::Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX)))
            }
        }
    )*};
}

whole_numbers!(u64, u32, usize);

/// `auto` leaves the number to the program.
impl Value for Option<usize> {
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "auto" | "0" => Ok(None),
            _ => usize::from_text(text).map(Some),
        }
    }

    fn from_toml(value: &toml::Value, base: &Path) -> Result<Self, String> {
        match value.as_str() {
            Some(text) => Self::from_text(text),
            None => usize::from_toml(value, base).map(|number| (number > 0).then_some(number)),
        }
    }

    fn to_toml(&self) -> Option<toml::Value> {
        match self {
            None => Some("auto".into()),
            Some(number) => number.to_toml(),
        }
    }
}

impl Value for f32 {
    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
            .ok()
            .filter(|number: &f32| number.is_finite())
            .ok_or_else(|| format!("expected a number, found `{text}`"))
    }

    fn from_toml(value: &toml::Value, _: &Path) -> Result<Self, String> {
        match value {
            toml::Value::Integer(number) => Ok(*number as f32),
            toml::Value::Float(number) if number.is_finite() => Ok(*number as f32),
            _ => Err(expected::<Self>("a number", value)),
        }
    }

    fn to_toml(&self) -> Option<toml::Value> {
        // Through the shortest decimal form: widening 0.65 would print its binary tail.
        self.to_string().parse::<f64>().ok().map(Into::into)
    }
}

/// Seconds.
impl Value for Duration {
    fn from_text(text: &str) -> Result<Self, String> {
        whole(text.strip_suffix('s').unwrap_or(text))
            .map(Self::from_secs)
            .map_err(|_| format!("expected a number of seconds, found `{text}`"))
    }

    fn from_toml(value: &toml::Value, base: &Path) -> Result<Self, String> {
        match value.as_str() {
            Some(text) => Self::from_text(text),
            None => u64::from_toml(value, base).map(Self::from_secs),
        }
    }

    fn to_toml(&self) -> Option<toml::Value> {
        self.as_secs().to_toml()
    }
}

/// Seconds; `0` means never.
impl Value for Option<Duration> {
    fn from_text(text: &str) -> Result<Self, String> {
        Duration::from_text(text).map(|duration| (!duration.is_zero()).then_some(duration))
    }

    fn from_toml(value: &toml::Value, base: &Path) -> Result<Self, String> {
        Duration::from_toml(value, base).map(|duration| (!duration.is_zero()).then_some(duration))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        self.unwrap_or_default().to_toml()
    }
}

/// Replaces a leading `~/` by the home folder.
pub(super) fn expand_home(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}

impl Value for PathBuf {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(expand_home(text))
    }

    fn from_toml(value: &toml::Value, base: &Path) -> Result<Self, String> {
        String::from_toml(value, base).map(|text| base.join(expand_home(&text)))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(self.to_string_lossy().into_owned().into())
    }
}

impl Value for Option<PathBuf> {
    fn from_text(text: &str) -> Result<Self, String> {
        PathBuf::from_text(text).map(Some)
    }

    fn from_toml(value: &toml::Value, base: &Path) -> Result<Self, String> {
        PathBuf::from_toml(value, base).map(Some)
    }

    fn to_toml(&self) -> Option<toml::Value> {
        self.as_ref().and_then(Value::to_toml)
    }
}

impl<T: Value> Value for Vec<T> {
    const LIST: bool = true;
    const SECRET: bool = T::SECRET;
    const QUOTED: bool = T::QUOTED;

    fn from_text(text: &str) -> Result<Self, String> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(T::from_text).collect()
    }

    fn from_toml(value: &toml::Value, base: &Path) -> Result<Self, String> {
        match value {
            toml::Value::Array(items) => items.iter().map(|item| T::from_toml(item, base)).collect(),
            _ => Err(expected::<Self>("a list", value)),
        }
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::Array(self.iter().filter_map(Value::to_toml).collect()))
    }
}

impl Value for BTreeMap<String, String> {
    const LIST: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
            .map(|pair| match pair.split_once('=') {
                Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
                None => Err(format!("expected NAME=MODEL, found `{pair}`")),
            })
            .collect()
    }

    fn from_toml(value: &toml::Value, base: &Path) -> Result<Self, String> {
        let table = value.as_table().ok_or_else(|| expected::<Self>("a table", value))?;
        table.iter().map(|(name, value)| Ok((name.clone(), String::from_toml(value, base)?))).collect()
    }

    fn to_toml(&self) -> Option<toml::Value> {
        let table = self.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        Some(toml::Value::Table(table))
    }
}

/// Implements [`Value`] by `FromStr` and `Display`.
macro_rules! words {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn from_text(text: &str) -> Result<Self, String> {
                text.parse().map_err(|error| format!("{error}"))
            }

            fn from_toml(value: &toml::Value, base: &Path) -> Result<Self, String> {
                Self::from_text(&String::from_toml(value, base)?)
            }

            fn to_toml(&self) -> Option<toml::Value> {
                Some(self.to_string().into())
            }
        }
    )*};
}

/// An enum whose variants have one word each.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            const WORDS: &[&str] = &[$($word,)*];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)* })
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text.to_ascii_lowercase().as_str() {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(format!("expected one of {}, found `{text}`", Self::WORDS.join(", "))),
                }
            }
        }

        words!($name);
    };
}

choice! {
    /// Who sees the photos on an address without a key.
    OpenTo {
        /// Whoever has the token.
        Token = "token",
        /// Whoever seems to sit at this machine, too.
        Loopback = "loopback",
    }
}

choice! {
    /// Which models a request may have fetched.
    FetchOnRequest {
        /// Those of the configuration, of a stock Immich, and those fetched before.
        Known = "known",
        /// All.
        Any = "any",
    }
}

choice! {
    /// How log lines look.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object per line.
        Json = "json",
    }
}

choice! {
    /// When to colour the log.
    LogColour {
        /// On a terminal.
        Auto = "auto",
        /// Always.
        Always = "always",
        /// Never.
        Never = "never",
    }
}

choice! {
    /// Whose rules OCR follows.
    OcrProfile {
        /// RapidOCR 3.10.
        RapidOcr = "rapidocr",
        /// Immich's machine-learning server.
        Immich = "immich",
        /// Our own.
        Viewfinder = "viewfinder",
    }
}

choice! {
    /// What is looked for in pictures of a catalogue.
    Kind {
        /// Text.
        Ocr = "ocr",
        /// What the picture shows, as a vector.
        Clip = "clip",
        /// Faces.
        Faces = "faces",
    }
}

/// A model to load at start: `NAME` with all its networks, or `NAME:ROLE` with one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preload {
    /// Catalogue name or alias.
    pub(crate) model: String,
    /// One of the model's networks, such as `textual`; `None` means all.
    pub role: Option<Role>,
}

impl fmt::Display for Preload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.model)?;
        self.role.iter().try_for_each(|role| write!(f, ":{role}"))
    }
}

impl FromStr for Preload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // `ViT-B-32::openai` is a name, not a role: Immich writes it with two colons.
        let (model, role) = match text.rsplit_once(':') {
            Some((model, role)) if !model.ends_with(':') => (model, Some(role.parse()?)),
            _ => (text, None),
        };
        if model.is_empty() {
            return Err("the model's name is missing".to_owned());
        }
        Ok(Self { model: model.to_owned(), role })
    }
}

words!(Preload, viewfinder_engine::runtime::Device);

/// A `[[models]]` entry, checked by the model store.
impl Value for toml::Table {
    fn from_text(_: &str) -> Result<Self, String> {
        Err("can only be written in the configuration file".to_owned())
    }

    fn from_toml(value: &toml::Value, _: &Path) -> Result<Self, String> {
        value.as_table().cloned().ok_or_else(|| expected::<Self>("a table", value))
    }

    fn to_toml(&self) -> Option<toml::Value> {
        Some(toml::Value::Table(self.clone()))
    }
}

/// What stands for a secret that is set.
pub(super) const HIDDEN: &str = "(hidden)";

/// Where a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// In the configuration itself.
    Written(Secret),
    /// In a file that holds nothing else.
    File(PathBuf),
}

/// Keys by address.
impl Value for BTreeMap<String, KeySource> {
    const LIST: bool = true;

    /// `ADDRESS=KEY` or `ADDRESS=@FILE`. What is wrong is not repeated: it may be a key.
    fn from_text(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (address, key) = pair.split_once('=').ok_or("expected ADDRESS=KEY or ADDRESS=@FILE")?;
                let source = match key.trim().strip_prefix('@') {
                    Some(file) => KeySource::File(PathBuf::from_text(file)?),
                    None => KeySource::Written(Secret::new(key.trim())),
                };
                Ok((address.trim().to_owned(), source))
            })
            .collect()
    }

    fn from_toml(value: &toml::Value, base: &Path) -> Result<Self, String> {
        let table = value.as_table().ok_or("expected a table of keys by address")?;
        let source = |value: &toml::Value| match value {
            toml::Value::String(key) => Ok(KeySource::Written(Secret::new(key))),
            toml::Value::Table(table) if table.len() == 1 => {
                let file = table.get("file").ok_or("expected { file = \"…\" }")?;
                PathBuf::from_toml(file, base).map(KeySource::File)
            }
            _ => Err("expected a key, or { file = \"…\" }".to_owned()),
        };
        table
            .iter()
            .map(|(address, value)| match source(value) {
                Ok(source) => Ok((address.clone(), source)),
                Err(message) if is_address(address) => Err(format!("{address}: {message}")),
                // Perhaps a key that stands on the wrong side.
                Err(message) => Err(message),
            })
            .collect()
    }

    /// For showing: keys stay hidden.
    fn to_toml(&self) -> Option<toml::Value> {
        let shown = |source: &KeySource| match source {
            KeySource::Written(_) => HIDDEN.into(),
            KeySource::File(path) => {
                toml::Table::from_iter(path.to_toml().map(|path| ("file".to_owned(), path))).into()
            }
        };
        Some(toml::Value::Table(
            self.iter().map(|(address, source)| (address.clone(), shown(source))).collect(),
        ))
    }
}

/// Does it look like HOST:PORT, and so not like a key?
pub(super) fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

/// A `[[nodes]]` entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeEntry {
    /// What routes call it.
    pub(crate) name: String,
    /// Which protocol it speaks.
    pub(crate) kind: String,
    /// Where it is.
    pub(crate) url: String,
    /// What it wants to be shown.
    pub(crate) key: Option<Secret>,
    /// A file that holds the key and nothing else.
    pub(crate) key_file: Option<PathBuf>,
    /// Certificates of the authorities that may sign its own, as PEM.
    pub(crate) ca_file: Option<PathBuf>,
}

impl NodeEntry {
    const FIELDS: [&str; 6] = ["name", "kind", "url", "key", "key_file", "ca_file"];
}

impl Value for NodeEntry {
    const QUOTED: bool = false;

    fn from_text(_: &str) -> Result<Self, String> {
        Err("can only be written in the configuration file".to_owned())
    }

    fn from_toml(value: &toml::Value, base: &Path) -> Result<Self, String> {
        let table = value.as_table().ok_or_else(|| expected::<Self>("a table", value))?;
        if let Some(unknown) = table.keys().find(|name| !Self::FIELDS.contains(&name.as_str())) {
            return Err(format!("unknown field `{unknown}`, expected one of {}", Self::FIELDS.join(", ")));
        }
        let text = |name: &str| match table.get(name) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(format!("{name}: {}", expected::<Self>("a string", other))),
        };
        let needed = |name: &str| text(name)?.ok_or_else(|| format!("missing field `{name}`"));
        let path = |name: &str| {
            let path = text(name)?;
            Ok::<_, String>(path.map(|path| base.join(expand_home(&path))))
        };
        let entry = Self {
            name: needed("name")?,
            kind: needed("kind")?,
            url: needed("url")?,
            key: text("key")?.map(Secret::new),
            key_file: path("key_file")?,
            ca_file: path("ca_file")?,
        };
        if entry.key.is_some() && entry.key_file.is_some() {
            return Err(format!("node {} has a key and a file with one; it needs one of them", entry.name));
        }
        Ok(entry)
    }

    /// For showing: the key stays hidden.
    fn to_toml(&self) -> Option<toml::Value> {
        let mut table = toml::Table::new();
        for (key, value) in [("name", &self.name), ("kind", &self.kind), ("url", &self.url)] {
            table.insert(key.to_owned(), value.clone().into());
        }
        if self.key.is_some() {
            table.insert("key".to_owned(), HIDDEN.into());
        }
        for (key, path) in [("key_file", &self.key_file), ("ca_file", &self.ca_file)] {
            table.extend(path.to_toml().map(|path| (key.to_owned(), path)));
        }
        Some(table.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_take_units() {
        assert_eq!(whole("100"), Ok(100));
        assert_eq!(whole("100 MB"), Ok(100_000_000));
        assert_eq!(whole("1_000"), Ok(1_000));
        assert_eq!(whole("2Gi"), Ok(2 << 30));
        assert!(whole("-1").is_err());
        assert!(whole("many").is_err());
        assert!(whole("").is_err());
        assert!(whole("99999999999G").is_err());
    }

    #[test]
    fn preload_knows_roles_from_double_colons() {
        let plain: Preload = "ViT-B-32::openai".parse().unwrap();
        assert_eq!((plain.model.as_str(), plain.role), ("ViT-B-32::openai", None));
        let one: Preload = "cn-clip/ViT-B-16:textual".parse().unwrap();
        assert_eq!((one.model.as_str(), one.role), ("cn-clip/ViT-B-16", Some(Role::Textual)));
        assert!("cn-clip/ViT-B-16:txt".parse::<Preload>().is_err());
    }

    #[test]
    fn thresholds_print_as_written() {
        assert_eq!(0.65_f32.to_toml(), Some(toml::Value::Float(0.65)));
    }

    #[test]
    fn paths_in_a_file_are_relative_to_it() {
        let path = PathBuf::from_toml(&"models".into(), Path::new("/etc/viewfinder")).unwrap();
        assert_eq!(path, Path::new("/etc/viewfinder/models"));
    }
}
