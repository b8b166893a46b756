//! Pictures to PNG files.

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::RgbImage;

/// A PNG file of the picture.
///
/// # Panics
/// If the picture has no pixels, which PNG cannot express.
pub fn png(image: &RgbImage) -> Vec<u8> {
    write(image.width(), image.height(), image.data(), ExtendedColorType::Rgb8)
}

/// A PNG file of `width` × `height` grey samples, 0 black to 255 white.
///
/// # Panics
/// If there are no samples, or their number is not `width * height`.
pub fn gray_png(width: usize, height: usize, samples: &[u8]) -> Vec<u8> {
    assert_eq!(samples.len(), width * height, "sample buffer does not match {width}x{height}");
    write(width, height, samples, ExtendedColorType::L8)
}

fn write(width: usize, height: usize, samples: &[u8], colour: ExtendedColorType) -> Vec<u8> {
    assert!(!samples.is_empty(), "a picture of {width}x{height} cannot be a PNG file");
    let mut file = Vec::new();
    PngEncoder::new(&mut file)
        .write_image(samples, width as u32, height as u32, colour)
        .expect("memory takes every write, and the sizes were checked above");
    file
}
