//! Foreign protocols as plain types: Immich, MT Photos, and the seed stack's legacy gateway.
//!
//! Each protocol reads requests into plain types and writes answers from [`Line`], [`Face`] and vectors, in the
//! number formats its clients expect. For those who ask instead of answer, Immich's and MT Photos' go the other way
//! too: requests are written, and answers read back. Nothing here knows of HTTP or of models.

pub mod immich;
pub mod legacy_gateway;
pub mod mt_photos;

mod number;
mod reply;

pub use reply::BadReply;

/// One line of text in a picture, as every protocol can say it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What is written there.
    pub text: String,
    /// Confidence of the recogniser, 0 to 1.
    pub score: f64,
    /// Confidence of the detector, 0 to 1.
    pub region_score: f32,
    /// Top left, top right, bottom right, bottom left, in pixels.
    pub corners: [[f32; 2]; 4],
}

/// One face in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Face {
    /// Left, top, right, bottom in pixels; may lie beyond the picture.
    pub bounds: [f32; 4],
    /// Confidence of the detector, 0 to 1.
    pub score: f32,
    /// Left eye, right eye, nose, left and right corner of the mouth, in pixels.
    pub landmarks: [[f32; 2]; 5],
    /// The recogniser's vector, not normalised; empty if none was asked for.
    pub embedding: Vec<f32>,
}

/// A text region without its text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// Confidence of the detector, 0 to 1.
    pub score: f32,
    /// Top left, top right, bottom right, bottom left, in pixels.
    pub corners: [[f32; 2]; 4],
}

/// A vector that no protocol can carry: a component is NaN or infinite, or it has no direction.
///
/// Databases refuse such vectors long after the request succeeded, so it is refused here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model returned a vector that is not finite or has no length")]
pub struct BadVector;

/// The smallest upright rectangle around four corners: left, top, right, bottom.
fn upright(corners: &[[f32; 2]; 4]) -> [f64; 4] {
    let fold = |axis: usize, pick: fn(f64, f64) -> f64| {
        corners.iter().map(|corner| f64::from(corner[axis])).reduce(pick).unwrap_or_default()
    };
    [fold(0, f64::min), fold(1, f64::min), fold(0, f64::max), fold(1, f64::max)]
}
