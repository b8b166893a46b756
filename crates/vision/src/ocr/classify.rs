use viewfinder_image::{RgbImage, resize};

use super::pack::{Normalisation, bgr_planes};
use super::{Classifier, OcrError};
use crate::Tensor;

/// Height and width that PP-OCR's first orientation classifier takes.
const FIRST_SIZE: (usize, usize) = (48, 192);

/// Tells which of `lines` are upside down with a confidence above `threshold`. Turning at less ruins more short,
/// symmetric words than it saves.
///
/// The network takes `[N, 3, H, W]` (B, G, R, -1…1; shorter lines are filled up with 0 on the right) and gives
/// `[N, 2]`: the probabilities of upright and upside down.
pub(super) fn upside_down(
    lines: &[RgbImage],
    classifier: Classifier<'_>,
    threshold: f32,
) -> Result<Vec<bool>, OcrError> {
    let network = classifier.network;
    let declared = network.inputs().first().map(|(_, shape)| shape.as_slice());
    let (height, width) = match declared {
        Some(&[_, _, Some(height), Some(width)]) => (height, width),
        _ => classifier.size.unwrap_or(FIRST_SIZE),
    };
    let table = Normalisation::CENTRED.table();
    let mut values = vec![0.0; lines.len() * 3 * height * width];
    for (line, values) in lines.iter().zip(values.chunks_exact_mut(3 * height * width)) {
        let natural = (height as f64 * (line.width() as f64 / line.height() as f64)).ceil() as usize;
        bgr_planes(&resize::bilinear(line, natural.clamp(1, width), height), &table, width, values);
    }
    let mut turned = None;
    network.run(vec![Tensor::f32([lines.len(), 3, height, width], values)], &mut |outputs| {
        turned = outputs.first().filter(|scores| scores.shape == [lines.len(), 2]).map(|scores| {
            scores.data.as_chunks::<2>().0.iter().map(|&[up, down]| down > up && down > threshold).collect()
        });
    })?;
    turned.ok_or_else(|| OcrError::Output {
        network: "orientation classifier",
        expected: format!("[{}, 2]", lines.len()),
    })
}
