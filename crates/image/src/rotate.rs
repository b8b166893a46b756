//! Turns by quarter circles.

use crate::RgbImage;
use crate::orientation::rearrange;

/// A quarter turn counter-clockwise: the right edge becomes the top.
pub fn ccw90(image: &RgbImage) -> RgbImage {
    rearrange(image, true, true, false)
}

/// A quarter turn clockwise: the left edge becomes the top.
pub fn cw90(image: &RgbImage) -> RgbImage {
    rearrange(image, true, false, true)
}

/// Half a turn.
pub fn half(image: &RgbImage) -> RgbImage {
    rearrange(image, false, true, true)
}
