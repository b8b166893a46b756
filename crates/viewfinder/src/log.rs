//! The log, on the standard error.
use std::io::{self, IsTerminal as _, Write};

use tracing_subscriber::EnvFilter;

use crate::config::{Loaded, LogColour, LogFormat, Origin, SETTINGS, Severity};
use crate::output;

/// Bytes of one line. Whoever writes one cuts what others decide on; this is for what was forgotten.
const LONGEST: usize = 16 << 10;

/// Starts the log; `quiet` is the level where nobody chose one.
pub(crate) fn start(loaded: &Loaded, quiet: &str) {
    let config = &loaded.config;
    let chosen = SETTINGS
        .iter()
        .any(|setting| setting.key == "log.level" && loaded.origin(setting) != Origin::Default);
    let level = if chosen { config.log.level.as_str() } else { quiet };
    let colour = match config.log.colour {
        LogColour::Always => true,
        LogColour::Never => false,
        LogColour::Auto => io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter(level)))
        .with_writer(|| Cut(io::stderr()))
        .with_ansi(colour);
    match config.log.format {
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

/// Writes each line up to a length; it gets a line at a time.
struct Cut<W>(W);

impl<W: Write> Write for Cut<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        output::bars().suspend(|| self.cut(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> Cut<W> {
    fn cut(&mut self, line: &[u8]) -> io::Result<usize> {
        if line.len() <= LONGEST {
            return self.0.write(line);
        }
        // Not within a character.
        let is_end = |end: &usize| line[*end] & 0xc0 != 0x80;
        let end = (LONGEST - 4..LONGEST).rev().find(is_end).unwrap_or(LONGEST);
        self.0.write_all(&line[..end])?;
        writeln!(self.0, "… ({} bytes)", line.len())?;
        Ok(line.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_longest_length() {
        let written = |line: &str| {
            let mut cut = Cut(Vec::new());
            cut.write_all(line.as_bytes()).unwrap();
            String::from_utf8(cut.0).unwrap()
        };
        assert_eq!(written("as it is\n"), "as it is\n");
        for line in ["x".repeat(1_000_000), "文".repeat(1_000_000), format!("x{}", "文".repeat(1_000_000))]
        {
            let found = written(&line);
            let end = format!("… ({} bytes)\n", line.len());
            let kept = found.strip_suffix(&end).unwrap();
            assert!(
                line.starts_with(kept) && (LONGEST - 4..=LONGEST).contains(&kept.len()),
                "{}",
                kept.len()
            );
        }
    }
}
