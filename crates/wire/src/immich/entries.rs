use serde_json::{Map, Value, json};

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
    /// Read text as the seed stack's fork of Immich asks for it: `{"ocr":{"recognition":{"modelName":"ocr"}}}`.
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

const CLIP: &str = "clip";
const FACES: &str = "facial-recognition";
const TEXT: &str = "ocr";

/// Model name of the one OCR request the seed stack's fork sends.
const LEGACY_MODEL: &str = "ocr";

impl Entries {
    /// Reads the `entries` field.
    ///
    /// Unknown options are ignored and missing ones have Immich's defaults; known options of a wrong type, and
    /// options that are no object, are errors. Options belong to this request alone.
    pub fn parse(json: &str) -> Result<Self, EntriesError> {
        let value: Value = serde_json::from_str(json).map_err(|error| malformed(&error))?;
        let Value::Object(tasks) = value else { return Err(malformed("not an object")) };
        let mut entries = Self::default();
        for (task, kinds) in &tasks {
            let Value::Object(kinds) = kinds else {
                return Err(malformed(format!("{task:?} is not an object")));
            };
            match task.as_str() {
                CLIP => entries.clip(kinds)?,
                FACES => entries.faces(kinds)?,
                TEXT => entries.text(kinds)?,
                _ => unsupported(task, kinds)?,
            }
        }
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

    fn clip(&mut self, kinds: &Map<String, Value>) -> Result<(), EntriesError> {
        for (kind, value) in kinds {
            let entry = Entry::parse(kind, value)?;
            self.tasks.push(match kind.as_str() {
                "visual" => Task::ClipVisual { model: entry.model },
                "textual" => Task::ClipTextual { language: entry.language()?, model: entry.model },
                _ => return unsupported(CLIP, kinds),
            });
        }
        Ok(())
    }

    fn faces(&mut self, kinds: &Map<String, Value>) -> Result<(), EntriesError> {
        match detection_and_recognition(FACES, kinds)? {
            (None, None) => {}
            (None, Some(_)) => return Err(EntriesError::NeedsDetection { task: FACES }),
            (Some(detection), recognition) => self.tasks.push(Task::Faces {
                min_score: detection.number("minScore", 0.7)?,
                detection: detection.model,
                recognition: recognition.map(|entry| entry.model),
            }),
        }
        Ok(())
    }

    fn text(&mut self, kinds: &Map<String, Value>) -> Result<(), EntriesError> {
        match detection_and_recognition(TEXT, kinds)? {
            (None, None) => {}
            (None, Some(entry)) if entry.model == LEGACY_MODEL => self.tasks.push(Task::LegacyText),
            (None, Some(_)) => return Err(EntriesError::NeedsDetection { task: TEXT }),
            (Some(detection), recognition) => self.tasks.push(Task::Text {
                recognition: recognition
                    .map(|entry| {
                        Ok(TextRecognition { min_score: entry.number("minScore", 0.9)?, model: entry.model })
                    })
                    .transpose()?,
                detection: TextDetection {
                    min_score: detection.number("minScore", 0.5)?,
                    max_resolution: detection.side("maxResolution", 736)?,
                    exact_scores: detection.choice("scoreMode", ["fast", "slow"])? == 1,
                    model: detection.model,
                },
            }),
        }
        Ok(())
    }
}

type Pair<'a> = (Option<Entry<'a>>, Option<Entry<'a>>);

fn detection_and_recognition<'a>(
    task: &'static str,
    kinds: &'a Map<String, Value>,
) -> Result<Pair<'a>, EntriesError> {
    let mut pair = (None, None);
    for (kind, value) in kinds {
        let entry = Entry::parse(kind, value)?;
        match kind.as_str() {
            "detection" => pair.0 = Some(entry),
            "recognition" => pair.1 = Some(entry),
            _ => unsupported(task, kinds)?,
        }
    }
    Ok(pair)
}

/// Refuses a task or type that does not exist; malformed entries are told as such first.
fn unsupported(task: &str, kinds: &Map<String, Value>) -> Result<(), EntriesError> {
    let mut strange = None;
    for (kind, value) in kinds {
        Entry::parse(kind, value)?;
        let known = match task {
            CLIP => matches!(kind.as_str(), "visual" | "textual"),
            FACES | TEXT => matches!(kind.as_str(), "detection" | "recognition"),
            _ => false,
        };
        if !known {
            strange = Some(kind);
        }
    }
    match strange {
        Some(kind) => Err(EntriesError::Unsupported { task: clip(task), kind: clip(kind) }),
        None => Ok(()),
    }
}

/// Names come back in messages and logs, so they are kept short.
fn clip(name: &str) -> String {
    name.chars().take(64).collect()
}

fn malformed(reason: impl std::fmt::Display) -> EntriesError {
    EntriesError::Malformed(reason.to_string())
}

/// `{"modelName": string, "options"?: object}`.
struct Entry<'a> {
    model: String,
    options: Option<&'a Map<String, Value>>,
}

impl<'a> Entry<'a> {
    fn parse(kind: &str, value: &'a Value) -> Result<Self, EntriesError> {
        let Value::Object(entry) = value else { return Err(malformed(format!("{kind:?} is not an object"))) };
        let Some(Value::String(model)) = entry.get("modelName") else {
            return Err(malformed(format!("{kind:?} has no modelName")));
        };
        let options = match entry.get("options") {
            None => None,
            Some(Value::Object(options)) => Some(options),
            Some(_) => return Err(malformed(format!("options of {kind:?} are not an object"))),
        };
        Ok(Self { model: model.clone(), options })
    }

    fn option(&self, name: &str) -> Option<&'a Value> {
        self.options.and_then(|options| options.get(name))
    }

    fn language(&self) -> Result<Option<String>, EntriesError> {
        match self.option("language") {
            // The server's own type allows no language at all; a client that says so with null means the same.
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(language)) => Ok(Some(language.clone())),
            Some(_) => Err(malformed("language is not a string")),
        }
    }

    fn number(&self, name: &str, default: f32) -> Result<f32, EntriesError> {
        let Some(value) = self.option(name) else { return Ok(default) };
        value
            .as_f64()
            .map(|number| number as f32)
            .filter(|number| number.is_finite())
            .ok_or_else(|| malformed(format!("{name} is not a number")))
    }

    fn side(&self, name: &str, default: usize) -> Result<usize, EntriesError> {
        let Some(value) = self.option(name) else { return Ok(default) };
        value
            .as_f64()
            .filter(|side| *side >= 1.0)
            .map(|side| side.min(f64::from(u32::MAX)) as usize)
            .ok_or_else(|| malformed(format!("{name} is not a positive number")))
    }

    /// The position of the option's value among `choices`; the first is the default.
    fn choice(&self, name: &str, choices: [&str; 2]) -> Result<usize, EntriesError> {
        let Some(value) = self.option(name) else { return Ok(0) };
        choices
            .iter()
            .position(|choice| value == choice)
            .ok_or_else(|| malformed(format!("{name} is neither {} nor {}", choices[0], choices[1])))
    }
}
