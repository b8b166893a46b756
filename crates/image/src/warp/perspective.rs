use std::sync::LazyLock;

use super::{PHASE_BITS, PHASES, homography, round};
use crate::RgbImage;
use crate::accelerate::accelerated;

/// Kernel weights are fractions of 2^15.
const WEIGHT_BITS: u32 = 15;

/// Weights of the 4 × 4 pixels around a position, for each of 32 × 32 phases (vertical phase first), each one
/// written three times so that it lies above the three samples of its pixel.
static KERNELS: LazyLock<Vec<[[i16; 12]; 4]>> = LazyLock::new(kernels);

/// Cuts a quadrilateral out and straightens it: bicubic, edge pixels repeated outside the picture, as OpenCV 4's
/// `getPerspectiveTransform` and `warpPerspective` (`INTER_CUBIC`, `BORDER_REPLICATE`).
///
/// `corners` are top left, top right, bottom right and bottom left in pixels; they are mapped to (0, 0),
/// (`width`, 0), (`width`, `height`) and (0, `height`).
///
/// Bit-exact with OpenCV 4.6 to 4.14 (OpenCV 5 uses floating point and differs by some levels).
///
/// # Panics
/// If the picture has no pixels while the result should have some.
pub fn perspective(image: &RgbImage, corners: [[f32; 2]; 4], width: usize, height: usize) -> RgbImage {
    if width == 0 || height == 0 {
        return RgbImage::filled(width, height, [0; 3]);
    }
    assert!(!image.data().is_empty(), "a picture without pixels cannot be warped");
    let map = homography::inverse(corners, width as f64, height as f64);
    let mut data = vec![0; width * height * 3];
    for (y, row) in data.chunks_exact_mut(width * 3).enumerate() {
        warp_row(image, &map, y, height, &KERNELS, row);
    }
    RgbImage::from_raw(width, height, data)
}

accelerated! {
    fn warp_row(image: &RgbImage, map: &[f64; 9], y: usize, height: usize, kernels: &[[[i16; 12]; 4]], row: &mut [u8]) {
        // OpenCV restarts its sums at every block of columns, which shows in the last bit.
        let block = (1024 / height.min(16)).min(row.len() / 3);
        let mut positions = [[0i32; 2]; 1024];
        for (index, out) in row.chunks_mut(block * 3).enumerate() {
            let positions = &mut positions[..out.len() / 3];
            project(map, (index * block) as f64, y as f64, positions);
            for (pixel, &[x, y]) in out.chunks_exact_mut(3).zip(positions.iter()) {
                let phase = (y as usize % PHASES) * PHASES + x as usize % PHASES;
                pixel.copy_from_slice(&sample(image, x >> PHASE_BITS, y >> PHASE_BITS, &kernels[phase]));
            }
        }
    }
}

/// Source positions, in 1/32 pixel, of the output pixels from (`x`, `y`) to the right.
#[inline(always)]
fn project(map: &[f64; 9], x: f64, y: f64, positions: &mut [[i32; 2]]) {
    let start = |row: usize| map[row] * x + map[row + 1] * y + map[row + 2];
    let (start_x, start_y, start_w) = (start(0), start(3), start(6));
    for (step, position) in positions.iter_mut().enumerate() {
        let step = f64::from(step as u32);
        let w = start_w + map[6] * step;
        let scale = if w == 0.0 { 0.0 } else { PHASES as f64 / w };
        *position = [round((start_x + map[0] * step) * scale), round((start_y + map[3] * step) * scale)];
    }
}

/// The weighted mean of the 4 × 4 pixels from one left and above of (`x`, `y`).
#[inline(always)]
fn sample(image: &RgbImage, x: i32, y: i32, kernel: &[[i16; 12]; 4]) -> [u8; 3] {
    let (width, height) = (image.width(), image.height());
    let data = image.data();
    let mut sums = [0i32; 12];
    let mut add = |samples: &[u8; 12], weights: &[i16; 12]| {
        for ((sum, &sample), &weight) in sums.iter_mut().zip(samples).zip(weights) {
            *sum += i32::from(sample) * i32::from(weight);
        }
    };
    let inside = x >= 1 && y >= 1 && (x as usize) + 2 < width && (y as usize) + 2 < height;
    if inside {
        let first = ((y as usize - 1) * width + x as usize - 1) * 3;
        for (row, weights) in kernel.iter().enumerate() {
            let at = first + row * width * 3;
            if let Some(samples) = data[at..].first_chunk() {
                add(samples, weights);
            }
        }
    } else {
        let clamp = |at: i32, offset: usize, size: usize| {
            (i64::from(at) - 1 + offset as i64).clamp(0, size as i64 - 1) as usize
        };
        for (row, weights) in kernel.iter().enumerate() {
            let line = image.row(clamp(y, row, height));
            let mut samples = [0; 12];
            for (column, pixel) in samples.chunks_exact_mut(3).enumerate() {
                let at = clamp(x, column, width) * 3;
                pixel.copy_from_slice(&line[at..at + 3]);
            }
            add(&samples, weights);
        }
    }
    std::array::from_fn(|channel| {
        let sum: i32 = (0..4).map(|column| sums[column * 3 + channel]).sum();
        ((sum + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS).clamp(0, 255) as u8
    })
}

/// One-dimensional cubic weights (a = -0.75) for a position `x` beyond the second of four pixels.
fn cubic(x: f32) -> [f32; 4] {
    const A: f32 = -0.75;
    let outer = ((A * (x + 1.0) - 5.0 * A) * (x + 1.0) + 8.0 * A) * (x + 1.0) - 4.0 * A;
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let (second, third) = (near(x), near(1.0 - x));
    [outer, second, third, 1.0 - outer - second - third]
}

fn kernels() -> Vec<[[i16; 12]; 4]> {
    let phases: Vec<[f32; 4]> = (0..PHASES).map(|phase| cubic(phase as f32 / PHASES as f32)).collect();
    let mut kernels = Vec::with_capacity(PHASES * PHASES);
    for vertical in &phases {
        for horizontal in &phases {
            let kernel = kernel(vertical, horizontal);
            kernels.push(kernel.map(|row| std::array::from_fn(|sample| row[sample / 3])));
        }
    }
    kernels
}

/// Fixed-point weights whose sum is exactly one: what rounding loses or adds is put right on one of the four
/// pixels from the third row and column on, the largest when the sum is short, the smallest when it is over.
fn kernel(vertical: &[f32; 4], horizontal: &[f32; 4]) -> [[i16; 4]; 4] {
    const ONE: i32 = 1 << WEIGHT_BITS;
    let weights = vertical.map(|v| horizontal.map(|h| (v * h * ONE as f32).round_ties_even() as i32));
    let mut kernel =
        weights.map(|row| row.map(|weight| weight.clamp(i16::MIN.into(), i16::MAX.into()) as i16));
    let missing = ONE - kernel.iter().flatten().map(|&weight| i32::from(weight)).sum::<i32>();
    if missing != 0 {
        let (mut largest, mut smallest) = ((2, 2), (2, 2));
        for row in 2..4 {
            for column in 2..4 {
                let weight = kernel[row][column];
                if weight < kernel[smallest.0][smallest.1] {
                    smallest = (row, column);
                } else if weight > kernel[largest.0][largest.1] {
                    largest = (row, column);
                }
            }
        }
        let (row, column) = if missing > 0 { largest } else { smallest };
        kernel[row][column] += missing as i16;
    }
    kernel
}
