use viewfinder_image::RgbImage;

/// How bytes become network values: `(byte · scale - mean) / std`, with a mean and a deviation for each plane
/// in the network's order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Normalisation {
    scale: f64,
    mean: [f64; 3],
    std: [f64; 3],
}

/// The value of each byte, for each plane.
pub(super) type Table = [[f32; 256]; 3];

impl Normalisation {
    /// To -1…1, as PP-OCR's classifiers and recognisers were trained.
    pub(super) const CENTRED: Self = Self { scale: 1.0 / 255.0, mean: [0.5; 3], std: [0.5; 3] };

    /// To -1…1, as `RapidOCR` feeds its detectors: times a rounded 1/255 where [`Normalisation::CENTRED`] divides,
    /// which shows in the last bit.
    pub(super) const RAPIDOCR: Self = Self { scale: (1.0_f32 / 255.0) as f64, mean: [0.5; 3], std: [0.5; 3] };

    /// To about 0…2, as Immich feeds the detector: it takes the mean from the byte instead of from the byte's
    /// share of 255. On ordinary pictures this changes scores by a few hundredths, not the boxes.
    pub(super) const IMMICH: Self = Self { scale: 1.0, mean: [0.5; 3], std: [127.5; 3] };

    /// The mean and deviation of `ImageNet`'s pictures, with which PP-OCR's detectors were trained: given for red,
    /// green and blue, but applied to planes in the order blue, green, red, in training too. Pale print on a pale
    /// ground, which [`Normalisation::CENTRED`] loses, is found with it.
    pub(super) const IMAGENET: Self =
        Self { scale: 1.0 / 255.0, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

    /// The value of each byte.
    pub(super) fn table(&self) -> Table {
        std::array::from_fn(|plane| {
            std::array::from_fn(|byte| {
                let share = (byte as f64 * self.scale) as f32;
                ((f64::from(share) - self.mean[plane]) / self.std[plane]) as f32
            })
        })
    }
}

/// Writes `picture` into a `[3, H, W]` tensor in B, G, R order, the order all PP-OCR networks take, where H is
/// the picture's height and W is `width`. Columns to the right of the picture keep what they had.
pub(super) fn bgr_planes(picture: &RgbImage, table: &Table, width: usize, out: &mut [f32]) {
    debug_assert_eq!(out.len(), 3 * width * picture.height());
    let (blue, rest) = out.split_at_mut(width * picture.height());
    let (green, red) = rest.split_at_mut(width * picture.height());
    for y in 0..picture.height() {
        let at = y * width..y * width + picture.width();
        let row = picture.row(y).as_chunks::<3>().0;
        let planes = blue[at.clone()].iter_mut().zip(&mut green[at.clone()]).zip(&mut red[at]);
        for (((b, g), r), pixel) in planes.zip(row) {
            *r = table[2][usize::from(pixel[0])];
            *g = table[1][usize::from(pixel[1])];
            *b = table[0][usize::from(pixel[2])];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_the_values_the_references_compute() {
        let centred = Normalisation::CENTRED.table()[1];
        assert_eq!((centred[0], centred[255]), (-1.0, 1.0));
        assert!((centred[120] - -0.058_823_5).abs() < 1e-6, "{}", centred[120]);
        // NumPy's, in single precision: byte · (1/255) and byte / 255, each less 0.5 and over 0.5.
        let rapidocr = Normalisation::RAPIDOCR.table()[1];
        assert_eq!([48, 50, 254].map(|byte: usize| rapidocr[byte]), [-0.623_529_4, -0.607_843_1, 0.992_157]);
        assert_eq!(
            [48, 50, 254].map(|byte: usize| centred[byte]),
            [-0.623_529_43, -0.607_843_16, 0.992_156_86]
        );
        let immich = Normalisation::IMMICH.table()[1];
        assert!((immich[0] - -0.003_921_6).abs() < 1e-6 && (immich[255] - 1.996_078_4).abs() < 1e-6);
        let [blue, .., red] = Normalisation::IMAGENET.table();
        assert!((blue[0] - -0.485 / 0.229).abs() < 1e-6 && (red[255] - 0.594 / 0.225).abs() < 1e-6);
    }

    #[test]
    fn planes_are_blue_green_red_and_padding_is_untouched() {
        let picture = RgbImage::from_raw(1, 2, vec![255, 0, 51, 0, 255, 102]);
        let mut out = vec![9.0; 3 * 2 * 2];
        bgr_planes(&picture, &[std::array::from_fn(|byte| byte as f32); 3], 2, &mut out);
        assert_eq!(out, [51.0, 9.0, 102.0, 9.0, 0.0, 9.0, 255.0, 9.0, 255.0, 9.0, 0.0, 9.0]);
    }
}
