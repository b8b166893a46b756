use super::Region;

/// A vertical step of at least this many page pixels from one region to the next begins a new line. Smaller tears
/// slightly tilted lines apart; larger merges lines of small print.
const LINE_STEP: f32 = 10.0;

/// Puts regions in reading order: lines from top to bottom, in a line from left to right.
///
/// A line is a run of regions, by the height of their top left corners, without a step of [`LINE_STEP`]; a chain of
/// regions that each drift a little can thus form one line, however far it falls in all.
pub(super) fn sort(regions: &mut [Region]) {
    let top = |region: &Region| region.corners[0][1];
    regions.sort_by(|a, b| top(a).total_cmp(&top(b)));
    let mut begin = 0;
    for end in 1..=regions.len() {
        if end == regions.len() || top(&regions[end]) - top(&regions[end - 1]) >= LINE_STEP {
            regions[begin..end].sort_by(|a, b| a.corners[0][0].total_cmp(&b.corners[0][0]));
            begin = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(places: &[[f32; 2]]) -> Vec<usize> {
        let mut regions: Vec<Region> = places
            .iter()
            .enumerate()
            .map(|(i, &place)| Region { score: i as f32, corners: [place; 4] })
            .collect();
        sort(&mut regions);
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
}
