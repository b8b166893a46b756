use super::Quad;
use super::rect::GridPoint;

/// Mean of a row-major map inside polygons, with a mask that is reused from one to the next.
pub(super) struct Scorer<'a> {
    map: &'a [f32],
    width: usize,
    height: usize,
    mask: Vec<u8>,
    crossings: Vec<(i32, i32)>,
}

impl<'a> Scorer<'a> {
    /// For one probability map.
    pub(super) fn new(map: &'a [f32], width: usize, height: usize) -> Self {
        assert_eq!(map.len(), width * height, "map does not match {width}x{height}");
        Self { map, width, height, mask: Vec::new(), crossings: Vec::new() }
    }

    /// Mean inside a rectangle (at any angle). Its corners lose their fractions relative to its bounding box.
    pub(super) fn rectangle(&mut self, corners: &Quad) -> f64 {
        let side = |axis: usize, length: usize| {
            let values = corners.map(|corner| corner[axis]);
            let (low, high) = values.iter().fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
            let last = length as i32 - 1;
            ((low.floor() as i32).clamp(0, last), (high.ceil() as i32).clamp(0, last))
        };
        let ((left, right), (top, bottom)) = (side(0, self.width), side(1, self.height));
        let polygon = corners.map(|[x, y]| [(x - left as f32) as i32, (y - top as f32) as i32]);
        self.mean([left, top, right, bottom], &polygon)
    }

    /// Mean inside a region's outline.
    pub(super) fn outline(&mut self, points: &[GridPoint]) -> f64 {
        let [left, top, right, bottom] = points
            .iter()
            .fold([self.width as i32 - 1, self.height as i32 - 1, 0, 0], |[l, t, r, b], &[x, y]| {
                [l.min(x), t.min(y), r.max(x), b.max(y)]
            });
        let polygon: Vec<GridPoint> = points.iter().map(|[x, y]| [x - left, y - top]).collect();
        self.mean([left, top, right, bottom], &polygon)
    }

    /// Mean over the part of the map between `bounds` (left, top, right, bottom, all inclusive) that lies in the
    /// polygon, whose points are relative to the bounds' corner; 0 if nothing does.
    fn mean(&mut self, [left, top, right, bottom]: [i32; 4], polygon: &[GridPoint]) -> f64 {
        let (width, height) = ((right - left + 1) as usize, (bottom - top + 1) as usize);
        self.mask.clear();
        self.mask.resize(width * height, 0);
        fill(&mut self.mask, width, height, polygon, &mut self.crossings);
        let (mut sum, mut count) = (0.0, 0usize);
        for (y, mask) in self.mask.chunks_exact(width).enumerate() {
            let begin = (top as usize + y) * self.width + left as usize;
            for (value, &inside) in self.map[begin..begin + width].iter().zip(mask) {
                sum += f64::from(if inside == 0 { 0.0 } else { *value });
                count += usize::from(inside);
            }
        }
        if count == 0 { 0.0 } else { sum / count as f64 }
    }
}

/// Sets the cells of `mask` that a polygon covers to 1, by OpenCV's `fillPoly`: the eight-connected lines between its
/// points, and for each row the spans between its edges by the even-odd rule. `crossings` is room to work in.
fn fill(
    mask: &mut [u8],
    width: usize,
    height: usize,
    polygon: &[GridPoint],
    crossings: &mut Vec<(i32, i32)>,
) {
    crossings.clear();
    for (i, &to) in polygon.iter().enumerate() {
        let from = polygon[if i == 0 { polygon.len() - 1 } else { i - 1 }];
        line(mask, width, height, from, to);
        let (upper, lower) = if from[1] <= to[1] { (from, to) } else { (to, from) };
        if upper[1] == lower[1] {
            continue;
        }
        let slope = (i64::from(lower[0] - upper[0]) << 16) / i64::from(lower[1] - upper[1]);
        let mut x = i64::from(upper[0]) << 16;
        for y in upper[1]..lower[1] {
            // 16 bits of fraction; map coordinates stay far below 2¹⁵.
            crossings.push((y, x as i32));
            x += slope;
        }
    }
    crossings.sort_unstable();
    for pair in crossings.chunks_exact(2) {
        let (y, from, to) = (pair[0].0, (pair[0].1 + 32768) >> 16, pair[1].1 >> 16);
        if y >= 0 && (y as usize) < height {
            let from = from.max(0) as usize;
            let to = (i64::from(to) + 1).clamp(0, width as i64) as usize;
            if from < to {
                mask[y as usize * width + from..y as usize * width + to].fill(1);
            }
        }
    }
}

