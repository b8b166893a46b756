use super::rect::GridPoint;

/// Which pixels hold text: one cell a pixel inside a margin of one empty cell, so that borders can be followed
/// without looking out for the picture's edge.
pub(super) struct Mask {
    width: usize,
    height: usize,
    cells: Vec<u8>,
}

const EMPTY: u8 = 0;
const FULL: u8 = 1;
/// On a border that was followed.
const SEEN: u8 = 2;
/// On a border that was followed, with that border's empty side to the right.
const SEEN_RIGHT: u8 = 3;

impl Mask {
    /// Marks values strictly above `threshold`, and with `dilate` also the pixels right of, below and diagonally
    /// below right of a marked one. Dilation joins letters that the detector left a pixel apart; it shifts boxes by
    /// half a pixel, which the references' results contain.
    pub(super) fn above(map: &[f32], width: usize, height: usize, threshold: f32, dilate: bool) -> Self {
        assert_eq!(map.len(), width * height, "map does not match {width}x{height}");
        let stride = width + 2;
        let mut cells = vec![EMPTY; stride * (height + 2)];
        let mut this = vec![EMPTY; width];
        let mut above = vec![EMPTY; width];
        if width == 0 {
            return Self { width, height, cells };
        }
        for (values, row) in map.chunks_exact(width).zip(cells[stride..].chunks_exact_mut(stride)) {
            let out = &mut row[1..=width];
            if dilate {
                this[0] = u8::from(values[0] > threshold);
                for (cell, pair) in this[1..].iter_mut().zip(values.windows(2)) {
                    *cell = u8::from(pair[0] > threshold) | u8::from(pair[1] > threshold);
                }
                for ((cell, a), b) in out.iter_mut().zip(&this).zip(&above) {
                    *cell = a | b;
                }
                std::mem::swap(&mut this, &mut above);
            } else {
                for (cell, value) in out.iter_mut().zip(values) {
                    *cell = u8::from(*value > threshold);
                }
            }
        }
        Self { width, height, cells }
    }

    /// Follows every border between marked and empty pixels: the outlines of regions and those of their holes,
    /// both along the marked side, regions being connected through corners as well as edges.
    ///
    /// The method is Suzuki and Abe's (1985) without the hierarchy.
    pub(super) fn contours(mut self) -> Contours {
        let stride = self.width + 2;
        let mut contours = Contours { points: Vec::new(), ends: Vec::new() };
        for y in 1..=self.height {
            let row = y * stride;
            let mut x = 0;
            while x <= self.width {
                // Only where a cell differs from its left neighbour can a border begin.
                let left = self.cells[row + x];
                let Some(run) = first_other(&self.cells[row + x + 1..row + stride], left) else { break };
                x += run + 1;
                let (left, here) = (self.cells[row + x - 1], self.cells[row + x]);
                if left == EMPTY && here == FULL {
                    self.follow(row + x, WEST, &mut contours);
                } else if here == EMPTY && (left == FULL || left == SEEN) {
                    self.follow(row + x - 1, EAST, &mut contours);
                }
            }
        }
        contours
    }

    /// Follows one border from `start`, whose neighbour in direction `empty` is empty.
    fn follow(&mut self, start: usize, empty: usize, contours: &mut Contours) {
        let stride = (self.width + 2) as isize;
        // Counter-clockwise on the screen, from the right.
        let steps: [isize; 8] = [1, 1 - stride, -stride, -1 - stride, -1, stride - 1, stride, stride + 1];
        let toward = |cell: usize, direction: usize| cell.wrapping_add_signed(steps[direction]);
        let point = |cell: usize| [(cell % stride as usize) as i32 - 1, (cell / stride as usize) as i32 - 1];

        // The first neighbour clockwise is where the walk will come back from.
        let Some(back) =
            (1..8).map(|turn| (empty + 8 - turn) & 7).find(|&d| self.cells[toward(start, d)] != EMPTY)
        else {
            self.cells[start] = SEEN_RIGHT;
            contours.points.push(point(start));
            contours.ends.push(contours.points.len());
            return;
        };
        let last = toward(start, back);
        let (mut cell, mut from, mut heading) = (start, back, usize::MAX);
        loop {
            let mut right_empty = false;
            let mut direction = (from + 1) & 7;
            while self.cells[toward(cell, direction)] == EMPTY {
                right_empty |= direction == EAST;
                direction = (direction + 1) & 7;
            }
            if right_empty {
                self.cells[cell] = SEEN_RIGHT;
            } else if self.cells[cell] == FULL {
                self.cells[cell] = SEEN;
            }
            // Points on straight stretches add nothing to a polygon.
            if direction != heading {
                contours.points.push(point(cell));
                heading = direction;
            }
            let next = toward(cell, direction);
            if next == start && cell == last {
                break;
            }
            from = (direction + 4) & 7;
            cell = next;
        }
        contours.ends.push(contours.points.len());
    }
}

const EAST: usize = 0;
const WEST: usize = 4;

/// Index of the first cell that is not `value`.
fn first_other(cells: &[u8], value: u8) -> Option<usize> {
    let (words, _) = cells.as_chunks::<16>();
    let same = [value; 16];
    let skipped = words.iter().take_while(|word| **word == same).count() * 16;
    cells[skipped..].iter().position(|&cell| cell != value).map(|at| skipped + at)
}

/// Borders in the order they were found: by the row, then the column, of the first pixel met.
pub(super) struct Contours {
    points: Vec<GridPoint>,
    ends: Vec<usize>,
}

