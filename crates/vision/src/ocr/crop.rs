use viewfinder_image::{RgbImage, rotate, warp};

use super::{Quad, rect::distance};

/// How a region is straightened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Warp {
    /// OpenCV's `warpPerspective`, cubic, the edge repeated: `RapidOCR`'s.
    OpenCvCubic,
    /// Pillow's perspective transform, bicubic, black outside: Immich's.
    PillowBicubic,
}

/// Lines at least this many times as high as wide are taken to run downwards.
const UPRIGHT: f64 = 1.5;

/// The straightened picture of a region, before anything is copied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Crop {
    corners: Quad,
    width: usize,
    height: usize,
}

impl Crop {
    /// Of a region with these corners. Lengths lose their fraction, as in the references; none is below 1.
    pub(super) fn new(corners: Quad) -> Self {
        let [a, b, c, d] = corners;
        let length = |one: f32, other: f32| (one.max(other) as usize).max(1);
        Self {
            corners,
            width: length(distance(a, b), distance(c, d)),
            height: length(distance(a, d), distance(b, c)),
        }
    }

    /// Whether the text runs downwards, so that the crop is turned to lie on its side.
    fn upright(&self) -> bool {
        self.height as f64 / self.width as f64 >= UPRIGHT
    }

    /// Width over height of the picture that [`Crop::cut`] gives.
    pub(super) fn ratio(&self) -> f64 {
        if self.upright() {
            self.height as f64 / self.width as f64
        } else {
            self.width as f64 / self.height as f64
        }
    }

    /// Cuts the region out of `page`, turned a quarter counter-clockwise if its text runs downwards: Chinese
    /// columns then lie on their side, which is how the recogniser was taught them.
    pub(super) fn cut(&self, page: &RgbImage, kernel: Warp) -> RgbImage {
        let picture = match kernel {
            Warp::OpenCvCubic => warp::perspective(page, self.corners, self.width, self.height),
            Warp::PillowBicubic => warp::perspective_pillow(page, self.corners, self.width, self.height),
        };
        if self.upright() { rotate::ccw90(&picture) } else { picture }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_truncated_lengths() {
        let crop = Crop::new([[0.0, 0.0], [322.0, 0.0], [322.0, 108.0], [0.0, 101.0]]);
        assert_eq!((crop.width, crop.height), (322, 108));
        assert!((crop.ratio() - 322.0 / 108.0).abs() < 1e-12);
    }

    #[test]
    fn columns_lie_down() {
        let page = RgbImage::filled(40, 80, [9; 3]);
        let column = Crop::new([[10.0, 10.0], [20.0, 10.0], [20.0, 70.0], [10.0, 70.0]]);
        assert_eq!(column.ratio(), 6.0);
        let picture = column.cut(&page, Warp::OpenCvCubic);
        assert_eq!((picture.width(), picture.height()), (60, 10));
        let square = Crop::new([[10.0, 10.0], [20.0, 10.0], [20.0, 24.0], [10.0, 24.0]]);
        assert_eq!(square.cut(&page, Warp::OpenCvCubic).height(), 14);
    }
}
