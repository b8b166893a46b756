//! One typed configuration from four sources: flags, then environment, then a TOML file, then defaults.
//!
//! [`mod@settings`] declares every setting once, nested as the file is; reading, printing, the example file and the command line's
//! flags all follow from that table. [`mod@load`] layers the sources and remembers where each value came from.

mod addresses;
mod aliases;
mod environment;
mod file;
mod lines;
mod load;
mod secret;
#[macro_use]
mod setting;
mod settings;
mod show;
mod suggest;
mod value;

pub(crate) use environment::Environment;
pub(crate) use load::{ConfigError, Flags, Loaded, Origin, Severity, load};
pub(crate) use secret::Secret;
pub(crate) use setting::{Scope, Setting};
pub(crate) use settings::{Config, SETTINGS};
pub(crate) use show::{example, to_json, to_text};
pub(crate) use value::{
    FetchOnRequest, KeySource, Kind, LogColour, LogFormat, NodeEntry, OcrProfile, OpenTo, Preload,
};