impl Contours {
    /// The borders, the last found first, as OpenCV lists them. Under a cap on their number, text at the
    /// top of an overfull page is what is lost.
    pub(super) fn last_first(&self) -> impl Iterator<Item = &[GridPoint]> {
        (0..self.ends.len()).rev().map(|i| {
            let begin = if i == 0 { 0 } else { self.ends[i - 1] };
            &self.points[begin..self.ends[i]]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn mask(rows: &[&str]) -> Mask {
        let map: Vec<f32> = rows.iter().flat_map(|row| row.bytes().map(|b| f32::from(b == b'#'))).collect();
        Mask::above(&map, rows[0].len(), rows.len(), 0.5, false)
    }

    fn outlines(mask: Mask) -> Vec<Vec<GridPoint>> {
        mask.contours().last_first().map(<[GridPoint]>::to_vec).collect()
    }

    #[test]
    fn ring_has_an_outline_and_a_hole() {
        let found = outlines(mask(&["#####", "#...#", "#...#", "#####"]));
        assert_eq!(found.len(), 2);
        // Found second, listed first: the hole, along the ring's pixels with its corners cut.
        let hole: BTreeSet<_> = found[0].iter().copied().collect();
        assert_eq!(hole, BTreeSet::from([[0, 1], [0, 2], [1, 3], [3, 3], [4, 2], [4, 1], [3, 0], [1, 0]]));
        let outline: BTreeSet<_> = found[1].iter().copied().collect();
        assert_eq!(outline, BTreeSet::from([[0, 0], [4, 0], [4, 3], [0, 3]]));
    }

    #[test]
    fn single_pixels_and_lines_close() {
        assert_eq!(outlines(mask(&["...", ".#.", "..."])), [vec![[1, 1]]]);
        let line = outlines(mask(&["####"]));
        assert_eq!(line.len(), 1);
        assert!(line[0].contains(&[0, 0]) && line[0].contains(&[3, 0]));
    }

    #[test]
    fn lower_regions_are_listed_first() {
        let found = outlines(mask(&["##...", ".....", "...##"]));
        assert_eq!(found.iter().map(|c| c[0]).collect::<Vec<_>>(), [[3, 2], [0, 0]]);
    }

    #[test]
    fn dilation_grows_right_and_down() {
        let map = [0.0, 0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.0];
        let mask = Mask::above(&map, 3, 3, 0.3, true);
        let found = outlines(mask);
        assert_eq!(
            found[0].iter().copied().collect::<BTreeSet<_>>(),
            BTreeSet::from([[1, 1], [2, 1], [2, 2], [1, 2]])
        );
    }

    #[test]
    fn threshold_is_exclusive_and_empty_maps_have_no_contours() {
        assert!(outlines(Mask::above(&[0.3; 4], 2, 2, 0.3, true)).is_empty());
        assert!(outlines(Mask::above(&[], 0, 0, 0.3, true)).is_empty());
    }

    /// Connected regions of cells of one kind, by flood fill.
    fn regions(cells: &[bool], width: usize, kind: bool, diagonal: bool) -> Vec<BTreeSet<GridPoint>> {
        let height = cells.len() / width;
        let mut open: BTreeSet<GridPoint> = (0..cells.len())
            .filter(|&i| cells[i] == kind)
            .map(|i| [(i % width) as i32, (i / width) as i32])
            .collect();
        let mut found = Vec::new();
        while let Some(seed) = open.pop_first() {
            let (mut region, mut stack) = (BTreeSet::from([seed]), vec![seed]);
            while let Some([x, y]) = stack.pop() {
                for (dx, dy) in [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)] {
                    let next = [x + dx, y + dy];
                    if (diagonal || dx == 0 || dy == 0) && open.remove(&next) {
                        region.insert(next);
                        stack.push(next);
                    }
                }
            }
            found.push(region);
        }
        assert!(height * width == cells.len());
        found
    }

    proptest! {
        #[test]
        fn one_contour_for_each_region_and_each_hole(cells in prop::collection::vec(prop::bool::weighted(0.55), 15 * 12)) {
            let width = 15;
            let map: Vec<f32> = cells.iter().map(|&c| f32::from(u8::from(c))).collect();
            let found = outlines(Mask::above(&map, width, 12, 0.5, false));
            // An empty margin makes everything outside one region, which is no hole.
            let mut framed = vec![false; (width + 2) * 14];
            for (i, &cell) in cells.iter().enumerate() {
                framed[(i / width + 1) * (width + 2) + i % width + 1] = cell;
            }
            let solid = regions(&framed, width + 2, true, true);
            let holes = regions(&framed, width + 2, false, false).len() - 1;
            prop_assert_eq!(found.len(), solid.len() + holes);
            // Each region's extreme pixels are on its outline, so its hull is right.
            let extent = |points: &mut dyn Iterator<Item = GridPoint>| points.fold(
                [i32::MAX, i32::MAX, i32::MIN, i32::MIN],
                |e, [x, y]| [e[0].min(x), e[1].min(y), e[2].max(x), e[3].max(y)],
            );
            let outlined: BTreeSet<[i32; 4]> = found.iter().map(|c| extent(&mut c.iter().copied())).collect();
            for region in &solid {
                let extent = extent(&mut region.iter().map(|p| [p[0] - 1, p[1] - 1]));
                prop_assert!(outlined.contains(&extent));
            }
        }
    }
}
