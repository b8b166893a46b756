//! From an engine's answers to what the catalogue keeps.
use viewfinder_catalog::{FaceRecord, Finding, TextLine, unit};
use viewfinder_core::Answer;

/// An answer about a picture of `size` pixels, upright. `None` for answers to questions that indexing never asks.
pub(crate) fn finding(answer: Answer, size: [usize; 2]) -> Option<Finding> {
    let part = |value: f32, axis: usize| (value / size[axis].max(1) as f32).clamp(0.0, 1.0);
    match answer {
        Answer::Text(lines) => {
            let line = |line: viewfinder_core::ocr::Line| TextLine {
                text: line.text,
                score: line.score as f32,
                corners: line.corners.map(|[x, y]| [part(x, 0), part(y, 1)]),
                corrected: false,
            };
            Some(Finding::Text(lines.into_iter().map(line).collect()))
        }
        Answer::Embedding(vector) => Some(Finding::Embedding(unit(&vector))),
        Answer::Faces(faces) => {
            let face = |face: viewfinder_core::Face| {
                let [left, top, right, bottom] = face.bounds;
                FaceRecord {
                    corners: [part(left, 0), part(top, 1), part(right, 0), part(bottom, 1)],
                    score: face.score,
                    embedding: unit(&face.embedding),
                    person: None,
                }
            };
            Some(Finding::Faces(faces.into_iter().map(face).collect()))
        }
        Answer::TextRegions(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_parts_of_the_picture_and_vectors_of_unit_length() {
        let face = viewfinder_core::Face {
            bounds: [-5.0, 10.0, 50.0, 30.0],
            score: 0.9,
            landmarks: [[0.0; 2]; 5],
            embedding: vec![3.0, 4.0],
        };
        let Some(Finding::Faces(faces)) = finding(Answer::Faces(vec![face]), [100, 20]) else {
            panic!("no faces");
        };
        assert_eq!(faces[0].corners, [0.0, 0.5, 0.5, 1.0]);
        assert_eq!(faces[0].embedding, [0.6, 0.8]);
        assert_eq!(
            finding(Answer::Embedding(vec![0.0, 2.0]), [1, 1]),
            Some(Finding::Embedding(vec![0.0, 1.0]))
        );
    }
}
