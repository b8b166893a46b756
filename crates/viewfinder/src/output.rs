//! The only writers to the standard streams, and the bars below what they write.
use std::io::{self, Write as _};
use std::sync::OnceLock;

use indicatif::MultiProgress;

/// What goes on, at the end of the standard error; whatever is written goes above it. Nothing where that is no terminal.
pub(crate) fn bars() -> &'static MultiProgress {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    BARS.get_or_init(MultiProgress::new)
}

/// Writes a line to the standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    bars().suspend(|| {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")
    })
}

/// Writes text as it is to the standard output.
pub(crate) fn text(text: &str) -> io::Result<()> {
    bars().suspend(|| {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    })
}

/// Writes a message to the standard error. If that is closed, there is nobody to tell.
pub(crate) fn complain(message: &str) {
    bars().suspend(|| {
        let _ = writeln!(io::stderr().lock(), "viewfinder: {message}");
    });
}
