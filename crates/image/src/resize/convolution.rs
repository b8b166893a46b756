use crate::RgbImage;
use crate::accelerate::accelerated;

/// Weights are fractions of 2^22, so that a sum over 8-bit samples with some overshoot fits in 32 bits.
const WEIGHT_BITS: u32 = 22;

/// Rows that the horizontal pass works on at once, one per vector lane.
const LANES: usize = 8;

/// Scales as Pillow's `BICUBIC`: a cubic kernel (a = -0.5) that is widened when shrinking, so it anti-aliases.
///
/// Bit-exact with Pillow 10.4 to 12.3: columns first, then rows, rounded to 8 bits in between.
///
/// # Panics
/// If the picture has no pixels while the result should have some.
pub fn bicubic(image: &RgbImage, width: usize, height: usize) -> RgbImage {
    convolve(image, width, height, 2.0, |x| {
        const A: f64 = -0.5;
        let x = x.abs();
        if x < 1.0 {
            ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
        } else if x < 2.0 {
            (((x - 5.0) * x + 8.0) * x - 4.0) * A
        } else {
            0.0
        }
    })
}

/// Scales as Pillow's `LANCZOS`: a windowed sinc of three lobes that is widened when shrinking.
///
/// Bit-exact with Pillow like [`bicubic`].
///
/// # Panics
/// If the picture has no pixels while the result should have some.
pub fn lanczos(image: &RgbImage, width: usize, height: usize) -> RgbImage {
    fn sinc(x: f64) -> f64 {
        if x == 0.0 {
            return 1.0;
        }
        let x = x * std::f64::consts::PI;
        x.sin() / x
    }
    convolve(
        image,
        width,
        height,
        3.0,
        |x| {
            if (-3.0..3.0).contains(&x) { sinc(x) * sinc(x / 3.0) } else { 0.0 }
        },
    )
}

fn convolve(
    image: &RgbImage,
    width: usize,
    height: usize,
    support: f64,
    kernel: impl Fn(f64) -> f64,
) -> RgbImage {
    if width == 0 || height == 0 {
        return RgbImage::filled(width, height, [0; 3]);
    }
    assert!(!image.data().is_empty(), "a picture without pixels cannot be enlarged");
    let across = (width != image.width())
        .then(|| scale_columns(image, &Taps::new(image.width(), width, support, &kernel)));
    let image = across.as_ref().unwrap_or(image);
    if height == image.height() {
        return image.clone();
    }
    scale_rows(image, &Taps::new(image.height(), height, support, &kernel))
}

/// For every output position of one axis, the source pixels it is made of and their weights.
struct Taps {
    /// First source pixel, and where the weights start and end.
    spans: Vec<(usize, usize, usize)>,
    weights: Vec<i32>,
}

impl Taps {
    fn new(source: usize, target: usize, support: f64, kernel: impl Fn(f64) -> f64) -> Self {
        let scale = source as f64 / target as f64;
        let widening = scale.max(1.0);
        let support = support * widening;
        let mut spans = Vec::with_capacity(target);
        let mut weights = Vec::new();
        let mut values = Vec::new();
        for index in 0..target {
            let centre = (index as f64 + 0.5) * scale;
            // Conversion to usize truncates and stops at zero.
            let first = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(source);
            values.clear();
            values.extend((first..end).map(|at| kernel((at as f64 - centre + 0.5) * (1.0 / widening))));
            let sum: f64 = values.iter().sum();
            let start = weights.len();
            weights.extend(values.iter().map(|value| {
                let value = if sum == 0.0 { *value } else { value / sum };
                (value * f64::from(1 << WEIGHT_BITS) + 0.5f64.copysign(value)) as i32
            }));
            spans.push((first, start, weights.len()));
        }
        Self { spans, weights }
    }
}

/// The fixed-point sum, which was started at one half, as a sample.
#[inline(always)]
fn clip(sum: i32) -> u8 {
    (sum >> WEIGHT_BITS).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (WEIGHT_BITS - 1);

fn scale_columns(image: &RgbImage, taps: &Taps) -> RgbImage {
    let (width, height) = (taps.spans.len(), image.height());
    let mut data = vec![0; width * height * 3];
    // Samples of the same place in neighbouring rows side by side: one vector each.
    let mut source = vec![[0; LANES]; image.width() * 3];
    let mut target = vec![[0; LANES]; width * 3];
    for (block, out) in data.chunks_mut(width * 3 * LANES).enumerate() {
        for lane in 0..LANES {
            let row = image.row((block * LANES + lane).min(height - 1));
            for (lanes, &sample) in source.iter_mut().zip(row) {
                lanes[lane] = sample;
            }
        }
        scale_columns_of_block(&source, taps, &mut target);
        for (lane, row) in out.chunks_exact_mut(width * 3).enumerate() {
            for (sample, lanes) in row.iter_mut().zip(&target) {
                *sample = lanes[lane];
            }
        }
    }
    RgbImage::from_raw(width, height, data)
}

accelerated! {
    fn scale_columns_of_block(source: &[[u8; LANES]], taps: &Taps, target: &mut [[u8; LANES]]) {
        for (pixel, &(first, start, end)) in target.as_chunks_mut::<3>().0.iter_mut().zip(&taps.spans) {
            let weights = &taps.weights[start..end];
            let samples = &source[first * 3..(first + weights.len()) * 3];
            let mut sums = [[HALF; LANES]; 3];
            for (sample, &weight) in samples.as_chunks::<3>().0.iter().zip(weights) {
                for channel in 0..3 {
                    for lane in 0..LANES {
                        sums[channel][lane] += i32::from(sample[channel][lane]) * weight;
                    }
                }
            }
            *pixel = sums.map(|lanes| lanes.map(clip));
        }
    }
}

fn scale_rows(image: &RgbImage, taps: &Taps) -> RgbImage {
    let stride = image.width() * 3;
    let mut data = vec![0; stride * taps.spans.len()];
    for (out, &(first, start, end)) in data.chunks_exact_mut(stride).zip(&taps.spans) {
        let weights = &taps.weights[start..end];
        mix_rows(&image.data()[first * stride..(first + weights.len()) * stride], weights, out);
    }
    RgbImage::from_raw(image.width(), taps.spans.len(), data)
}

accelerated! {
    /// The weighted sum of rows that follow each other in `source`.
    fn mix_rows(source: &[u8], weights: &[i32], out: &mut [u8]) {
        const BLOCK: usize = 32;
        let stride = out.len();
        let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
        let mut at = 0;
        for block in blocks {
            let mut sums = [HALF; BLOCK];
            for (row, &weight) in source.chunks_exact(stride).zip(weights) {
                for (sum, &sample) in sums.iter_mut().zip(&row[at..at + BLOCK]) {
                    *sum += i32::from(sample) * weight;
                }
            }
            *block = sums.map(clip);
            at += BLOCK;
        }
        for sample in rest {
            let column = source.iter().skip(at).step_by(stride);
            *sample = clip(column.zip(weights).map(|(&sample, &weight)| i32::from(sample) * weight).sum::<i32>() + HALF);
            at += 1;
        }
    }
}
