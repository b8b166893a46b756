use super::homography;
use crate::RgbImage;

/// Cuts a quadrilateral out and straightens it as Pillow's `Image.transform` does with `PERSPECTIVE` and `BICUBIC`:
/// positions are taken at pixel centres, the cubic is the sharp one (a = -1), edge pixels are repeated where its
/// taps reach over the edge, and positions outside the picture are black. Not anti-aliased.
///
/// `corners` are top left, top right, bottom right and bottom left in pixels; they are mapped to (0, 0),
/// (`width`, 0), (`width`, `height`) and (0, `height`). Differs from [`super::perspective`] by half a pixel.
///
/// Sums are single precision where Pillow's are double: a sample in ten thousand is one level off.
pub fn perspective_pillow(image: &RgbImage, corners: [[f32; 2]; 4], width: usize, height: usize) -> RgbImage {
    let map = homography::inverse(corners, width as f64, height as f64);
    let mut out = RgbImage::filled(width, height, [0; 3]);
    if width == 0 {
        return out;
    }
    for (y, row) in out.data_mut().chunks_exact_mut(width * 3).enumerate() {
        let at = |k: usize, x: f64| map[k] * x + map[k + 1] * (y as f64 + 0.5) + map[k + 2];
        for (x, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let x = x as f64 + 0.5;
            let divisor = at(6, x);
            let (x, y) = (at(0, x) / divisor, at(3, x) / divisor);
            // Written so that NaN, from a map that does not exist, counts as outside.
            if x >= 0.0 && x < image.width() as f64 && y >= 0.0 && y < image.height() as f64 {
                *pixel = sample(image, x - 0.5, y - 0.5);
            }
        }
    }
    out
}

/// The picture's value between pixels, in each channel.
#[inline]
fn sample(image: &RgbImage, x: f64, y: f64) -> [u8; 3] {
    let (left, top) = (x.floor(), y.floor());
    let (fx, fy) = ((x - left) as f32, (y - top) as f32);
    let (left, top) = (left as isize - 1, top as isize - 1);
    let clamp = |at: isize, size: usize| at.clamp(0, size as isize - 1) as usize;
    let columns: [usize; 4] = std::array::from_fn(|i| clamp(left + i as isize, image.width()) * 3);
    let rows: [[f32; 4]; 4] = std::array::from_fn(|i| {
        let row = image.row(clamp(top + i as isize, image.height()));
        // The fourth lane is idle: four lanes fill a vector register.
        let tap = |at: usize| [row[at], row[at + 1], row[at + 2], 0].map(f32::from);
        cubic(columns.map(tap), fx)
    });
    let [r, g, b, _] = cubic(rows, fy);
    // Conversion truncates and saturates, as Pillow's does.
    [r as u8, g as u8, b as u8]
}

/// The cubic through four neighbours, at the fraction `t` between the middle two.
#[inline(always)]
fn cubic(taps: [[f32; 4]; 4], t: f32) -> [f32; 4] {
    std::array::from_fn(|lane| {
        let [a, b, c, d] = taps.map(|tap| tap[lane]);
        b + t * ((c - a) + t * ((2.0 * (a - b) + c - d) + t * (b - a + d - c)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gradient with some texture.
    fn picture() -> RgbImage {
        let data = (0..9 * 7)
            .flat_map(|i: u32| [(i * 4) as u8, (i * 37 % 251) as u8, (i * i % 256) as u8])
            .collect();
        RgbImage::from_raw(9, 7, data)
    }

    #[test]
    fn upright_quadrilateral_on_the_grid_is_a_crop() {
        let image = picture();
        let out = perspective_pillow(&image, [[2.0, 1.0], [7.0, 1.0], [7.0, 5.0], [2.0, 5.0]], 5, 4);
        for (x, y) in [(0, 0), (4, 0), (2, 2), (4, 3)] {
            assert_eq!(out.pixel(x, y), image.pixel(x + 2, y + 1));
        }
    }

    #[test]
    fn flat_colour_stays_and_outside_is_black() {
        let image = RgbImage::filled(8, 8, [255, 7, 128]);
        let out = perspective_pillow(&image, [[1.0, 2.0], [12.0, 2.5], [12.0, 6.0], [0.5, 7.0]], 22, 9);
        assert_eq!(out.pixel(3, 4), [255, 7, 128]);
        assert_eq!(out.pixel(21, 4), [0, 0, 0]);
    }

    #[test]
    fn impossible_maps_give_black() {
        let image = RgbImage::filled(8, 8, [255; 3]);
        assert_eq!(perspective_pillow(&image, [[1.0, 1.0]; 4], 3, 3), RgbImage::filled(3, 3, [0; 3]));
        assert_eq!(perspective_pillow(&image, [[1.0, 1.0]; 4], 0, 3).data().len(), 0);
    }

    #[test]
    fn values_are_pillows() {
        // Pillow 12.3, with coefficients from a linear solve in double precision.
        let out = perspective_pillow(&picture(), [[1.5, 0.75], [8.0, 1.25], [7.5, 6.5], [0.5, 5.5]], 8, 6);
        let expected = [
            ((0, 0), [[23, 89, 68], [28, 127, 85], [34, 183, 103]]),
            ((2, 3), [[126, 92, 115], [133, 169, 177], [139, 192, 126]]),
            ((5, 5), [[210, 98, 196], [219, 156, 57], [227, 214, 70]]),
        ];
        for ((x, y), pixels) in expected {
            let found = [0, 1, 2].map(|i| out.pixel(x + i, y));
            for (a, b) in found.as_flattened().iter().zip(pixels.as_flattened()) {
                assert!(a.abs_diff(*b) <= 1, "at {x},{y}: {found:?}, not {pixels:?}");
            }
        }
    }
}
