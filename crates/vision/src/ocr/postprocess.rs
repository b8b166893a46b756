use super::contours::Mask;
use super::fill::Scorer;
use super::rect::{clockwise, convex_hull, distance, min_area_rect};
use super::unclip;
use viewfinder_core::ocr::{Region, ScoreMode};

/// From a probability map to boxes, as "differentiable binarisation" detectors want it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BoxParameters {
    /// Pixels above this belong to text. Lower joins neighbouring lines; higher breaks pale text apart.
    pub(super) threshold: f32,
    /// Whether marked pixels grow by one to the right and down. Without it, thin letters fall apart.
    pub(super) dilate: bool,
    /// Most contours looked at, for pages of noise. Since the lowest come first, a page with more loses its top.
    pub(super) max_candidates: usize,
    /// Least mean probability in a region's rectangle.
    pub(super) min_score: f32,
    /// What that mean is taken over.
    pub(super) score_mode: ScoreMode,
    /// Share of area over perimeter by which a region grows; see [`unclip::margin`].
    pub(super) unclip_ratio: f64,
    /// Least short side in map pixels before growing; two more are asked for after it. Lower lets specks through,
    /// higher loses text of about three times this height in the network's picture.
    pub(super) min_side: f32,
    /// Regions not wider or not higher than this in picture pixels are dropped: nothing there can be read.
    pub(super) min_size: usize,
}

impl BoxParameters {
    /// The constants that `RapidOCR` and Immich share.
    pub(super) fn new(min_score: f32, score_mode: ScoreMode) -> Self {
        Self {
            threshold: 0.3,
            dilate: true,
            max_candidates: 1000,
            min_score,
            score_mode,
            unclip_ratio: 1.6,
            min_side: 3.0,
            min_size: 3,
        }
    }

    /// Finds the regions of text in `map` (`size`: width, height), in pixels of the page of size `page` that the map
    /// stands for. The lowest come first.
    pub(super) fn boxes(&self, map: &[f32], size: [usize; 2], page: [usize; 2]) -> Vec<Region> {
        let [width, height] = size;
        let contours = Mask::above(map, width, height, self.threshold, self.dilate).contours();
        let mut scorer = Scorer::new(map, width, height);
        let (mut grown, mut sorted) = (Vec::new(), Vec::new());
        let mut hull = Vec::new();
        let mut regions = Vec::new();
        for contour in contours.last_first().take(self.max_candidates) {
            convex_hull(contour, &mut sorted, &mut hull);
            let Some(rect) = min_area_rect(&hull) else { continue };
            if rect.short_side < self.min_side {
                continue;
            }
            let score = match self.score_mode {
                ScoreMode::Fast => scorer.rectangle(&rect.corners),
                ScoreMode::Slow => scorer.outline(contour),
            };
            if score < f64::from(self.min_score) {
                continue;
            }
            unclip::expand(&rect.corners, unclip::margin(&rect.corners, self.unclip_ratio), &mut grown);
            convex_hull(&grown, &mut sorted, &mut hull);
            let Some(rect) = min_area_rect(&hull) else { continue };
            if rect.short_side < self.min_side + 2.0 {
                continue;
            }
            // Rounded before they are ordered, and clipped to the last pixel after: both change which corner is
            // which, and where, for regions on the edge.
            let place = |value: f32, axis: usize| {
                (value / size[axis] as f32 * page[axis] as f32)
                    .round_ties_even()
                    .clamp(0.0, page[axis] as f32)
            };
            let corners = clockwise(rect.corners.map(|[x, y]| [place(x, 0), place(y, 1)]))
                .map(|[x, y]| [x.min(page[0] as f32 - 1.0), y.min(page[1] as f32 - 1.0)]);
            let [top_left, top_right, _, bottom_left] = corners;
            let side = |corner| distance(top_left, corner) as usize;
            if side(top_right) > self.min_size && side(bottom_left) > self.min_size {
                regions.push(Region { score: score as f32, corners });
            }
        }
        regions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(width: usize, height: usize, blocks: &[([usize; 4], f32)]) -> Vec<f32> {
        let mut map = vec![0.01; width * height];
        for &([x, y, w, h], value) in blocks {
            for row in y..y + h {
                map[row * width + x..row * width + x + w].fill(value);
            }
        }
        map
    }

    fn parameters(min_score: f32) -> BoxParameters {
        BoxParameters::new(min_score, ScoreMode::Fast)
    }

    #[test]
    fn a_block_becomes_a_grown_box() {
        let map = map(128, 64, &[([20, 10, 60, 12], 0.9)]);
        let found = parameters(0.5).boxes(&map, [128, 64], [128, 64]);
        assert_eq!(found.len(), 1);
        // Dilated to 20…80 by 10…22, then moved out by 60·12·1.6/144 = 8.
        assert_eq!(found[0].corners, [[12.0, 2.0], [88.0, 2.0], [88.0, 30.0], [12.0, 30.0]]);
        assert!(found[0].score > 0.8 && found[0].score < 0.9);
    }

    #[test]
    fn boxes_are_scaled_to_the_page_and_clipped() {
        let map = map(64, 32, &[([0, 0, 40, 10], 0.9)]);
        let found = parameters(0.5).boxes(&map, [64, 32], [128, 96]);
        assert_eq!(found[0].corners[0], [0.0, 0.0]);
        let [right, bottom] = found[0].corners[2];
        assert!(right > 90.0 && right <= 127.0 && bottom > 40.0 && bottom <= 95.0);
    }

    #[test]
    fn faint_small_and_thin_regions_are_dropped() {
        let map = map(128, 64, &[([5, 5, 30, 8], 0.35), ([60, 5, 1, 1], 0.9), ([60, 30, 40, 1], 0.9)]);
        assert!(parameters(0.5).boxes(&map, [128, 64], [128, 64]).is_empty());
        assert_eq!(parameters(0.2).boxes(&map, [128, 64], [128, 64]).len(), 1);
    }

    #[test]
    fn lower_regions_come_first_and_the_cap_drops_the_top() {
        let map = map(128, 64, &[([5, 5, 30, 8], 0.9), ([5, 40, 30, 8], 0.8)]);
        let found = parameters(0.5).boxes(&map, [128, 64], [128, 64]);
        assert!(found[0].corners[0][1] > found[1].corners[0][1]);
        let capped = BoxParameters { max_candidates: 1, ..parameters(0.5) }.boxes(&map, [128, 64], [128, 64]);
        assert_eq!(capped, found[..1]);
    }

    #[test]
    fn slow_scores_follow_the_outline() {
        // An L: its rectangle is mostly background.
        let map = map(128, 96, &[([10, 10, 10, 70], 0.9), ([10, 70, 80, 10], 0.9)]);
        assert!(parameters(0.5).boxes(&map, [128, 96], [128, 96]).is_empty());
        let slow = BoxParameters::new(0.5, ScoreMode::Slow).boxes(&map, [128, 96], [128, 96]);
        assert_eq!(slow.len(), 1);
        assert!(slow[0].score > 0.7);
    }

    #[test]
    fn noise_does_no_harm() {
        let mut seed = 1u32;
        let map: Vec<f32> = (0..96 * 96)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as f32 / 16_777_216.0
            })
            .collect();
        for region in parameters(0.0).boxes(&map, [96, 96], [50, 70]) {
            assert!(
                region.corners.iter().all(|c| (0.0..50.0).contains(&c[0]) && (0.0..70.0).contains(&c[1]))
            );
        }
        assert!(parameters(0.0).boxes(&[f32::NAN; 64], [8, 8], [8, 8]).is_empty());
    }
}
