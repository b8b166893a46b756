use super::null_vector::null_vector;
use crate::RgbImage;

/// Cuts a quadrilateral out and straightens it as Pillow's `Image.transform` does with `PERSPECTIVE` and `BICUBIC`:
/// positions are taken at pixel centres, the cubic is the sharp one (a = -1), edge pixels are repeated where its
/// taps reach over the edge, and positions outside the picture are black. Not anti-aliased.
///
/// `corners` are top left, top right, bottom right and bottom left in pixels; they are mapped to (0, 0),
/// (`width`, 0), (`width`, `height`) and (0, `height`). Differs from [`super::perspective`] by half a pixel.
///
/// The map is rounded as Immich's server rounds it, so that crops are that server's to the byte.
pub fn perspective_pillow(image: &RgbImage, corners: [[f32; 2]; 4], width: usize, height: usize) -> RgbImage {
    let map = coefficients(corners, width as f32, height as f32);
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

/// The map from a crop of this size to `corners` in the picture, row by row, rounded as Immich's server rounds it: as
/// the null vector of single precision equations, found in double precision, kept in single.
///
/// What that loses, some millionths of a pixel, must be lost likewise: crops mostly lie along the grid, and since
/// Pillow cuts off fractions, the sign of such an error darkens half of their samples by one level or none. On faint
/// or tiny print that decides between two readings.
fn coefficients(corners: [[f32; 2]; 4], width: f32, height: f32) -> [f64; 9] {
    let places = [[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]];
    let equations = std::array::from_fn(|i| {
        let ([x, y], [u, v]) = (places[i / 2], corners[i / 2]);
        match i % 2 {
            0 => [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, -u],
            _ => [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, -v],
        }
        .map(f64::from)
    });
    let map = null_vector(equations).map(|value| value as f32);
    map.map(|value| f64::from(value / map[8]))
}

/// The picture's value between pixels, in each channel.
#[inline]
fn sample(image: &RgbImage, x: f64, y: f64) -> [u8; 3] {
    let (left, top) = (x.floor(), y.floor());
    let (fx, fy) = (x - left, y - top);
    let (left, top) = (left as isize - 1, top as isize - 1);
    let clamp = |at: isize, size: usize| at.clamp(0, size as isize - 1) as usize;
    let columns: [usize; 4] = std::array::from_fn(|i| clamp(left + i as isize, image.width()) * 3);
    let rows: [[f64; 4]; 4] = std::array::from_fn(|i| {
        let row = image.row(clamp(top + i as isize, image.height()));
        // The fourth lane is idle: four lanes fill a vector register.
        let tap = |at: usize| [row[at], row[at + 1], row[at + 2], 0].map(f64::from);
        cubic(columns.map(tap), fx)
    });
    let [r, g, b, _] = cubic(rows, fy);
    // Conversion truncates and saturates, as Pillow's does.
    [r as u8, g as u8, b as u8]
}

/// The cubic through four neighbours, at the fraction `t` between the middle two.
#[inline(always)]
fn cubic(taps: [[f64; 4]; 4], t: f64) -> [f64; 4] {
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
    fn flat_colour_stays_and_outside_is_black() {
        let image = RgbImage::filled(8, 8, [255, 7, 128]);
        let out = perspective_pillow(&image, [[1.0, 2.0], [12.0, 2.5], [12.0, 6.0], [0.5, 7.0]], 22, 9);
        assert_eq!(out.pixel(3, 4), [255, 7, 128]);
        assert_eq!(out.pixel(21, 4), [0, 0, 0]);
    }

    #[test]
    fn impossible_maps_do_no_harm() {
        let image = RgbImage::filled(8, 8, [255; 3]);
        for corners in [[[1.0; 2]; 4], [[f32::NAN; 2]; 4], [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]] {
            assert_eq!(perspective_pillow(&image, corners, 3, 3).data().len(), 27);
        }
        assert_eq!(perspective_pillow(&image, [[f32::NAN; 2]; 4], 1, 1).data(), [0; 3]);
        assert_eq!(perspective_pillow(&image, [[1.0; 2]; 4], 0, 3).data().len(), 0);
    }

    #[test]
    fn crops_are_the_servers_byte_for_byte() {
        // Made by Immich 2.7.5's own functions, with Pillow 12.1 and numpy 2.2 on AVX2.
        let upright = perspective_pillow(&picture(), [[2.0, 1.0], [7.0, 1.0], [7.0, 5.0], [2.0, 5.0]], 5, 4);
        #[rustfmt::skip]
        assert_eq!(upright.data(), [
            44, 156, 121, 48, 193, 144, 52, 229, 169, 56, 15, 196, 60, 53, 224,
            80, 238, 143, 84, 23, 184, 88, 60, 227, 92, 98, 16, 96, 135, 63,
            116, 68, 72, 120, 106, 132, 124, 143, 192, 128, 179, 0, 132, 216, 65,
            152, 151, 164, 156, 187, 240, 160, 224, 63, 164, 10, 145, 168, 47, 227,
        ]);
        let tilted = perspective_pillow(&picture(), [[0.0, 1.0], [8.0, 2.0], [7.0, 6.0], [0.0, 5.0]], 8, 4);
        #[rustfmt::skip]
        assert_eq!(tilted.data(), [
            43, 97, 84, 51, 152, 114, 58, 215, 147, 64, 122, 180, 71, 122, 232, 78, 59, 93, 87, 100, 76, 98, 163, 100,
            81, 194, 99, 89, 159, 75, 95, 176, 90, 101, 60, 123, 108, 64, 241, 115, 159, 56, 125, 243, 1, 138, 80, 103,
            117, 233, 201, 124, 50, 41, 131, 41, 67, 137, 146, 204, 143, 246, 170, 151, 135, 62, 161, 2, 199, 173, 64, 165,
            150, 66, 20, 158, 130, 67, 165, 212, 155, 171, 156, 166, 177, 85, 52, 184, 81, 140, 193, 77, 176, 204, 137, 39,
        ]);
    }

    #[test]
    fn coefficients_are_rounded_as_in_single_precision() {
        let corners = [[30.0, 201.0], [362.0, 201.0], [362.0, 245.0], [30.0, 245.0]];
        let map = coefficients(corners, 332.0, 44.0);
        let expected: [f32; 9] = [
            1.0,
            -2.423_235_5e-13,
            29.999_998,
            -9.898_413e-15,
            1.0,
            200.999_98,
            -1.290_852_1e-15,
            -3.369_972e-16,
            1.0,
        ];
        assert_eq!(map, expected.map(f64::from));
    }
}
