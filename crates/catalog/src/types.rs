//! What the catalogue holds, as plain data.
use serde::{Deserialize, Serialize};

use crate::view::rfc3339;

/// Number of an asset in its store; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AssetId(pub i64);

/// Number of a group of faces that are one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PersonId(pub i64);

/// SHA-256 of a file's bytes.
pub type ContentHash = [u8; 32];

/// Where a file lies and how to tell whether it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// Absolute path. Paths that are not UTF-8 are not indexed.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Time of the last change in nanoseconds since 1970, as the file system tells it.
    pub modified_ns: i64,
    /// Hash of the content.
    pub hash: ContentHash,
}

/// What the header of a picture or video tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// Pixels, upright as EXIF says; none where the file could not be read.
    pub width: Option<u32>,
    /// Pixels, upright as EXIF says.
    pub height: Option<u32>,
    /// When it was taken, in milliseconds since 1970 on a clock at the place (EXIF tells no time zone); the file's time
    /// where the picture tells none.
    pub taken_ms: Option<i64>,
}

/// A photo or video in the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Asset {
    /// Its number.
    pub id: AssetId,
    /// Its file.
    pub file: FileRecord,
    /// Its size and time.
    pub properties: Properties,
    /// State of its text, vector and faces, in the order of [`AnalysisKind::ALL`].
    pub states: [AnalysisState; 3],
}

/// The kinds of analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum AnalysisKind {
    /// Text recognition.
    Ocr,
    /// The vector of what the picture shows.
    Clip,
    /// Faces.
    Faces,
}

impl AnalysisKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Ocr, Self::Clip, Self::Faces];

    /// The name in commands, in the API and in stores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ocr => "ocr",
            Self::Clip => "clip",
            Self::Faces => "faces",
        }
    }
}

/// How far one kind of analysis of one asset is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum AnalysisState {
    /// Not tried yet, or to be done again.
    #[default]
    Never,
    /// Done.
    Done {
        /// Model and its version, such as `PP-OCRv6_small` or `cn-clip/ViT-B-16@int8`.
        model: String,
        /// When it was done.
        #[serde(rename = "at", serialize_with = "rfc3339")]
        #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
        at_ms: i64,
    },
    /// Tried, and failed for good.
    Failed {
        /// The model that was asked.
        model: String,
        /// Stable code of the error, such as `image_undecodable`.
        code: String,
        /// The error in one line.
        message: String,
        /// When it failed.
        #[serde(rename = "at", serialize_with = "rfc3339")]
        #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
        at_ms: i64,
    },
}

/// A line of text in a picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TextLine {
    /// What it says.
    pub text: String,
    /// Confidence of the recognition, 0 to 1; 1 for a line corrected by hand.
    pub score: f32,
    /// Corners, clockwise from the text's upper left, as fractions of width and height of the upright picture.
    #[serde(rename = "box")]
    pub corners: [[f32; 2]; 4],
    /// Was it corrected by a person? Such lines survive a new recognition.
    pub corrected: bool,
}

/// A face in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceRecord {
    /// Left, top, right, bottom as fractions of the upright picture.
    pub corners: [f32; 4],
    /// Confidence, 0 to 1.
    pub score: f32,
    /// Unit vector of the recogniser.
    pub embedding: Vec<f32>,
    /// Whose face, once grouped.
    pub person: Option<PersonId>,
}

/// A face that belongs to nobody yet.
#[derive(Clone, Debug, PartialEq)]
pub struct UnassignedFace {
    /// Its picture.
    pub asset: AssetId,
    /// Its place among the picture's faces.
    pub place: usize,
    /// Unit vector of the recogniser.
    pub embedding: Vec<f32>,
    /// Persons whose it is not, as somebody said.
    pub not: Vec<PersonId>,
}

/// Where a face of a person is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PersonFace {
    /// Its picture.
    pub asset: AssetId,
    /// Its place among the picture's faces.
    pub place: usize,
    /// Left, top, right, bottom as fractions of the upright picture.
    pub corners: [f32; 4],
    /// Confidence, 0 to 1.
    pub score: f32,
}

/// The vector scaled to length 1, as the catalogue keeps vectors; one without a direction stays as it is.
pub fn unit(vector: &[f32]) -> Vec<f32> {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 1.0 };
    vector.iter().map(|value| (f64::from(*value) * scale) as f32).collect()
}

/// What one analysis found.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// Lines in reading order.
    Text(Vec<TextLine>),
    /// A vector of unit length.
    Embedding(Vec<f32>),
    /// Faces, best first.
    Faces(Vec<FaceRecord>),
    /// It failed for good: code and message.
    Failure {
        /// Which analysis.
        kind: AnalysisKind,
        /// Stable code.
        code: String,
        /// The error in one line.
        message: String,
    },
}

impl Finding {
    /// Which analysis found it, or failed.
    pub fn kind(&self) -> AnalysisKind {
        match self {
            Self::Text(_) => AnalysisKind::Ocr,
            Self::Embedding(_) => AnalysisKind::Clip,
            Self::Faces(_) => AnalysisKind::Faces,
            Self::Failure { kind, .. } => *kind,
        }
    }
}

/// One analysis of one asset, to be recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The asset.
    pub asset: AssetId,
    /// Content that was analysed: an outcome for other content than the asset has now is ignored.
    pub hash: ContentHash,
    /// Model and its version.
    pub model: String,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// What was found.
    pub finding: Finding,
}
