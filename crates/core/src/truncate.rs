use std::fmt::{self, Display, Write};

/// Characters of a text that others may decide on.
const MOST: usize = 400;

/// The beginning of a text, as far as a log and an answer say it. Whoever sends requests decides what names and errors in
/// them say, and must not fill disks with it.
pub fn short(text: impl Display) -> String {
    let mut short = Truncated { text: String::new(), room: MOST };
    // The only error is that the room has run out.
    if write!(short, "{text}").is_err() {
        short.text.push('…');
    }
    short.text
}

/// Takes no more than it has room for.
struct Truncated {
    text: String,
    room: usize,
}

impl Write for Truncated {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for character in more.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(character);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_long_is_cut() {
        assert_eq!(short(""), "");
        assert_eq!(short("文".repeat(MOST)), "文".repeat(MOST));
        assert_eq!(short("文".repeat(MOST + 1)), format!("{}…", "文".repeat(MOST)));
        assert_eq!(short(format_args!("{}-{}", 1, "x".repeat(10_000_000))).chars().count(), MOST + 1);
    }
}
