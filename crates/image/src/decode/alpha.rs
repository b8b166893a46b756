//! Ways to get rid of an alpha channel. All work in place and shrink the buffer.

/// R, G, B, A to R, G, B without the alpha.
pub(super) fn drop_rgba(data: &mut Vec<u8>) {
    compact::<4, 3>(data, |[r, g, b, _]| [r, g, b]);
}

/// Lays R, G, B, A on white if the mean luminance of all pixels that are not fully transparent is below 128,
/// on black otherwise, on white if nothing is visible. Blends in single precision and truncates.
pub(super) fn contrast_rgba(data: &mut Vec<u8>) {
    let (mut sum, mut visible) = (0.0f64, 0usize);
    for pixel in data.chunks_exact(4).filter(|pixel| pixel[3] > 0) {
        sum += 0.299 * f64::from(pixel[0]) + 0.587 * f64::from(pixel[1]) + 0.114 * f64::from(pixel[2]);
        visible += 1;
    }
    let white = visible == 0 || sum / (visible as f64) < 128.0;
    let ground = if white { 255.0f32 } else { 0.0 };
    compact::<4, 3>(data, |[r, g, b, a]| {
        let alpha = f32::from(a) / 255.0;
        [r, g, b].map(|c| (f32::from(c) * alpha + ground * (1.0 - alpha)) as u8)
    });
}

/// Grey and alpha to R, G, B without the alpha.
pub(super) fn drop_gray(data: &[u8]) -> Vec<u8> {
    data.chunks_exact(2).flat_map(|pixel| [pixel[0]; 3]).collect()
}

/// Grey where anything is visible, plus the transparency, saturated: RapidOCR's rule for two channels.
pub(super) fn contrast_gray(data: &[u8]) -> Vec<u8> {
    data.chunks_exact(2)
        .flat_map(|pixel| [if pixel[1] == 0 { 255 } else { pixel[0].saturating_add(255 - pixel[1]) }; 3])
        .collect()
}

fn compact<const FROM: usize, const TO: usize>(data: &mut Vec<u8>, convert: impl Fn([u8; FROM]) -> [u8; TO]) {
    let pixels = data.len() / FROM;
    for index in 0..pixels {
        let mut pixel = [0; FROM];
        pixel.copy_from_slice(&data[index * FROM..(index + 1) * FROM]);
        data[index * TO..(index + 1) * TO].copy_from_slice(&convert(pixel));
    }
    data.truncate(pixels * TO);
}
