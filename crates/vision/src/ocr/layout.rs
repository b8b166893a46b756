use viewfinder_core::ocr::Region;

/// A vertical step of at least this many page pixels from one region to the next begins a new line. Smaller tears
/// slightly tilted lines apart; larger merges lines of small print.
const LINE_STEP: f32 = 10.0;

/// The order in which regions are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As one reads: lines from top to bottom, in a line from left to right.
    Reading,
    /// As Immich's server answers, which means to do the same but numbers lines by height and looks the numbers up
    /// by the order of detection, the lowest first. What comes out is that order, with runs of neighbours sorted
    /// from left to right that need not be on one line.
    ImmichServer,
}

/// Puts regions, which come in the order of detection, in the order asked for.
///
/// A line is a run of regions, by the height of their top left corners, without a step of [`LINE_STEP`]; a chain of
/// regions that each drift a little can thus form one line, however far it falls in all.
pub(super) fn sort(regions: &mut Vec<Region>, order: Order) {
    let [left, top] = [0, 1].map(|axis| move |region: &Region| region.corners[0][axis]);
    let mut by_height: Vec<usize> = (0..regions.len()).collect();
    by_height.sort_by(|&a, &b| top(&regions[a]).total_cmp(&top(&regions[b])));
    let mut lines = vec![0usize; regions.len()];
    for i in 1..regions.len() {
        let step = top(&regions[by_height[i]]) - top(&regions[by_height[i - 1]]);
        lines[i] = lines[i - 1] + usize::from(step >= LINE_STEP);
    }
    // Line, place by height, place in the order of detection.
    let mut places: Vec<(usize, usize, usize)> = by_height
        .iter()
        .enumerate()
        .map(|(height, &region)| {
            (lines[if order == Order::Reading { height } else { region }], height, region)
        })
        .collect();
    places.sort_by(|a, b| {
        a.0.cmp(&b.0).then(left(&regions[a.2]).total_cmp(&left(&regions[b.2]))).then(a.1.cmp(&b.1))
    });
    *regions = places.into_iter().map(|(.., region)| regions[region].clone()).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(places: &[[f32; 2]]) -> Vec<usize> {
        sorted(places, Order::Reading)
    }

    fn sorted(places: &[[f32; 2]], order: Order) -> Vec<usize> {
        let mut regions: Vec<Region> = places
            .iter()
            .enumerate()
            .map(|(i, &place)| Region { score: i as f32, corners: [place; 4] })
            .collect();
        sort(&mut regions, order);
        regions.iter().map(|region| region.score as usize).collect()
    }

    #[test]
    fn lines_then_columns() {
        assert_eq!(order(&[[200.0, 9.0], [10.0, 40.0], [10.0, 2.0], [100.0, 0.0]]), [2, 3, 0, 1]);
    }

    #[test]
    fn drifting_chains_are_one_line_and_ties_keep_their_order() {
        assert_eq!(order(&[[30.0, 0.0], [20.0, 9.0], [10.0, 18.0]]), [2, 1, 0]);
        assert_eq!(order(&[[5.0, 5.0], [5.0, 5.0]]), [0, 1]);
        assert_eq!(order(&[[30.0, 0.0], [20.0, 10.0]]), [0, 1]);
        assert_eq!(order(&[]), [0usize; 0]);
    }

    #[test]
    fn immich_numbers_lines_by_another_order() {
        // As its server answered for a picture: where lines are 0, 0, 1, 2 by height, the first two detected,
        // whatever their heights, are sorted from left to right.
        let places = [[90.0, 300.0], [20.0, 200.0], [50.0, 103.0], [70.0, 100.0]];
        assert_eq!(sorted(&places, Order::ImmichServer), [1, 0, 2, 3]);
        assert_eq!(sorted(&places, Order::Reading), [2, 3, 1, 0]);
        // Equal places from the left: the higher first.
        let places = [[0.0, 228.0], [0.0, 208.0], [9.0, 30.0], [9.0, 30.0]];
        assert_eq!(sorted(&places, Order::ImmichServer), [1, 0, 2, 3]);
    }
}
