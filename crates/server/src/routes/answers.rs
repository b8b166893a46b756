//! What the protocols' tasks are, and what their answers hold.

use viewfinder_core::{Answer, Face, TaskError, ocr};

/// Default options of a profile.
pub(super) fn options(profile: ocr::Profile) -> ocr::Options {
    match profile {
        ocr::Profile::RapidOcr => ocr::Options::rapidocr(),
        // What Immich's server asks for unless an administrator changed it.
        ocr::Profile::Immich => ocr::Options::immich(0.5, 0.8, 736),
        ocr::Profile::Viewfinder => ocr::Options::viewfinder(),
    }
}

/// The lines of text in an answer.
pub(super) fn lines(answer: Option<Result<Answer, TaskError>>) -> Result<Vec<ocr::Line>, TaskError> {
    answer.unwrap_or_else(|| Err(TaskError::another_answer()))?.into_lines()
}

/// The faces in an answer.
pub(super) fn faces(answer: Option<Result<Answer, TaskError>>) -> Result<Vec<Face>, TaskError> {
    answer.unwrap_or_else(|| Err(TaskError::another_answer()))?.into_faces()
}

/// The vector in an answer.
pub(super) fn vector(answer: Option<Result<Answer, TaskError>>) -> Result<Vec<f32>, TaskError> {
    answer.unwrap_or_else(|| Err(TaskError::another_answer()))?.into_embedding()
}
