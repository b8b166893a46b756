//! Answers as the official onnx version formats them.
//!
//! The versions differ in small things. Followed here: the onnx version's strings and rounding (`f64` arithmetic,
//! two decimals, shortest form). Not followed: its box sizes, which subtract corners of the four-point box and
//! come out wrong or negative for tilted text; width and height are those of the upright rectangle around the
//! line, as in the cuda version.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    BadVector,
    number::{shortest, truncated, two_decimals},
    upright,
};
use viewfinder_core::{Face, ocr::Line};

/// The body of `/check`, as the onnx version answers it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = MtCheck)]
pub struct Check {
    result: &'static str,
    title: &'static str,
    help: &'static str,
    env_use_dml: bool,
}

/// The key is right and the service is there.
pub const CHECK: Check = Check {
    result: "pass",
    title: "mt-photos-ai服务",
    help: "https://mtmt.tech/docs/advanced/ocr_api",
    env_use_dml: false,
};

/// The body of `/restart` and `/restart_v2`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = MtRestarted)]
pub struct Restarted {
    result: &'static str,
}

/// Done.
pub const RESTARTED: Restarted = Restarted { result: "pass" };

/// The body of a picture that could not be worked on. MT Photos' services say so with status 200.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = MtFailed)]
pub struct Failed {
    /// Empty.
    #[schema(value_type = Vec<Value>)]
    result: [(); 0],
    msg: String,
}

impl Failed {
    /// With the reason in one line.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { result: [], msg: reason.into() }
    }
}

/// Pictures with a longer side than this are refused by `/ocr` and `/represent`, with [`OUT_OF_RANGE`].
pub const LONGEST_SIDE: u32 = 10_000;

/// What the services say of a picture beyond [`LONGEST_SIDE`].
pub const OUT_OF_RANGE: &str = "height or width out of range";

/// The body of `/ocr`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = MtText)]
pub struct TextAnswer {
    result: TextColumns,
}

/// Parallel arrays; every number is a string.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
struct TextColumns {
    texts: Vec<String>,
    scores: Vec<String>,
    boxes: Vec<TextBox>,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
struct TextBox {
    x: String,
    y: String,
    width: String,
    height: String,
}

impl TextAnswer {
    /// Lines of text.
    pub fn new(lines: &[Line]) -> Self {
        let text_box = |line: &Line| {
            let [left, top, right, bottom] = upright(&line.corners);
            let [x, y, width, height] =
                [left, top, right - left, bottom - top].map(|value| shortest(two_decimals(value)));
            TextBox { x, y, width, height }
        };
        Self {
            result: TextColumns {
                texts: lines.iter().map(|line| line.text.clone()).collect(),
                scores: lines.iter().map(|line| format!("{:.2}", line.score)).collect(),
                boxes: lines.iter().map(text_box).collect(),
            },
        }
    }
}

/// The body of `/clip/img` and `/clip/txt`: components as strings of 16 decimals, not normalised.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = MtVector)]
pub struct VectorAnswer {
    result: Vec<String>,
}

impl VectorAnswer {
    /// A model's vector as it came.
    pub fn new(vector: &[f32]) -> Result<Self, BadVector> {
        if vector.is_empty() || vector.iter().any(|component| !component.is_finite()) {
            return Err(BadVector);
        }
        Ok(Self { result: vector.iter().map(|component| format!("{:.16}", f64::from(*component))).collect() })
    }
}

/// The body of `/represent`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = MtFaces)]
pub struct FaceAnswer {
    detector_backend: String,
    recognition_model: String,
    result: Vec<Represented>,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
struct Represented {
    /// Of unit length.
    embedding: Vec<f64>,
    facial_area: Area,
    face_confidence: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct Area {
    x: i64,
    y: i64,
    w: i64,
    h: i64,
}

/// What `/represent` and `/face/check` call the detector.
pub const DETECTOR_BACKEND: &str = "insightface";

impl FaceAnswer {
    /// Faces found by the named pack, best first.
    pub fn new(pack: &str, faces: &[Face]) -> Result<Self, BadVector> {
        Ok(Self {
            detector_backend: DETECTOR_BACKEND.to_owned(),
            recognition_model: pack.to_owned(),
            result: faces.iter().map(Represented::new).collect::<Result<_, _>>()?,
        })
    }
}

impl Represented {
    fn new(face: &Face) -> Result<Self, BadVector> {
        let [left, top, right, bottom] = face.bounds;
        let area = [left, top, right - left, bottom - top].map(truncated);
        Ok(Self {
            embedding: unit(&face.embedding)?,
            facial_area: Area { x: area[0], y: area[1], w: area[2], h: area[3] },
            face_confidence: f64::from(face.score),
        })
    }
}

/// The vector divided by its length in `f32`, then widened, which is what the services print.
fn unit(vector: &[f32]) -> Result<Vec<f64>, BadVector> {
    let length = vector.iter().map(|component| f64::from(*component).powi(2)).sum::<f64>().sqrt() as f32;
    if !(length.is_finite() && length > 0.0) {
        return Err(BadVector);
    }
    Ok(vector.iter().map(|component| f64::from(component / length)).collect())
}

/// The body of `/face/check`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = MtFaceCheck)]
pub struct FaceCheck {
    title: &'static str,
    link: &'static str,
    detector_backend: &'static str,
    recognition_model: String,
}

impl FaceCheck {
    /// For the pack in use.
    pub fn new(pack: &str) -> Self {
        Self {
            title: "Viewfinder",
            link: env!("CARGO_PKG_REPOSITORY"),
            detector_backend: DETECTOR_BACKEND,
            recognition_model: pack.to_owned(),
        }
    }
}
