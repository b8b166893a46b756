use std::borrow::Cow;

use viewfinder_image::{RgbImage, resize};

use super::pack::bgr_planes;
use super::recipe::{Recipe, Resize};
use super::{OcrError, multiple_of_32};
use crate::{Dump, Network, Tensor};
use viewfinder_core::ocr::Region;

/// The most pixels of the detector's input, whatever a request's resolution and a page's shape: they take up to 1.5 GB, the page itself
/// aside. At Immich's resolution of 736 a screenshot of 1080 x 16,000 fits.
const MOST_PIXELS: usize = 4096 * 2048;

/// How the detector's input size follows from the page's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputSize {
    /// Enlarged until the short side has this many pixels, never shrunk. Finds small print in small pictures; a long
    /// strip becomes enormous (32×192 turns into 736×4416), so small pictures are the slowest.
    ShortSideAtLeast(usize),
    /// Shrunk until the short side has this many pixels, never enlarged.
    ShortSideAtMost(usize),
    /// Shrunk until the long side has this many pixels, never enlarged: the time one picture takes is bounded.
    LongSideAtMost(usize),
}

impl InputSize {
    /// Width and height of the input, both multiples of 32, for a page of this size; at most [`MOST_PIXELS`] in all.
    pub(super) fn of(self, [width, height]: [usize; 2]) -> [usize; 2] {
        let (shortest, longest) = (width.min(height), width.max(height));
        let ratio = match self {
            Self::ShortSideAtLeast(side) if shortest < side => side as f64 / shortest as f64,
            Self::ShortSideAtMost(side) if shortest > side => side as f64 / shortest as f64,
            Self::LongSideAtMost(side) if longest > side => side as f64 / longest as f64,
            _ => 1.0,
        };
        let area = (width as f64 * ratio) * (height as f64 * ratio);
        let ratio = ratio * (MOST_PIXELS as f64 / area).sqrt().min(1.0);
        let size = [width, height].map(|side| multiple_of_32((side as f64 * ratio) as usize));
        // Rounding takes a side up to 16 pixels further, and one is 32 at least.
        let longest = (MOST_PIXELS / size[0].min(size[1])) & !31;
        size.map(|side| side.min(longest))
    }
}

/// Runs the text detector over `page` and returns what it found, in page pixels, the lowest first.
///
/// The network takes `[1, 3, H, W]` (B, G, R) and gives `[1, 1, H, W]`: the probability of each pixel to be text.
pub(super) fn detect(
    page: &RgbImage,
    network: &dyn Network,
    recipe: &Recipe,
    dump: Option<&dyn Dump>,
) -> Result<Vec<Region>, OcrError> {
    let page_size = [page.width(), page.height()];
    let size @ [width, height] = recipe.input.of(page_size);
    let mut values = vec![0.0; 3 * width * height];
    let table = recipe.detection_values.table();
    if size == page_size {
        bgr_planes(page, &table, width, &mut values);
    } else {
        let resized = match recipe.resize {
            Resize::Bilinear => resize::bilinear(page, width, height),
            Resize::Halving => halved(page, size),
            Resize::Lanczos => resize::lanczos(page, width, height),
        };
        bgr_planes(&resized, &table, width, &mut values);
    }
    let mut found = None;
    network.run(vec![Tensor::f32([1, 3, height, width], values)], &mut |outputs| {
        found = outputs.first().filter(|map| map.shape == [1, 1, height, width]).map(|map| {
            if let Some(dump) = dump {
                dump.map("detection-map", width, height, map.data);
            }
            recipe.boxes.boxes(map.data, size, page_size)
        });
    })?;
    found.ok_or_else(|| OcrError::Output {
        network: "detector",
        expected: format!("[1, 1, {height}, {width}]"),
    })
}

/// Halves `page` while both sides are at least twice what they shall be, and goes the rest of the way in one step.
fn halved(page: &RgbImage, [width, height]: [usize; 2]) -> RgbImage {
    let mut page = Cow::Borrowed(page);
    while page.width() >= 2 * width && page.height() >= 2 * height {
        page = Cow::Owned(resize::bilinear(&page, page.width() / 2, page.height() / 2));
    }
    resize::bilinear(&page, width, height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rapidocr_enlarges_and_immich_shrinks() {
        let enlarge = InputSize::ShortSideAtLeast(736);
        assert_eq!(enlarge.of([430, 323]), [992, 736]);
        assert_eq!(enlarge.of([1000, 2000]), [992, 1984]);
        assert_eq!(enlarge.of([192, 32]), [4416, 736]);
        let shrink = InputSize::ShortSideAtMost(736);
        assert_eq!(shrink.of([430, 323]), [416, 320]);
        assert_eq!(shrink.of([1472, 2944]), [736, 1472]);
        assert_eq!(shrink.of([33, 40]), [32, 32]);
        let bounded = InputSize::LongSideAtMost(1120);
        assert_eq!(bounded.of([430, 323]), [416, 320]);
        assert_eq!(bounded.of([3000, 4000]), [832, 1120]);
    }

    #[test]
    fn no_request_and_no_page_make_the_input_larger_than_its_bound() {
        let generous = InputSize::ShortSideAtMost(100_000);
        assert_eq!(generous.of([4096, 2048]), [4096, 2048]);
        assert_eq!(InputSize::ShortSideAtMost(736).of([1080, 12_000]), [736, 8192]);
        for input in [generous, InputSize::ShortSideAtMost(736), InputSize::ShortSideAtLeast(736)] {
            for page in
                [[10_000, 10_000], [736, 40_000], [40_000, 1], [1, 40_000], [33, 40_000], [2700, 40_000]]
            {
                let [width, height] = input.of(page);
                assert!(width * height <= MOST_PIXELS, "{input:?} {page:?}: {width} x {height}");
                assert!(width >= 32 && height >= 32 && width % 32 == 0 && height % 32 == 0);
            }
        }
    }

    #[test]
    fn halving_keeps_thin_strokes() {
        // White columns of one pixel in eight, at an eighth of the size: two taps miss all or hit all of them.
        let mut page = RgbImage::filled(512, 256, [0; 3]);
        for pixel in page.data_mut().as_chunks_mut::<3>().0.iter_mut().step_by(8) {
            *pixel = [255; 3];
        }
        let small = halved(&page, [64, 32]);
        assert_eq!((small.width(), small.height()), (64, 32));
        assert!(small.data().iter().all(|value| (28..=36).contains(value)), "{:?}", small.pixel(3, 3));
        assert_eq!(halved(&page, [512, 256]), page);
    }

    #[test]
    fn halves_round_to_even_multiples() {
        // 2000/32 = 62.5 and 1968/32 = 61.5.
        assert_eq!(InputSize::ShortSideAtMost(4000).of([2000, 1968]), [1984, 1984]);
    }
}
