//! From the engine's answers to the wire's neutral types.

use viewfinder_engine::{Answer, DecodeRules, EngineError, ErrorCode, PictureTask};
use viewfinder_image::Alpha;
use viewfinder_vision::{face, ocr};
use viewfinder_wire as wire;

/// The reference servers of Immich take pixels as they are stored and ignore transparency.
pub(super) const AS_STORED: DecodeRules = DecodeRules { orient: false, alpha: Alpha::Drop, max_side: None };
/// MT Photos' official service decodes with `OpenCV`, which turns pictures upright and ignores transparency.
pub(super) const UPRIGHT: DecodeRules = DecodeRules { orient: true, alpha: Alpha::Drop, max_side: None };

/// The task as metrics and routes call it.
pub(super) fn label(task: &PictureTask) -> &'static str {
    match task {
        PictureTask::Text { .. } | PictureTask::TextRegions { .. } => "ocr",
        PictureTask::Faces { .. } | PictureTask::FaceRegions { .. } => "facial-recognition",
        PictureTask::Embed { .. } => "clip.visual",
    }
}

/// The model the task is given to; the first, where it needs several.
pub(super) fn model(task: &PictureTask) -> &str {
    match task {
        PictureTask::Text { detection: model, .. }
        | PictureTask::TextRegions { detection: model, .. }
        | PictureTask::Faces { detection: model, .. }
        | PictureTask::FaceRegions { detection: model, .. }
        | PictureTask::Embed { model } => model,
    }
}

/// The task of a sentence.
pub(super) const TEXTUAL: &str = "clip.textual";

/// Default options of a profile.
pub(super) fn options(profile: ocr::Profile) -> ocr::Options {
    match profile {
        ocr::Profile::RapidOcr => ocr::Options::rapidocr(),
        // What Immich's server asks for unless an administrator changed it.
        ocr::Profile::Immich => ocr::Options::immich(0.5, 0.8, 736),
        ocr::Profile::Viewfinder => ocr::Options::viewfinder(),
    }
}

pub(super) fn line(line: ocr::Line) -> wire::Line {
    wire::Line { text: line.text, score: line.score, region_score: line.region_score, corners: line.corners }
}

pub(super) fn region(region: &ocr::Region) -> wire::Region {
    wire::Region { score: region.score, corners: region.corners }
}

pub(super) fn face(face: face::Face) -> wire::Face {
    wire::Face {
        bounds: face.bounds,
        score: face.score,
        landmarks: face.landmarks,
        embedding: face.embedding,
    }
}

/// An answer of another kind than its question: a defect of the backend.
pub(super) fn mismatch() -> EngineError {
    EngineError::new(ErrorCode::Internal, "the engine answered another question than it was asked")
}

/// The lines of text in an answer.
pub(super) fn lines(answer: Option<Result<Answer, EngineError>>) -> Result<Vec<wire::Line>, EngineError> {
    match answer {
        Some(Ok(Answer::Text(lines))) => Ok(lines.into_iter().map(line).collect()),
        Some(Err(error)) => Err(error),
        _ => Err(mismatch()),
    }
}

/// The faces in an answer.
pub(super) fn faces(answer: Option<Result<Answer, EngineError>>) -> Result<Vec<wire::Face>, EngineError> {
    match answer {
        Some(Ok(Answer::Faces(faces))) => Ok(faces.into_iter().map(face).collect()),
        Some(Err(error)) => Err(error),
        _ => Err(mismatch()),
    }
}

/// The vector in an answer.
pub(super) fn vector(answer: Option<Result<Answer, EngineError>>) -> Result<Vec<f32>, EngineError> {
    match answer {
        Some(Ok(Answer::Embedding(vector))) => Ok(vector),
        Some(Err(error)) => Err(error),
        _ => Err(mismatch()),
    }
}
