use viewfinder_image::RgbImage;

/// How bytes become network values: `(byte · scale - mean) / std`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Normalisation {
    scale: f32,
    mean: f64,
    std: f64,
}

impl Normalisation {
    /// To -1…1, as PP-OCR's classifiers and recognisers were trained, and as `RapidOCR` feeds its detectors too.
    pub(super) const CENTRED: Self = Self { scale: 1.0 / 255.0, mean: 0.5, std: 0.5 };

    /// To about 0…2, as Immich feeds the detector: it takes the mean from the byte instead of from the byte's
    /// share of 255. On ordinary pictures this changes scores by a few hundredths, not the boxes.
    pub(super) const IMMICH: Self = Self { scale: 1.0, mean: 0.5, std: 127.5 };

    /// The value of each byte.
    pub(super) fn table(&self) -> [f32; 256] {
        std::array::from_fn(|byte| ((f64::from(byte as f32 * self.scale) - self.mean) / self.std) as f32)
    }
}

/// Writes `picture` into a `[3, H, W]` tensor in B, G, R order, the order all PP-OCR networks take, where H is
/// the picture's height and W is `width`. Columns to the right of the picture keep what they had.
pub(super) fn bgr_planes(picture: &RgbImage, table: &[f32; 256], width: usize, out: &mut [f32]) {
    debug_assert_eq!(out.len(), 3 * width * picture.height());
    let (blue, rest) = out.split_at_mut(width * picture.height());
    let (green, red) = rest.split_at_mut(width * picture.height());
    for y in 0..picture.height() {
        let at = y * width..y * width + picture.width();
        let row = picture.row(y).as_chunks::<3>().0;
        let planes = blue[at.clone()].iter_mut().zip(&mut green[at.clone()]).zip(&mut red[at]);
        for (((b, g), r), pixel) in planes.zip(row) {
            *r = table[usize::from(pixel[0])];
            *g = table[usize::from(pixel[1])];
            *b = table[usize::from(pixel[2])];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_the_values_the_references_compute() {
        let centred = Normalisation::CENTRED.table();
        assert_eq!((centred[0], centred[255]), (-1.0, 1.0));
        assert!((centred[120] - -0.058_823_5).abs() < 1e-6, "{}", centred[120]);
        let immich = Normalisation::IMMICH.table();
        assert!((immich[0] - -0.003_921_6).abs() < 1e-6 && (immich[255] - 1.996_078_4).abs() < 1e-6);
    }

    #[test]
    fn planes_are_blue_green_red_and_padding_is_untouched() {
        let picture = RgbImage::from_raw(1, 2, vec![255, 0, 51, 0, 255, 102]);
        let mut out = vec![9.0; 3 * 2 * 2];
        bgr_planes(&picture, &std::array::from_fn(|byte| byte as f32), 2, &mut out);
        assert_eq!(out, [51.0, 9.0, 102.0, 9.0, 0.0, 9.0, 255.0, 9.0, 255.0, 9.0, 0.0, 9.0]);
    }
}
