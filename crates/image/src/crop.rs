use crate::RgbImage;

/// Copies the rectangle of `width` × `height` pixels whose top left pixel is (`x`, `y`).
///
/// # Panics
/// If the rectangle does not lie inside the picture.
pub fn crop(image: &RgbImage, x: usize, y: usize, width: usize, height: usize) -> RgbImage {
    assert!(
        x + width <= image.width() && y + height <= image.height(),
        "crop of {width}x{height} at ({x}, {y}) leaves the picture of {}x{}",
        image.width(),
        image.height()
    );
    let mut data = Vec::with_capacity(width * height * 3);
    for row in y..y + height {
        data.extend_from_slice(&image.row(row)[x * 3..(x + width) * 3]);
    }
    RgbImage::from_raw(width, height, data)
}
