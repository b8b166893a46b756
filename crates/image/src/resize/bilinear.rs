use crate::RgbImage;
use crate::accelerate::accelerated;

/// Weights are fractions of this.
const ONE: f32 = 2048.0;

/// Where one output column takes its samples from.
struct Column {
    /// Index of the left pixel's first sample; the right pixel follows it.
    left: usize,
    weights: [i32; 2],
}

/// Scales as OpenCV's `resize` does by default (`INTER_LINEAR`, 8 bits): fixed-point weights of two pixels per
/// axis without anti-aliasing, or the mean of 2 × 2 pixels where both sides are halved exactly.
///
/// Bit-exact with OpenCV 4.6 to 5.0 on x86-64.
///
/// # Panics
/// If the picture has no pixels while the result should have some.
pub fn bilinear(image: &RgbImage, width: usize, height: usize) -> RgbImage {
    if (width, height) == (image.width(), image.height()) {
        return image.clone();
    }
    if width == 0 || height == 0 {
        return RgbImage::filled(width, height, [0; 3]);
    }
    assert!(!image.data().is_empty(), "a picture without pixels cannot be enlarged");
    if image.width() == width * 2 && image.height() == height * 2 {
        return halve(image);
    }

    let columns = columns(image.width(), width);
    let mut data = vec![0; width * height * 3];
    // The two source rows that the current output row lies between, already scaled horizontally.
    let mut rows = [(usize::MAX, vec![0i16; width * 3]), (usize::MAX, vec![0i16; width * 3])];
    let last = image.height() as i64 - 1;
    for (y, out) in data.chunks_exact_mut(width * 3).enumerate() {
        let (above, fraction) = position(y, image.height(), height);
        let wanted = [above, above + 1].map(|row| row.clamp(0, last) as usize);
        if rows[0].0 != wanted[0] && rows[1].0 == wanted[0] {
            rows.swap(0, 1);
        }
        for (row, index) in rows.iter_mut().zip(wanted) {
            if row.0 != index {
                scale_row(image.row(index), &columns, &mut row.1);
                row.0 = index;
            }
        }
        blend_rows(&rows[0].1, &rows[1].1, weights(fraction), out);
    }
    RgbImage::from_raw(width, height, data)
}

/// The source position of output index `at`: the pixel before it and the fraction beyond that pixel.
fn position(at: usize, source: usize, target: usize) -> (i64, f32) {
    let scale = 1.0 / (target as f64 / source as f64);
    let position = ((at as f64 + 0.5) * scale - 0.5) as f32;
    let before = position.floor();
    (before as i64, position - before)
}

fn weights(fraction: f32) -> [i32; 2] {
    [((1.0 - fraction) * ONE).round_ties_even() as i32, (fraction * ONE).round_ties_even() as i32]
}

fn columns(source: usize, target: usize) -> Vec<Column> {
    let last = source as i64 - 1;
    (0..target)
        .map(|x| {
            let (left, fraction) = position(x, source, target);
            if left < 0 {
                Column { left: 0, weights: weights(0.0) }
            } else if left < last {
                Column { left: left as usize * 3, weights: weights(fraction) }
            } else if source == 1 {
                Column { left: 0, weights: weights(0.0) }
            } else {
                // All weight on the last pixel, written so that a pixel follows the left one.
                Column { left: (last as usize - 1) * 3, weights: weights(1.0) }
            }
        })
        .collect()
}

accelerated! {
    /// Scales one row. The results keep 7 fraction bits: the vertical pass drops 4 of the 11 first anyway.
    fn scale_row(row: &[u8], columns: &[Column], out: &mut [i16]) {
        let widened: [u8; 6];
        let row = if let &[r, g, b] = row {
            widened = [r, g, b, r, g, b];
            &widened
        } else {
            row
        };
        for (pixel, column) in out.chunks_exact_mut(3).zip(columns) {
            let samples = &row[column.left..column.left + 6];
            let [a, b] = column.weights;
            for channel in 0..3 {
                let sum = i32::from(samples[channel]) * a + i32::from(samples[channel + 3]) * b;
                pixel[channel] = (sum >> 4) as i16;
            }
        }
    }
}

accelerated! {
    /// Mixes two scaled rows. Each product loses its low 16 bits before the sum, as in OpenCV's vector code.
    fn blend_rows(above: &[i16], below: &[i16], weights: [i32; 2], out: &mut [u8]) {
        let high = |sample: i16, weight: i16| ((i32::from(sample) * i32::from(weight)) >> 16) as i16;
        let [a, b] = weights.map(|weight| weight as i16);
        for ((out, &above), &below) in out.iter_mut().zip(above).zip(below) {
            // At most 1020 + 2 before the shift, so this fits in 8 bits.
            *out = ((high(above, a) + high(below, b) + 2) >> 2) as u8;
        }
    }
}

/// The mean of each 2 × 2 pixels, halves rounded up.
fn halve(image: &RgbImage) -> RgbImage {
    let (width, height) = (image.width() / 2, image.height() / 2);
    let mut data = vec![0; width * height * 3];
    for (y, out) in data.chunks_exact_mut(width * 3).enumerate() {
        let (above, below) = (image.row(y * 2), image.row(y * 2 + 1));
        for ((pixel, above), below) in
            out.chunks_exact_mut(3).zip(above.chunks_exact(6)).zip(below.chunks_exact(6))
        {
            for channel in 0..3 {
                let sum = u16::from(above[channel])
                    + u16::from(above[channel + 3])
                    + u16::from(below[channel])
                    + u16::from(below[channel + 3]);
                pixel[channel] = ((sum + 2) >> 2) as u8;
            }
        }
    }
    RgbImage::from_raw(width, height, data)
}
