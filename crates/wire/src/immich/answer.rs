use serde::Serialize;
use utoipa::ToSchema;

use crate::{BadVector, legacy_gateway};
use viewfinder_core::{Face, ocr::Line, ocr::Region};

/// The body of a successful `/predict`: one key per task, then the size of the picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = ImmichAnswer)]
pub struct Answer {
    /// A vector: a JSON array of numbers, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub clip: Option<String>,
    /// Faces: a list with detection and recognition; parallel arrays with detection alone.
    #[serde(rename = "facial-recognition", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = FaceList)]
    pub faces: Option<FaceList>,
    /// Text: parallel arrays, or one string for the forked Immich.
    #[serde(rename = "ocr", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = TextList)]
    pub text: Option<TextList>,
    /// Only beside [`TextList::Joined`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = legacy_gateway::Lines)]
    pub result: Option<legacy_gateway::Lines>,
    /// Height of the picture in pixels; absent for sentences.
    #[serde(rename = "imageHeight", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = usize)]
    pub height: Option<usize>,
    /// Width of the picture in pixels; absent for sentences.
    #[serde(rename = "imageWidth", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = usize)]
    pub width: Option<usize>,
}

impl Answer {
    /// Writes a vector as Immich passes it to its database unread: a JSON array inside a string.
    ///
    /// Each component is the shortest decimal that reads back as the same `f32`.
    pub fn vector(components: &[f32]) -> Result<String, BadVector> {
        if components.is_empty() || components.iter().any(|component| !component.is_finite()) {
            return Err(BadVector);
        }
        serde_json::to_string(components).map_err(|_| BadVector)
    }
}

/// What was found out about faces.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum FaceList {
    /// Detection and recognition.
    Recognised(Vec<RecognisedFace>),
    /// Detection alone.
    Detected(DetectedFaces),
}

/// A face with its vector.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RecognisedFace {
    #[serde(rename = "boundingBox")]
    bounds: Bounds,
    embedding: String,
    score: f32,
}

/// Integral values: the server inserts them into integer columns, and one fraction fails the whole job.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
struct Bounds {
    x1: f32,
    y1: f32,
    x2: f32,
    y2: f32,
}

/// Faces without vectors, as parallel arrays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct DetectedFaces {
    boxes: Vec<[f32; 4]>,
    scores: Vec<f32>,
    landmarks: Vec<[[f32; 2]; 5]>,
}

/// Half to even, as the reference rounds; never a negative zero.
fn integral(value: f32) -> f32 {
    value.round_ties_even() + 0.0
}

impl FaceList {
    /// Faces with their vectors, in the order given (best first).
    pub fn recognised(faces: &[Face]) -> Result<Self, BadVector> {
        faces
            .iter()
            .map(|face| {
                let [x1, y1, x2, y2] = face.bounds.map(integral);
                let embedding = Answer::vector(&face.embedding)?;
                Ok(RecognisedFace { bounds: Bounds { x1, y1, x2, y2 }, embedding, score: face.score })
            })
            .collect::<Result<_, _>>()
            .map(Self::Recognised)
    }

    /// Faces without vectors.
    pub fn detected(faces: &[Face]) -> Self {
        Self::Detected(DetectedFaces {
            boxes: faces.iter().map(|face| face.bounds.map(integral)).collect(),
            scores: faces.iter().map(|face| face.score).collect(),
            landmarks: faces.iter().map(|face| face.landmarks).collect(),
        })
    }
}

/// What was found out about text.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum TextList {
    /// Detection and recognition.
    Read(ReadText),
    /// Detection alone.
    Detected(DetectedText),
    /// For the forked Immich: all texts, joined by one space.
    Joined(String),
}

/// Lines of text as parallel arrays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ReadText {
    /// What each line says.
    pub text: Vec<String>,
    /// Eight numbers a line: the four corners, clockwise from the top left, as shares of width and height.
    #[serde(rename = "box")]
    pub corners: Vec<f32>,
    /// Confidence of the detector, 0 to 1.
    #[serde(rename = "boxScore")]
    pub region_scores: Vec<f32>,
    /// Confidence of the recogniser, 0 to 1.
    #[serde(rename = "textScore")]
    pub scores: Vec<f64>,
}

/// Text regions as parallel arrays, corners in pixels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct DetectedText {
    boxes: Vec<[[f32; 2]; 4]>,
    scores: Vec<f32>,
}

impl TextList {
    /// Lines in a picture of the given size in pixels.
    pub fn read(lines: &[Line], width: usize, height: usize) -> Self {
        Self::Read(ReadText::of(lines, width, height))
    }

    /// Regions without text.
    pub fn detected(regions: &[Region]) -> Self {
        Self::Detected(DetectedText {
            boxes: regions.iter().map(|region| region.corners).collect(),
            scores: regions.iter().map(|region| region.score).collect(),
        })
    }
}

impl ReadText {
    /// Lines in a picture of the given size in pixels.
    pub fn of(lines: &[Line], width: usize, height: usize) -> Self {
        let size = [width.max(1) as f32, height.max(1) as f32];
        Self {
            // The server's database cannot store NUL.
            text: lines.iter().map(|line| line.text.replace('\0', "")).collect(),
            corners: lines
                .iter()
                .flat_map(|line| line.corners)
                .flat_map(|[x, y]| [x / size[0], y / size[1]])
                .collect(),
            region_scores: lines.iter().map(|line| line.region_score).collect(),
            scores: lines.iter().map(|line| (line.score * 1e5).round_ties_even() / 1e5).collect(),
        }
    }
}
