//! The only writers to the standard streams.
use std::io::{self, Write as _};

/// Writes a line to the standard output.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")
}

/// Writes text as it is to the standard output.
pub(crate) fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes a message to the standard error. If that is closed, there is nobody to tell.
pub(crate) fn complain(message: &str) {
    let _ = writeln!(io::stderr().lock(), "viewfinder: {message}");
}
