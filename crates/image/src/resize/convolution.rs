use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::RgbImage;

/// Scales as Pillow's `BICUBIC`: a cubic kernel (a = -0.5) that is widened when shrinking, so it anti-aliases.
///
/// # Panics
/// If the picture has no pixels while the result should have some.
pub fn bicubic(image: &RgbImage, width: usize, height: usize) -> RgbImage {
    convolve(image, width, height, FilterType::CatmullRom)
}

/// Scales as Pillow's `LANCZOS`: a windowed sinc of three lobes that is widened when shrinking.
///
/// # Panics
/// If the picture has no pixels while the result should have some.
pub fn lanczos(image: &RgbImage, width: usize, height: usize) -> RgbImage {
    convolve(image, width, height, FilterType::Lanczos3)
}

fn convolve(image: &RgbImage, width: usize, height: usize, filter: FilterType) -> RgbImage {
    if (width, height) == (image.width(), image.height()) {
        return image.clone();
    }
    if width == 0 || height == 0 {
        return RgbImage::filled(width, height, [0; 3]);
    }
    assert!(!image.data().is_empty(), "a picture without pixels cannot be enlarged");
    let source = ImageRef::new(image.width() as u32, image.height() as u32, image.data(), PixelType::U8x3)
        .expect("an RgbImage's buffer always has the size of its picture");
    let mut target = Image::new(width as u32, height as u32, PixelType::U8x3);
    Resizer::new()
        .resize(&source, &mut target, &ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)))
        .expect("both pictures have the same pixel type and the whole source is used");
    RgbImage::from_raw(width, height, target.into_vec())
}
