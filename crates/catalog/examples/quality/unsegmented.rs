//! Full-text search as databases do it when nobody tells them where Chinese words begin.
use rusqlite::{Connection, params};

use super::ours::Readings;

pub(crate) struct Plain(Connection);

impl Plain {
    pub(crate) fn new(readings: &Readings) -> Self {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE VIRTUAL TABLE picture USING fts5(path UNINDEXED, text, tokenize = 'unicode61')",
        )
        .unwrap();
        for (path, lines) in readings {
            db.execute("INSERT INTO picture VALUES (?, ?)", params![path, lines.join("\n")]).unwrap();
        }
        Self(db)
    }

    pub(crate) fn search(&self, query: &str) -> Vec<String> {
        let words: Vec<String> =
            query.split_whitespace().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
        let mut statement = self
            .0
            .prepare_cached("SELECT path FROM picture WHERE picture MATCH ? ORDER BY rank LIMIT 10")
            .unwrap();
        let paths = statement.query_map([words.join(" ")], |row| row.get(0)).unwrap();
        paths.map(Result::unwrap).collect()
    }
}
