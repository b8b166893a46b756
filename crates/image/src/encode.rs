//! Pictures to PNG and JPEG files.

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use mozjpeg::{ColorSpace, Compress};

use crate::RgbImage;

/// A PNG file of the picture.
///
/// # Panics
/// If the picture has no pixels, which PNG cannot express.
pub fn png(image: &RgbImage) -> Vec<u8> {
    write(image.width(), image.height(), image.data(), ExtendedColorType::Rgb8)
}

/// A JPEG file of the picture, for looking at: `quality` is libjpeg's, 1 to 100.
///
/// # Panics
/// If the picture has no pixels, or a side of more than 65,535, which JPEG cannot express.
pub fn jpeg(image: &RgbImage, quality: f32) -> Vec<u8> {
    let (width, height) = (image.width(), image.height());
    let fits = (1..=65_535).contains(&width) && (1..=65_535).contains(&height);
    assert!(fits, "a picture of {width}x{height} cannot be a JPEG file");
    let mut settings = Compress::new(ColorSpace::JCS_RGB);
    // Mozjpeg's own defaults make smaller files and take ten times as long.
    settings.set_fastest_defaults();
    settings.set_size(width, height);
    settings.set_quality(quality);
    let write = || {
        let mut writer = settings.start_compress(Vec::new())?;
        writer.write_scanlines(image.data())?;
        writer.finish()
    };
    write().expect("memory takes every write, and the sizes were checked above")
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
