use std::borrow::Cow;

use viewfinder_image::{RgbImage, pad, resize};

use super::{Quad, multiple_of_32};

/// Limits on the picture's sides before detection. Detection and cropping both work on the result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Prescale {
    /// A longer side is shrunk to this. Larger keeps small print of big photos and costs time and memory by the
    /// square; smaller loses that print.
    max_side: usize,
    /// A shorter side is enlarged to this, so that a strip a few pixels high survives the rounding to 32.
    min_side: usize,
    /// Pictures this low or lower get black bands above and below: the detector misses text that touches the edge.
    band_height: usize,
    /// Pictures wider than this many times their height get the bands as well.
    band_ratio: f64,
}

impl Prescale {
    /// `RapidOCR` 3.10's defaults.
    pub(super) const RAPIDOCR: Self = Self { max_side: 2000, min_side: 30, band_height: 30, band_ratio: 8.0 };

    /// Bands for the lowest pictures only.
    pub(super) const BANDS: Self =
        Self { max_side: usize::MAX, min_side: 1, band_height: 30, band_ratio: f64::INFINITY };

    /// Bounds and pads `picture`, and says how to map results back onto it.
    pub(super) fn apply<'a>(&self, picture: &'a RgbImage) -> (Cow<'a, RgbImage>, Mapping) {
        let (width, height) = (picture.width(), picture.height());
        let mut page = Cow::Borrowed(picture);
        let longest = width.max(height);
        if longest > self.max_side {
            page = Cow::Owned(scaled(&page, self.max_side as f64 / longest as f64));
        }
        let shortest = page.width().min(page.height());
        if shortest < self.min_side {
            page = Cow::Owned(scaled(&page, self.min_side as f64 / shortest as f64));
        }
        let mut mapping = Mapping {
            band: 0,
            scale: [
                (width as f64 / page.width() as f64) as f32,
                (height as f64 / page.height() as f64) as f32,
            ],
            size: [width as f32, height as f32],
        };
        let (w, h) = (page.width(), page.height());
        if h <= self.band_height || w as f64 / h as f64 > self.band_ratio {
            let tall = 2 * ((w as f64 / self.band_ratio) as usize).max(self.band_height);
            mapping.band = tall.abs_diff(h) / 2;
            page = Cow::Owned(pad::vertical(&page, mapping.band, mapping.band));
        }
        (page, mapping)
    }
}

/// Both sides times `ratio`, then to the nearest multiple of 32. `RapidOCR` fails where a side would come to
/// nothing (4000×32 pixels, say); 32 is used then.
fn scaled(picture: &RgbImage, ratio: f64) -> RgbImage {
    let side = |length: usize| multiple_of_32((length as f64 * ratio) as usize);
    resize::bilinear(picture, side(picture.width()), side(picture.height()))
}

/// The way back from the bounded, padded page to the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mapping {
    /// Height of the band above, in page pixels.
    band: usize,
    /// Picture pixels per page pixel, horizontally and vertically.
    scale: [f32; 2],
    /// Width and height of the picture.
    size: [f32; 2],
}

impl Mapping {
    /// For a page that is the picture itself.
    pub(super) fn identity(picture: &RgbImage) -> Self {
        Self { band: 0, scale: [1.0; 2], size: [picture.width() as f32, picture.height() as f32] }
    }

    /// Corners on the page to corners on the picture, held within it (its far edges included).
    pub(super) fn back(&self, corners: Quad) -> Quad {
        corners.map(|[x, y]| {
            [
                (x * self.scale[0]).clamp(0.0, self.size[0]),
                ((y - self.band as f32) * self.scale[1]).clamp(0.0, self.size[1]),
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(width: usize, height: usize) -> (usize, usize, Mapping) {
        let picture = RgbImage::filled(width, height, [255; 3]);
        let (page, mapping) = Prescale::RAPIDOCR.apply(&picture);
        (page.width(), page.height(), mapping)
    }

    #[test]
    fn ordinary_pictures_pass_unchanged() {
        let picture = RgbImage::filled(640, 480, [7; 3]);
        let (page, mapping) = Prescale::RAPIDOCR.apply(&picture);
        assert!(matches!(page, Cow::Borrowed(_)));
        assert_eq!(mapping, Mapping::identity(&picture));
    }

    #[test]
    fn long_sides_shrink_to_1984() {
        let (w, h, mapping) = applied(4000, 3000);
        assert_eq!((w, h), (1984, 1504));
        assert_eq!(mapping.back([[1984.0, 1504.0]; 4])[0], [4000.0, 3000.0]);
    }

    #[test]
    fn strips_are_enlarged_and_banded() {
        let (w, h, mapping) = applied(65, 11);
        // 11 rows become 32; 192 by 32 is neither low nor wide enough for bands.
        assert_eq!((w, h, mapping.band), (192, 32, 0));
        let (w, h, mapping) = applied(640, 60);
        assert_eq!((w, h, mapping.band), (640, 160, 50));
        assert_eq!(mapping.back([[10.0, 55.0]; 4])[0], [10.0, 5.0]);
        assert_eq!(mapping.back([[700.0, 20.0]; 4])[0], [640.0, 0.0]);
    }

    #[test]
    fn extreme_strips_do_not_vanish() {
        let (w, h, _) = applied(4000, 32);
        assert_eq!((w, h), (1984, 32 + 2 * 232));
    }
}
