use serde_json::json;

use super::raw_entries::{Entry, Kinds, RawEntries, Scalar};
use crate::number::meant;

/// What one request asks for, in the order in which it asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entries {
    /// The tasks, at most one of each [`Task`] variant.
    pub tasks: Vec<Task>,
}

/// One task of a request. Model names are as the client wrote them.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Embed the picture.
    ClipVisual {
        /// Model name.
        model: String,
    },
    /// Embed the sentence.
    ClipTextual {
        /// Model name.
        model: String,
        /// Locale of the asker, such as `zh-CN`.
        language: Option<String>,
    },
    /// Find faces, and embed them if a recogniser is named.
    Faces {
        /// Pack whose detector to use.
        detection: String,
        /// Keep faces scoring at least this.
        min_score: f32,
        /// Pack whose recogniser to use.
        recognition: Option<String>,
    },
    /// Find text, and read it if a recogniser is named.
    Text {
        /// The detector.
        detection: TextDetection,
        /// The recogniser.
        recognition: Option<TextRecognition>,
    },
    /// Read text as the forked Immich asks for it: `{"ocr":{"recognition":{"modelName":"ocr"}}}`.
    LegacyText,
}

/// Detector options of OCR.
#[derive(Clone, Debug, PartialEq)]
pub struct TextDetection {
    /// Model name.
    pub model: String,
    /// Keep regions scoring at least this; Immich's default is 0.5.
    pub min_score: f32,
    /// Shrink the short side to at most this many pixels; Immich's default is 736.
    pub max_resolution: usize,
    /// Average the probability inside the exact polygon (`slow`) instead of its upright box (`fast`, the default).
    pub exact_scores: bool,
}

/// Recogniser options of OCR.
#[derive(Clone, Debug, PartialEq)]
pub struct TextRecognition {
    /// Model name.
    pub model: String,
    /// Keep texts scoring more than this; Immich's default is 0.9.
    pub min_score: f32,
}

/// Why the `entries` field cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntriesError {
    /// Not the JSON it should be. The reason is for the log: Immich's service does not tell.
    #[error("Invalid request format.")]
    Malformed(String),
    /// A task or type that does not exist, or not together.
    #[error("Task {task} of type {kind} is not supported")]
    Unsupported {
        /// The task as asked for.
        task: String,
        /// The type as asked for.
        kind: String,
    },
    /// Recognition works on what detection found, and only within one request.
    #[error("Task {task} of type recognition depends on output of (detection, {task})")]
    NeedsDetection {
        /// The task.
        task: &'static str,
    },
}

impl EntriesError {
    /// The status Immich's service answers with, or would if it checked.
    pub fn http_status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 422,
            Self::Unsupported { .. } | Self::NeedsDetection { .. } => 400,
        }
    }
}

pub(super) const CLIP: &str = "clip";
pub(super) const FACES: &str = "facial-recognition";
pub(super) const TEXT: &str = "ocr";

/// Characters of a reason that are kept.
const REASON: usize = 200;

/// Model name of the one OCR request the forked Immich sends.
const LEGACY_MODEL: &str = "ocr";

impl Entries {
    /// Reads the `entries` field.
    ///
    /// Unknown options are ignored and missing ones have Immich's defaults; known options of a wrong type, and
    /// options that are no object, are errors. Options belong to this request alone. What is ignored is not kept, so memory
    /// does not depend on it.
    pub fn parse(json: &str) -> Result<Self, EntriesError> {
        let written: RawEntries = serde_json::from_str(json).map_err(|error| malformed(&error))?;
        if let Some((task, kind)) = written.unsupported() {
            return Err(EntriesError::Unsupported { task: task.to_owned(), kind: kind.to_owned() });
        }
        let mut entries = Self::default();
        entries.clip(written.clip)?;
        entries.faces(written.faces)?;
        entries.text(written.text)?;
        Ok(entries)
    }

