use std::{fmt, sync::Arc};

use bytes::Bytes;
use viewfinder_vision::{Dump, face::Face, ocr};

use crate::EngineError;

/// Which rules turn the bytes of a picture into pixels.
///
/// The protocols' reference servers decode differently, and stored vectors depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeRules {
    /// Turn the picture upright as its EXIF orientation says.
    pub orient: bool,
    /// What becomes of transparency.
    pub alpha: viewfinder_image::Alpha,
    /// Refuse pictures with a side of more pixels, on their header, even where the engine's limits allow them.
    pub max_side: Option<u32>,
}

/// One question about a picture.
#[derive(Clone, Debug, PartialEq)]
pub enum PictureTask {
    /// Detect text and read it. Models by catalogue name; the two may differ.
    Text {
        /// Model whose detector (and orientation classifier) to use.
        detection: String,
        /// Model whose recogniser to use.
        recognition: String,
        /// Profile and thresholds.
        options: ocr::Options,
    },
    /// Detect text without reading it.
    TextRegions {
        /// Model whose detector to use.
        detection: String,
        /// Profile and thresholds.
        options: ocr::Options,
    },
    /// Find faces and embed each.
    Faces {
        /// Pack whose detector to use.
        detection: String,
        /// Pack whose recogniser to use.
        recognition: String,
        /// Keep faces scoring at least this, 0 to 1.
        min_score: f32,
    },
    /// Find faces without embedding them: the answer's `embedding` fields are empty.
    FaceRegions {
        /// Pack whose detector to use.
        detection: String,
        /// Keep faces scoring at least this, 0 to 1.
        min_score: f32,
    },
    /// Embed the whole picture with a CLIP model.
    Embed {
        /// Catalogue name or alias.
        model: String,
    },
}

/// A picture and what is asked about it. It is decoded once, however many tasks there are.
#[derive(Clone)]
pub struct PictureRequest {
    /// The encoded picture.
    pub bytes: Bytes,
    /// How to decode it.
    pub decode: DecodeRules,
    /// What to find out; answers come in the same order.
    pub tasks: Vec<PictureTask>,
    /// Where stages leave what they hand to each other, for inspection.
    pub dump: Option<Arc<dyn Dump + Send + Sync>>,
}

impl fmt::Debug for PictureRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PictureRequest")
            .field("bytes", &self.bytes.len())
            .field("decode", &self.decode)
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}

/// The answer to one [`PictureTask`].
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Lines of text in reading order; boxes in pixels of the decoded picture.
    Text(Vec<ocr::Line>),
    /// Text regions in reading order.
    TextRegions(Vec<ocr::Region>),
    /// Faces, best score first.
    Faces(Vec<Face>),
    /// The model's vector, not normalised by us.
    Embedding(Vec<f32>),
}

/// Everything found out about one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureAnswer {
    /// Width in pixels of the decoded (and, where asked for, upright) picture.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// One answer per task, in the order of the tasks. A task that failed leaves the others be.
    pub answers: Vec<Result<Answer, EngineError>>,
}

/// A sentence to embed with a CLIP model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentenceRequest {
    /// Catalogue name or alias.
    pub model: String,
    /// The sentence.
    pub text: String,
    /// Interface language of the asker as a BCP-47 tag (`zh-CN`); only nllb models use it.
    pub language: Option<String>,
}

/// What the engine is doing right now, for health and metrics.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct EngineStatus {
    /// Can it answer? `Err` says why not (library missing, for example).
    pub ready: Result<(), String>,
    /// Version of the ONNX Runtime library in use.
    pub runtime_version: Option<String>,
    /// Execution provider really in use, such as `cpu` or `cuda`.
    pub provider: String,
    /// Said when a configured accelerator was refused and the configuration allowed the CPU instead.
    pub fallback: Option<String>,
    /// Worker threads for pictures.
    pub workers: usize,
    /// Threads one network call may use.
    pub threads: usize,
    /// Picture jobs waiting.
    pub queued_pictures: usize,
    /// Sentence jobs waiting.
    pub queued_sentences: usize,
    /// Jobs being worked on.
    pub running: usize,
    /// Loaded networks.
    pub models: Vec<LoadedModel>,
    /// Models that were asked for, are not on this machine, and may not be fetched for a request.
    pub refused_models: Vec<String>,
}

/// A network in memory.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct LoadedModel {
    /// Catalogue name.
    pub name: String,
    /// Which of its networks (`detection`, `recognition`, `classification`, `visual`, `textual`).
    pub role: String,
    /// Execution provider that it runs on.
    pub provider: String,
    /// Seconds since it was last used.
    pub idle_s: u64,
}
