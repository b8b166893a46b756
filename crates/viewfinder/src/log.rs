//! The log, on the standard error.
use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::config::{Loaded, LogColour, LogFormat, Origin, SETTINGS, Severity};

/// Starts the log; `quiet` is the level where nobody chose one.
pub(crate) fn start(loaded: &Loaded, quiet: &str) {
    let config = &loaded.config;
    let chosen = SETTINGS
        .iter()
        .any(|setting| setting.key == "log.level" && loaded.origin(setting) != Origin::Default);
    let level = if chosen { config.log_level.as_str() } else { quiet };
    let colour = match config.log_colour {
        LogColour::Always => true,
        LogColour::Never => false,
        LogColour::Auto => io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter(level)))
        .with_writer(io::stderr)
        .with_ansi(colour);
    match config.log_format {
        LogFormat::Text => builder.with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    for note in &loaded.notes {
        match note.severity {
            Severity::Warning => tracing::warn!("{}", note.text),
            Severity::Information => tracing::info!("{}", note.text),
        }
    }
}

/// ONNX Runtime tells every step of its graph optimiser as information, thousands of lines for each model. Whoever wants
/// to read them writes a filter, such as `info,ort=info`.
fn filter(level: &str) -> String {
    let plain = !level.contains(['=', ',']);
    if plain { format!("{level},ort=warn") } else { level.to_owned() }
}
