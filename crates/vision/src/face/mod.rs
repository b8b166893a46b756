//! Faces: where they are ([`detect()`]) and who they look like ([`embed()`]).
//!
//! InsightFace's pipeline: an SCRFD detector over a 640×640 letterbox gives boxes and five points; the points
//! align each face to a 112×112 picture; an `ArcFace` network turns that into a vector.

mod align;
mod detect;
mod embed;
mod nms;

pub use align::{Similarity, aligned, similarity, template};
pub use detect::detect;
pub use embed::{Recognition, embed, embed_with};
pub use nms::{MAX_CANDIDATES, suppress};

use viewfinder_core::{ErrorCode, TaskError};

use crate::NetworkError;

/// Why faces could not be found or embedded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FaceError {
    /// The network failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The picture has no pixels.
    #[error("the picture is empty")]
    EmptyPicture,
    /// The network is not a detector of the SCRFD family.
    #[error("not a face detector: {0}")]
    Detector(String),
    /// The network is not an ArcFace-like recogniser.
    #[error("not a face recogniser: {0}")]
    Recognizer(String),
    /// The five points of a face coincide or are not numbers, so that it cannot be aligned.
    #[error("a face has no usable landmarks")]
    Landmarks,
}

impl From<FaceError> for TaskError {
    fn from(error: FaceError) -> Self {
        match error {
            FaceError::Network(error) => error.into(),
            FaceError::EmptyPicture => Self::new(ErrorCode::ImageZeroSize, error),
            error => Self::new(ErrorCode::ModelBroken, error),
        }
    }
}