    /// Writes the `entries` field, as Immich's server does where it asks the same.
    ///
    /// A task whose place is taken by one before it, which only two of a kind can be, replaces it.
    pub fn to_json(&self) -> String {
        let mut entries = json!({});
        for task in &self.tasks {
            match task {
                Task::ClipVisual { model } => entries[CLIP]["visual"] = json!({"modelName": model}),
                Task::ClipTextual { model, language } => {
                    let options =
                        language.as_ref().map_or(json!({}), |language| json!({"language": language}));
                    entries[CLIP]["textual"] = json!({"modelName": model, "options": options});
                }
                Task::Faces { detection, min_score, recognition } => {
                    entries[FACES] = json!({
                        "detection": {"modelName": detection, "options": {"minScore": meant(*min_score)}}
                    });
                    if let Some(model) = recognition {
                        entries[FACES]["recognition"] = json!({"modelName": model});
                    }
                }
                Task::Text { detection, recognition } => {
                    let mut options = json!({
                        "minScore": meant(detection.min_score),
                        "maxResolution": detection.max_resolution,
                    });
                    if detection.exact_scores {
                        options["scoreMode"] = json!("slow");
                    }
                    entries[TEXT] = json!({"detection": {"modelName": detection.model, "options": options}});
                    if let Some(TextRecognition { model, min_score }) = recognition {
                        entries[TEXT]["recognition"] =
                            json!({"modelName": model, "options": {"minScore": meant(*min_score)}});
                    }
                }
                Task::LegacyText => entries[TEXT] = json!({"recognition": {"modelName": LEGACY_MODEL}}),
            }
        }
        entries.to_string()
    }

    fn clip(&mut self, Kinds { visual, textual, .. }: Kinds) -> Result<(), EntriesError> {
        if let Some(entry) = textual {
            self.tasks.push(Task::ClipTextual { language: language(&entry)?, model: entry.model });
        }
        if let Some(entry) = visual {
            self.tasks.push(Task::ClipVisual { model: entry.model });
        }
        Ok(())
    }

    fn faces(&mut self, Kinds { detection, recognition, .. }: Kinds) -> Result<(), EntriesError> {
        match (detection, recognition) {
            (None, None) => {}
            (None, Some(_)) => return Err(EntriesError::NeedsDetection { task: FACES }),
            (Some(detection), recognition) => self.tasks.push(Task::Faces {
                min_score: min_score(&detection, 0.7)?,
                detection: detection.model,
                recognition: recognition.map(|entry| entry.model),
            }),
        }
        Ok(())
    }

    fn text(&mut self, Kinds { detection, recognition, .. }: Kinds) -> Result<(), EntriesError> {
        match (detection, recognition) {
            (None, None) => {}
            (None, Some(entry)) if entry.model == LEGACY_MODEL => self.tasks.push(Task::LegacyText),
            (None, Some(_)) => return Err(EntriesError::NeedsDetection { task: TEXT }),
            (Some(detection), recognition) => self.tasks.push(Task::Text {
                recognition: recognition
                    .map(|entry| {
                        Ok(TextRecognition { min_score: min_score(&entry, 0.9)?, model: entry.model })
                    })
                    .transpose()?,
                detection: TextDetection {
                    min_score: min_score(&detection, 0.5)?,
                    max_resolution: side(&detection, 736)?,
                    exact_scores: is_exact(&detection)?,
                    model: detection.model,
                },
            }),
        }
        Ok(())
    }
}

fn language(entry: &Entry) -> Result<Option<String>, EntriesError> {
    match &entry.options.language {
        // The server's own type allows no language at all; a client that says so with null means the same.
        None | Some(Scalar::Null) => Ok(None),
        Some(Scalar::Text(language)) => Ok(Some(language.clone())),
        Some(_) => Err(malformed("language is not a string")),
    }
}

fn min_score(entry: &Entry, default: f32) -> Result<f32, EntriesError> {
    match &entry.options.min_score {
        None => Ok(default),
        Some(Scalar::Number(number)) if (*number as f32).is_finite() => Ok(*number as f32),
        Some(_) => Err(malformed("minScore is not a number")),
    }
}

fn side(entry: &Entry, default: usize) -> Result<usize, EntriesError> {
    match &entry.options.max_resolution {
        None => Ok(default),
        Some(Scalar::Number(side)) if *side >= 1.0 => Ok(side.min(f64::from(u32::MAX)) as usize),
        Some(_) => Err(malformed("maxResolution is not a positive number")),
    }
}

fn is_exact(entry: &Entry) -> Result<bool, EntriesError> {
    match &entry.options.score_mode {
        None => Ok(false),
        Some(Scalar::Text(mode)) if mode == "fast" => Ok(false),
        Some(Scalar::Text(mode)) if mode == "slow" => Ok(true),
        Some(_) => Err(malformed("scoreMode is neither fast nor slow")),
    }
}

fn malformed(reason: impl std::fmt::Display) -> EntriesError {
    // It may quote what was sent.
    EntriesError::Malformed(reason.to_string().chars().take(REASON).collect())
}