/// Bresenham's line between two points, always drawn from left to right; cells outside the mask are left out.
fn line(mask: &mut [u8], width: usize, height: usize, a: GridPoint, b: GridPoint) {
    let (from, to) = if a[0] <= b[0] { (a, b) } else { (b, a) };
    let (dx, dy) = (to[0] - from[0], (to[1] - from[1]).abs());
    let down = if to[1] < from[1] { -1 } else { 1 };
    // The major axis moves at each step, the minor one when the error falls below zero.
    let (long, short, major, minor) =
        if dx >= dy { (dx, dy, [1, 0], [0, down]) } else { (dy, dx, [0, down], [1, 0]) };
    let mut error = long - 2 * short;
    let [mut x, mut y] = from;
    for _ in 0..=long {
        if x >= 0 && y >= 0 && (x as usize) < width && (y as usize) < height {
            mask[y as usize * width + x as usize] = 1;
        }
        let step = error < 0;
        if step {
            error += 2 * long;
            x += minor[0];
            y += minor[1];
        }
        error -= 2 * short;
        x += major[0];
        y += major[1];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drawn(width: usize, height: usize, polygon: &[GridPoint]) -> Vec<u8> {
        let mut mask = vec![0; width * height];
        fill(&mut mask, width, height, polygon, &mut Vec::new());
        mask
    }

    #[test]
    fn upright_rectangles_include_their_edges() {
        let mask = drawn(6, 5, &[[1, 1], [4, 1], [4, 3], [1, 3]]);
        let rows: Vec<&[u8]> = mask.chunks(6).collect();
        assert_eq!(rows, [[0; 6], [0, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 0], [0; 6]]);
    }

    #[test]
    fn mean_is_over_the_inside_alone() {
        let mut map = vec![0.0; 40];
        for y in 1..4 {
            map[y * 10 + 2..y * 10 + 7].fill(0.8);
        }
        let mut scorer = Scorer::new(&map, 10, 4);
        let score = scorer.rectangle(&[[2.0, 1.0], [6.0, 1.0], [6.0, 3.0], [2.0, 3.0]]);
        assert!((score - 0.8).abs() < 1e-6);
        let score = scorer.outline(&[[2, 1], [6, 1], [6, 3], [2, 3]]);
        assert!((score - 0.8).abs() < 1e-6);
        assert!(scorer.rectangle(&[[1.0, 0.0], [7.0, 0.0], [7.0, 3.0], [1.0, 3.0]]) < 0.5);
    }

    #[test]
    fn shapes_leaving_the_map_are_clipped() {
        let map = vec![0.5; 100];
        let mut scorer = Scorer::new(&map, 10, 10);
        let score = scorer.rectangle(&[[-5.0, -5.0], [30.0, -5.0], [30.0, 30.0], [-5.0, 30.0]]);
        assert!((score - 0.5).abs() < 1e-6);
        // Entirely outside: its bounding box is pressed onto the edge and nothing lies in the shape.
        assert_eq!(scorer.rectangle(&[[40.0, 40.0], [50.0, 40.0], [50.0, 50.0], [40.0, 50.0]]), 0.0);
    }

    proptest! {
        #[test]
        fn inside_is_filled_and_outside_is_not(points in prop::collection::vec([2..38i32, 2..38i32], 3)) {
            let mask = drawn(40, 40, &points);
            let [a, b, c] = [0, 1, 2].map(|i: usize| points[i].map(f64::from));
            let edge = |p: [f64; 2], a: [f64; 2], b: [f64; 2]| {
                let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
                ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])) / dx.hypot(dy).max(1e-9)
            };
            let around = edge(c, a, b).signum();
            for y in 0..40 {
                for x in 0..40 {
                    let p = [f64::from(x), f64::from(y)];
                    let depth = [edge(p, a, b), edge(p, b, c), edge(p, c, a)].map(|d| d * around)
                        .into_iter().fold(f64::MAX, f64::min);
                    let cell = mask[(y * 40 + x) as usize];
                    if depth > 0.01 { prop_assert_eq!(cell, 1, "inside {} {}", x, y); }
                    if depth < -1.0 { prop_assert_eq!(cell, 0, "outside {} {}", x, y); }
                }
            }
        }

        #[test]
        fn translation_moves_the_filling(points in prop::collection::vec([0..20i32, 0..20i32], 4), dx in 0..15i32, dy in 0..15i32) {
            let here = drawn(40, 40, &points);
            let there = drawn(40, 40, &points.iter().map(|p| [p[0] + dx, p[1] + dy]).collect::<Vec<_>>());
            for y in 0..20 {
                for x in 0..20 {
                    prop_assert_eq!(here[y * 40 + x], there[(y + dy as usize) * 40 + x + dx as usize]);
                }
            }
        }
    }
}
