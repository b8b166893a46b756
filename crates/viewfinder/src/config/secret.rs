//! Values that nobody is shown: not in what `config` prints, in no error, and not where a structure is printed for debugging.
use std::fmt;
use std::path::Path;

use super::value::{HIDDEN, Value, expected};

/// A key, a token, or an address with a password in it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For whoever sends it, or opens what it opens.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Value for Secret {
    const SECRET: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }

    fn from_toml(value: &toml::Value, _: &Path) -> Result<Self, String> {
        value.as_str().map(Self::new).ok_or_else(|| expected::<Self>("a string", value))
    }

    /// As it is: the default of a secret is known to everybody, and the example file shows it.
    fn to_toml(&self) -> Option<toml::Value> {
        Some(self.0.clone().into())
    }
}

impl Value for Option<Secret> {
    const SECRET: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        Secret::from_text(text).map(Some)
    }

    fn from_toml(value: &toml::Value, base: &Path) -> Result<Self, String> {
        Secret::from_toml(value, base).map(Some)
    }

    fn to_toml(&self) -> Option<toml::Value> {
        self.as_ref().and_then(Value::to_toml)
    }
}
