/// Candidates that enter suppression at most, best first. Its work grows with the square of their number, and
/// a threshold of zero lets all 16,800 anchors of a 640×640 detector through; pictures of a thousand faces
/// stay below this.
pub const MAX_CANDIDATES: usize = 5000;

/// Greedy non-maximum suppression: indices of the boxes to keep, out of `boxes` (left, top, right, bottom)
/// sorted by falling score.
///
/// As InsightFace does it: a box covers its last row and column too (the "+1" convention), and one is dropped
/// if its intersection over union with a kept one is greater than `threshold`.
pub fn suppress(boxes: &[[f32; 4]], threshold: f32) -> Vec<usize> {
    let areas: Vec<f32> = boxes.iter().map(|[x1, y1, x2, y2]| (x2 - x1 + 1.0) * (y2 - y1 + 1.0)).collect();
    let mut dropped = vec![false; boxes.len()];
    let mut kept = Vec::new();
    for best in 0..boxes.len() {
        if dropped[best] {
            continue;
        }
        kept.push(best);
        for other in best + 1..boxes.len() {
            if !dropped[other] {
                let shared = intersection(&boxes[best], &boxes[other]);
                dropped[other] = shared / (areas[best] + areas[other] - shared) > threshold;
            }
        }
    }
    kept
}

fn intersection(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let width = (a[2].min(b[2]) - a[0].max(b[0]) + 1.0).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1]) + 1.0).max(0.0);
    width * height
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn overlap(a: &[f32; 4], b: &[f32; 4]) -> f32 {
        let area = |[x1, y1, x2, y2]: &[f32; 4]| (x2 - x1 + 1.0) * (y2 - y1 + 1.0);
        let shared = intersection(a, b);
        shared / (area(a) + area(b) - shared)
    }

    #[test]
    fn the_better_of_two_overlapping_boxes_stays() {
        let boxes = [[0.0, 0.0, 9.0, 9.0], [1.0, 1.0, 10.0, 10.0], [20.0, 0.0, 29.0, 9.0]];
        assert_eq!(suppress(&boxes, 0.4), [0, 2]);
    }

    #[test]
    fn a_box_covers_its_last_row_and_column() {
        // 10×10 boxes that share 10×4 by the +1 convention: 40 / 160 = 0.25 exactly, which is not greater.
        let boxes = [[0.0, 0.0, 9.0, 9.0], [0.0, 6.0, 9.0, 15.0]];
        assert_eq!(suppress(&boxes, 0.25).len(), 2);
        assert_eq!(suppress(&boxes, 0.249).len(), 1);
    }

    #[test]
    fn nothing_gives_nothing() {
        assert!(suppress(&[], 0.4).is_empty());
    }

    proptest! {
        #[test]
        fn kept_boxes_are_apart_and_dropped_ones_have_a_better_neighbour(
            corners in prop::collection::vec((0f32..100.0, 0f32..100.0, 0f32..60.0, 0f32..60.0), 0..60),
            threshold in 0f32..1.0,
        ) {
            let boxes: Vec<[f32; 4]> = corners.iter().map(|&(x, y, w, h)| [x, y, x + w, y + h]).collect();
            let kept = suppress(&boxes, threshold);
            prop_assert!(kept.is_sorted());
            prop_assert_eq!(kept.first().copied(), (!boxes.is_empty()).then_some(0));
            for (index, candidate) in boxes.iter().enumerate() {
                let rival = kept.iter().take_while(|&&k| k < index).any(|&k| overlap(&boxes[k], candidate) > threshold);
                prop_assert_eq!(kept.contains(&index), !rival);
            }
        }
    }
}
