//! On which line of a file a setting stands.
use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Lines by key, such as `log.level`, `nodes[0]` or `nodes[0].url`; counted from 1.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// Of a file that can be read.
    pub(super) fn of(text: &str) -> Self {
        let mut lines = Self::default();
        if let Ok(table) = DeTable::parse(text) {
            lines.table(text, "", table.get_ref());
        }
        lines
    }

    /// The line of a key, or of the nearest one around it.
    pub(super) fn get(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(line) = self.0.get(key) {
                return Some(*line);
            }
            key = &key[..key.rfind(['.', '['])?];
        }
    }

    fn table(&mut self, text: &str, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = if prefix.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{prefix}.{}", name.get_ref())
            };
            self.0.insert(key.clone(), line(text, name.span()));
            self.value(text, &key, value.get_ref());
        }
    }

    fn value(&mut self, text: &str, key: &str, value: &DeValue<'_>) {
        match value {
            DeValue::Table(table) => self.table(text, key, table),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let key = format!("{key}[{index}]");
                    self.0.insert(key.clone(), line(text, item.span()));
                    self.value(text, &key, item.get_ref());
                }
            }
            _ => {}
        }
    }
}

/// The line that a piece of the text begins on.
pub(super) fn line(text: &str, span: Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_line() {
        let text = "listen = [\n  \"a\",\n  \"b\",\n]\n[log]\nlevel = \"x\"\n\n[[nodes]]\nurl = \"u\"\n[[nodes]]\nname = \"n\"\n\nurl = \"v\"\n";
        let lines = Lines::of(text);
        for (key, line) in [
            ("listen", Some(1)),
            ("listen[1]", Some(3)),
            ("log.level", Some(6)),
            ("log.format", Some(5)),
            ("nodes[0].url", Some(9)),
            ("nodes[1]", Some(10)),
            ("nodes[1].url", Some(13)),
            ("nodes[1].kind", Some(10)),
            ("nodes[1].kind.x", Some(10)),
            ("clip.model", None),
        ] {
            assert_eq!(lines.get(key), line, "{key}");
        }
        assert_eq!(Lines::of("listen = [").get("listen"), None);
    }
}
