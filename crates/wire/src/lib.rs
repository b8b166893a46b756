//! Foreign protocols as plain types: Immich, MT Photos, and the older Go gateway.
//!
//! Each protocol reads requests into plain types and writes answers from `core`'s lines, faces and vectors, in the
//! number formats its clients expect. For those who ask instead of answer, Immich's and MT Photos' go the other way
//! too: requests are written, and answers read back. Nothing here knows of HTTP or of models.

pub mod immich;
pub mod legacy_gateway;
pub mod mt_photos;

mod number;
mod reply;

pub use reply::BadReply;

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
