//! One entry, and how it is made fit for a log, a terminal and a page.
use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::{
    ToSchema,
    openapi::{Object, ObjectBuilder, schema::Type},
};
use viewfinder_core::label;

use crate::refusal::Code;

/// Longest message, in characters.
const LONGEST_MESSAGE: usize = 300;
/// Longest name of a model, engine or request, in characters. Models' names come from clients.
const LONGEST_NAME: usize = 128;

/// A task that failed for good, before the ledger knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// `ocr`, `facial-recognition` or `clip.visual`.
    pub task: &'static str,
    /// The model that was asked for; the first, where a task needs several.
    pub model: String,
    /// The stable code of the error.
    pub code: &'static str,
    /// What was said.
    pub message: String,
    /// Who said so: `local`, or a node's name.
    pub engine: String,
}

/// A task that failed for good, perhaps several times: same picture, task and code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LedgerEntry)]
pub struct Entry {
    /// When it failed first, to the second.
    #[schema(value_type = String, format = DateTime)]
    pub first: Timestamp,
    /// When it failed last.
    #[schema(value_type = String, format = DateTime)]
    pub last: Timestamp,
    /// How often it failed.
    pub count: u64,
    /// `ocr`, `facial-recognition` or `clip.visual`.
    #[schema(schema_with = tasks)]
    pub task: String,
    /// The model that was asked for last.
    pub model: String,
    /// The stable code of the error.
    #[schema(value_type = Code)]
    pub code: String,
    /// What was said last, in one line.
    pub message: String,
    /// Who said so last: `local`, or a node's name.
    pub engine: String,
    /// Size of the picture's file.
    pub bytes: u64,
    /// SHA-256 of the picture's file, in lower-case hex.
    pub sha256: String,
    /// Id of the last request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub request: Option<String>,
}

/// The schema of the tasks that are asked about pictures.
fn tasks() -> Object {
    let tasks = [label::OCR, label::FACES, label::VISUAL];
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(tasks)).build()
}

impl Entry {
    /// A first failure, now.
    pub(crate) fn new(failed: &Failed, picture: &Picture, request: Option<&str>) -> Self {
        let now = Timestamp::now();
        // Rounding to seconds is possible for every time that a clock can show.
        let now = now.round(Unit::Second).unwrap_or(now);
        Self {
            first: now,
            last: now,
            count: 1,
            task: failed.task.to_owned(),
            model: line(&failed.model, LONGEST_NAME),
            code: failed.code.to_owned(),
            message: line(&failed.message, LONGEST_MESSAGE),
            engine: line(&failed.engine, LONGEST_NAME),
            bytes: picture.bytes,
            sha256: picture.sha256.clone(),
            request: request.map(|id| line(id, LONGEST_NAME)),
        }
    }

    /// What it is about.
    pub(crate) fn key(&self) -> Key {
        Key { sha256: self.sha256.clone(), task: self.task.clone(), code: self.code.clone() }
    }
}

/// Failures that agree in this are one entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    sha256: String,
    task: String,
    code: String,
}

/// What is remembered of a picture.
pub(crate) struct Picture {
    bytes: u64,
    sha256: String,
}

impl Picture {
    pub(crate) fn of(picture: &[u8]) -> Self {
        let mut sha256 = String::with_capacity(64);
        for byte in Sha256::digest(picture) {
            sha256.push_str(&format!("{byte:02x}"));
        }
        Self { bytes: picture.len() as u64, sha256 }
    }
}

/// One short line without control characters.
fn line(text: &str, longest: usize) -> String {
    let words: Vec<_> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let text = words.join(" ");
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::PartialSchema as _;

    use super::*;

    #[test]
    fn the_schema_names_the_tasks_that_are_asked_about_pictures() {
        let schema = serde_json::to_value(Entry::schema()).unwrap();
        assert_eq!(
            schema["properties"]["task"],
            json!({"type": "string", "enum": ["ocr", "facial-recognition", "clip.visual"]})
        );
    }
}
