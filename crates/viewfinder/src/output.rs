//! The only writers to the standard streams, and the bars below what they write.
use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use indicatif::MultiProgress;

/// What goes on, at the end of the standard error; whatever is written goes above it. Nothing where that is no terminal.
pub(crate) fn bars() -> &'static MultiProgress {
    static BARS: OnceLock<MultiProgress> = OnceLock::new();
    BARS.get_or_init(MultiProgress::new)
}

/// Writes a line to the standard output. A terminal gets no control characters: those of a file's name could drive it.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let text = if io::stdout().is_terminal() { visible(text) } else { Cow::Borrowed(text) };
    styled_line(&text)
}

/// Writes a line to the standard output with the control characters that we put into it ourselves.
pub(crate) fn styled_line(text: &str) -> io::Result<()> {
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
        let _ = writeln!(io::stderr().lock(), "viewfinder: {}", visible(message));
    });
}

/// The text with a name in place of each character that drives a terminal, or turns the direction of what follows it.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let drives = |c: char| {
        (c.is_control() && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(drives) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if drives(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_is_shown_by_name() {
        assert_eq!(visible("a\x1b[2J\r\n\u{9b}1m\u{202e}gpj.jpg"), r"a\u{1b}[2J\r\n\u{9b}1m\u{202e}gpj.jpg");
        assert_eq!(visible("合计\t12 元 é 😀"), "合计\t12 元 é 😀");
    }
}
