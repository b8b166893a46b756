use super::{PHASE_BITS, PHASES, round};
use crate::RgbImage;

/// Positions are computed in 1/1024 pixel before they are rounded to 1/32.
const FINE_BITS: u32 = 10;

/// Warps by an affine map, bilinear, black outside: OpenCV 4's `warpAffine` with its defaults.
///
/// `map` takes source to output positions: x' = m0·x + m1·y + m2, y' = m3·x + m4·y + m5, in pixels whose centres
/// have integer coordinates. The output has `width` × `height` pixels.
///
/// Bit-exact with OpenCV 4.6 to 4.14 (OpenCV 5 uses floating point and differs by some levels).
pub fn affine(image: &RgbImage, map: [f64; 6], width: usize, height: usize) -> RgbImage {
    let inverse = invert(map);
    let fine = f64::from(1 << FINE_BITS);
    let half_step = 1 << (FINE_BITS - PHASE_BITS - 1);
    let steps: Vec<[i32; 2]> = (0..width)
        .map(|x| [round(inverse[0] * x as f64 * fine), round(inverse[3] * x as f64 * fine)])
        .collect();
    let mut data = vec![0; width * height * 3];
    for (y, out) in data.chunks_exact_mut(width.max(1) * 3).enumerate() {
        let start_x = round((inverse[1] * y as f64 + inverse[2]) * fine).wrapping_add(half_step);
        let start_y = round((inverse[4] * y as f64 + inverse[5]) * fine).wrapping_add(half_step);
        for (pixel, step) in out.chunks_exact_mut(3).zip(&steps) {
            let x = start_x.wrapping_add(step[0]) >> (FINE_BITS - PHASE_BITS);
            let y = start_y.wrapping_add(step[1]) >> (FINE_BITS - PHASE_BITS);
            pixel.copy_from_slice(&sample(image, x, y));
        }
    }
    RgbImage::from_raw(width, height, data)
}

/// The inverse of an affine map, with the operations in OpenCV's order; zeros on the diagonal if there is none.
fn invert(map: [f64; 6]) -> [f64; 6] {
    let determinant = map[0] * map[4] - map[1] * map[3];
    let d = if determinant == 0.0 { 0.0 } else { 1.0 / determinant };
    let (a, b, c, e) = (map[4] * d, map[1] * -d, map[3] * -d, map[0] * d);
    [a, b, -a * map[2] - b * map[5], c, e, -c * map[2] - e * map[5]]
}

/// The value at a position in 1/32 pixels; pixels outside the picture count as black.
#[inline]
fn sample(image: &RgbImage, x: i32, y: i32) -> [u8; 3] {
    let (left, top) = ((x >> PHASE_BITS) as isize, (y >> PHASE_BITS) as isize);
    let (fx, fy) = (x & (PHASES as i32 - 1), y & (PHASES as i32 - 1));
    let one = PHASES as i32;
    let weights = [(one - fx) * (one - fy), fx * (one - fy), (one - fx) * fy, fx * fy];
    let (width, height) = (image.width() as isize, image.height() as isize);
    let mut sum = [1 << 9; 3];
    for (index, weight) in weights.into_iter().enumerate() {
        let (x, y) = (left + (index & 1) as isize, top + (index >> 1) as isize);
        if (0..width).contains(&x) && (0..height).contains(&y) {
            let at = (y * width + x) as usize * 3;
            for (sum, &sample) in sum.iter_mut().zip(&image.data()[at..at + 3]) {
                *sum += weight * i32::from(sample);
            }
        }
    }
    sum.map(|sum| (sum >> 10) as u8)
}
