use crate::{TaskError, ocr};

/// The answer to one [`PictureTask`](crate::PictureTask).
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

impl Answer {
    /// The lines of text.
    ///
    /// # Errors
    /// As its siblings: an answer of another kind than its question is a defect of the backend.
    pub fn into_lines(self) -> Result<Vec<ocr::Line>, TaskError> {
        if let Self::Text(lines) = self { Ok(lines) } else { Err(TaskError::another_answer()) }
    }

    /// The faces.
    pub fn into_faces(self) -> Result<Vec<Face>, TaskError> {
        if let Self::Faces(faces) = self { Ok(faces) } else { Err(TaskError::another_answer()) }
    }

    /// The vector.
    pub fn into_embedding(self) -> Result<Vec<f32>, TaskError> {
        if let Self::Embedding(vector) = self { Ok(vector) } else { Err(TaskError::another_answer()) }
    }
}

/// Everything found out about one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureAnswer {
    /// Width in pixels of the decoded (and, where asked for, upright) picture.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// One answer per task, in the order of the tasks. A task that failed leaves the others be.
    pub answers: Vec<Result<Answer, TaskError>>,
}

/// One face. Coordinates are pixels of the picture, x to the right and y down, and are not clipped: a face at
/// the edge may reach outside.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Face {
    /// Left, top, right, bottom.
    pub bounds: [f32; 4],
    /// The detector's confidence, 0…1.
    pub score: f32,
    /// Left eye, right eye, nose, left and right corner of the mouth, left and right as seen in the picture.
    pub landmarks: [[f32; 2]; 5],
    /// The recogniser's vector, not of unit length; empty until it is embedded.
    pub embedding: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    #[test]
    fn an_answer_is_taken_for_what_it_is_and_for_nothing_else() {
        let corners = [[0.0; 2]; 4];
        let line = ocr::Line { text: "a".into(), score: 0.5, region_score: 0.5, corners };
        let face = Face { bounds: [0.0; 4], score: 0.5, landmarks: [[0.0; 2]; 5], embedding: vec![] };
        let (lines, faces, vector) = (
            Answer::Text(vec![line.clone()]),
            Answer::Faces(vec![face.clone()]),
            Answer::Embedding(vec![0.5, 2.0]),
        );
        assert_eq!(lines.clone().into_lines(), Ok(vec![line]));
        assert_eq!(faces.clone().into_faces(), Ok(vec![face]));
        assert_eq!(vector.clone().into_embedding(), Ok(vec![0.5, 2.0]));
        for wrong in [
            faces.into_lines().map(drop),
            vector.into_faces().map(drop),
            lines.into_embedding().map(drop),
            Answer::TextRegions(vec![]).into_lines().map(drop),
        ] {
            assert_eq!(wrong.unwrap_err().code, ErrorCode::Internal);
        }
    }
}
