//! Borders around a picture.

use crate::RgbImage;

/// Adds `top` black rows above the picture and `bottom` below it.
pub fn vertical(image: &RgbImage, top: usize, bottom: usize) -> RgbImage {
    let stride = image.width() * 3;
    let height = top + image.height() + bottom;
    let mut data = Vec::with_capacity(stride * height);
    data.resize(stride * top, 0);
    data.extend_from_slice(image.data());
    data.resize(stride * height, 0);
    RgbImage::from_raw(image.width(), height, data)
}
