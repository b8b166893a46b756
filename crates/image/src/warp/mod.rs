//! Pictures through affine and perspective maps, in the fixed-point arithmetic of OpenCV 4, and in Pillow's where a
//! reference uses that.

mod affine;
mod homography;
mod null_vector;
mod perspective;
mod pillow;

pub use affine::affine;
pub use perspective::perspective;
pub use pillow::perspective_pillow;

/// Positions are rounded to 1/32 of a pixel.
const PHASE_BITS: u32 = 5;
const PHASES: usize = 1 << PHASE_BITS;

/// Rounds to the nearest integer, halves to even, saturating; NaN becomes some integer.
///
/// Adding 1.5 · 2^52 makes the addition itself round and leaves the integer in the low bits of the sum, which
/// needs no instruction beyond SSE2.
#[inline(always)]
fn round(value: f64) -> i32 {
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    (value.clamp(f64::from(i32::MIN), f64::from(i32::MAX)) + MAGIC).to_bits() as i32
}

#[cfg(test)]
mod tests {
    use super::round;

    #[test]
    fn rounds_like_round_ties_even() {
        let values = [0.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.499_999, 1e9, -1e9, 1e300, -1e300, 12345.678];
        for value in values {
            assert_eq!(round(value), value.round_ties_even() as i32, "{value}");
        }
        round(f64::NAN);
    }
}
