//! From tasks to Immich's words for them, and from its replies to their answers.

use viewfinder_core::{Answer, Face, PictureTask, ocr};
use viewfinder_wire::immich::{FoundFaces, FoundText, Reply, Task, TextDetection, TextRecognition};

use crate::nodes::NodeError;

/// Components of a face's vector, in every protocol here and in the databases behind them.
const FACE_VECTOR: usize = 512;

/// Immich's word for a task.
pub(crate) fn task(task: &PictureTask) -> Task {
    match task {
        PictureTask::Text { detection, recognition, options } => Task::Text {
            detection: text_detection(detection, options),
            recognition: Some(TextRecognition {
                model: recognition.clone(),
                min_score: options.recognition_min_score,
            }),
        },
        PictureTask::TextRegions { detection, options } => {
            Task::Text { detection: text_detection(detection, options), recognition: None }
        }
        PictureTask::Faces { detection, recognition, min_score } => Task::Faces {
            detection: detection.clone(),
            min_score: *min_score,
            recognition: Some(recognition.clone()),
        },
        PictureTask::FaceRegions { detection, min_score } => {
            Task::Faces { detection: detection.clone(), min_score: *min_score, recognition: None }
        }
        PictureTask::Embed { model } => Task::ClipVisual { model: model.clone() },
    }
}

fn text_detection(model: &str, options: &ocr::Options) -> TextDetection {
    TextDetection {
        model: model.to_owned(),
        min_score: options.detection_min_score,
        max_resolution: options.max_resolution,
        exact_scores: options.score_mode == ocr::ScoreMode::Slow,
    }
}

/// Takes a task's answer out of Immich's, whose size in pixels is `size`.
pub(crate) fn answer(task: &PictureTask, reply: &mut Reply, size: [usize; 2]) -> Result<Answer, NodeError> {
    match task {
        PictureTask::Text { .. } => match reply.text.take() {
            Some(FoundText::Read(lines)) => Ok(Answer::Text(lines.in_pixels(size))),
            other => Err(another(other.is_some())),
        },
        PictureTask::TextRegions { .. } => match reply.text.take() {
            Some(FoundText::Detected(regions)) => Ok(Answer::TextRegions(regions)),
            other => Err(another(other.is_some())),
        },
        PictureTask::Faces { .. } => match reply.faces.take() {
            Some(FoundFaces::Recognised(faces)) => recognised(faces),
            other => Err(another(other.is_some())),
        },
        PictureTask::FaceRegions { .. } => match reply.faces.take() {
            Some(FoundFaces::Detected(faces)) => Ok(Answer::Faces(faces)),
            other => Err(another(other.is_some())),
        },
        PictureTask::Embed { .. } => reply.clip.take().map(Answer::Embedding).ok_or_else(|| another(false)),
    }
}

/// An answer to another question than the one asked.
fn another(there: bool) -> NodeError {
    let what = if there { "an answer has another shape than was asked for" } else { "an answer is missing" };
    NodeError::Garbage(what.to_owned())
}

/// Faces with their vectors.
pub(crate) fn recognised(faces: Vec<Face>) -> Result<Answer, NodeError> {
    if let Some(face) = faces.iter().find(|face| face.embedding.len() != FACE_VECTOR) {
        let length = face.embedding.len();
        return Err(NodeError::Garbage(format!("the vector of a face has {length} components")));
    }
    Ok(Answer::Faces(faces))
}
