use super::Quad;

/// A point on the pixel grid: column, row.
pub(super) type GridPoint = [i32; 2];

/// The smallest rectangle, at any angle, around a set of points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    /// Its corners, clockwise on the screen, beginning with the upper of the two left ones.
    pub(super) corners: Quad,
    /// Its shorter side.
    pub(super) short_side: f32,
}

/// Corners of the convex hull in order of rising angle (x to y), without points on straight edges. Reorders `points`.
pub(super) fn convex_hull(points: &mut Vec<GridPoint>, hull: &mut Vec<GridPoint>) {
    points.sort_unstable();
    points.dedup();
    hull.clear();
    if points.len() < 3 {
        hull.extend_from_slice(points);
        return;
    }
    // Andrew's monotone chain: one side from left to right, then the other back.
    let mut extend = |point: GridPoint, base: usize| {
        while hull.len() > base + 1 && turn(hull[hull.len() - 2], hull[hull.len() - 1], point) <= 0 {
            hull.pop();
        }
        hull.push(point);
        hull.len()
    };
    let mut end = 0;
    for &point in points.iter() {
        end = extend(point, 0);
    }
    for &point in points.iter().rev().skip(1) {
        extend(point, end - 1);
    }
    hull.pop();
}

/// Positive if `c` lies to the turning side from x to y of the line from `a` to `b`.
fn turn(a: GridPoint, b: GridPoint, c: GridPoint) -> i64 {
    let at = |i: usize| (i64::from(b[i] - a[i]), i64::from(c[i] - a[i]));
    let ((bx, cx), (by, cy)) = (at(0), at(1));
    bx * cy - by * cx
}

/// The smallest rectangle around the points whose convex hull is `hull`; `None` of no points.
///
/// A smallest rectangle has a side along an edge of the hull, so each edge is tried, in whole numbers: OpenCV's
/// `minAreaRect` does the same in single precision, and agrees to 1e-4 pixels except where two rectangles
/// are equally small.
pub(super) fn min_area_rect(hull: &[GridPoint]) -> Option<Rect> {
    let first = *hull.first()?;
    let mut best: Option<(f64, [f64; 2], [i64; 4])> = None;
    for (i, &from) in hull.iter().enumerate() {
        let to = hull[(i + 1) % hull.len()];
        let (dx, dy) = (i64::from(to[0] - from[0]), i64::from(to[1] - from[1]));
        if (dx, dy) == (0, 0) {
            continue;
        }
        let mut extent = [i64::MAX, i64::MIN, i64::MAX, i64::MIN];
        for point in hull {
            let (x, y) = (i64::from(point[0]), i64::from(point[1]));
            let (along, across) = (x * dx + y * dy, y * dx - x * dy);
            extent[0] = extent[0].min(along);
            extent[1] = extent[1].max(along);
            extent[2] = extent[2].min(across);
            extent[3] = extent[3].max(across);
        }
        let squared = (dx * dx + dy * dy) as f64;
        let area = (extent[1] - extent[0]) as f64 * (extent[3] - extent[2]) as f64 / squared;
        if best.is_none_or(|(smallest, ..)| area < smallest) {
            best = Some((area, [dx as f64, dy as f64], extent));
        }
    }
    let Some((_, [dx, dy], extent)) = best else {
        return Some(Rect { corners: [first.map(|value| value as f32); 4], short_side: 0.0 });
    };
    let squared = dx * dx + dy * dy;
    let corner = |along: i64, across: i64| {
        let (along, across) = (along as f64, across as f64);
        [((along * dx - across * dy) / squared) as f32, ((along * dy + across * dx) / squared) as f32]
    };
    let [a0, a1, c0, c1] = extent;
    let short = (a1 - a0).min(c1 - c0) as f64 / squared.sqrt();
    let corners = [corner(a0, c0), corner(a1, c0), corner(a1, c1), corner(a0, c1)];
    Some(Rect { corners: clockwise(corners), short_side: short as f32 })
}

/// Orders corners top left, top right, bottom right, bottom left: the two leftmost are told apart by height, as
/// are the two rightmost. For a square on its tip this is a choice like any other, and the references' one.
pub(super) fn clockwise(mut corners: Quad) -> Quad {
    corners.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let [a, b, c, d] = corners;
    let (top_left, bottom_left) = if a[1] <= b[1] { (a, b) } else { (b, a) };
    let (top_right, bottom_right) = if c[1] <= d[1] { (c, d) } else { (d, c) };
    [top_left, top_right, bottom_right, bottom_left]
}

/// Distance between two points, in single precision like the references, whose truncated lengths decide crop sizes.
pub(super) fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    let (dx, dy) = (a[0] - b[0], a[1] - b[1]);
    (dx * dx + dy * dy).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rect_of(mut points: Vec<GridPoint>) -> Rect {
        let mut hull = Vec::new();
        convex_hull(&mut points, &mut hull);
        min_area_rect(&hull).unwrap()
    }

    fn sides(rect: &Rect) -> [f32; 2] {
        [distance(rect.corners[0], rect.corners[1]), distance(rect.corners[1], rect.corners[2])]
    }

    #[test]
    fn upright_rectangles_are_exact() {
        let rect = rect_of(vec![[3, 7], [20, 7], [20, 11], [3, 11], [8, 9]]);
        assert_eq!(rect.corners, [[3.0, 7.0], [20.0, 7.0], [20.0, 11.0], [3.0, 11.0]]);
        assert_eq!(rect.short_side, 4.0);
    }

    #[test]
    fn points_and_segments_are_flat_rectangles() {
        assert_eq!(rect_of(vec![[5, 5]]).short_side, 0.0);
        let segment = rect_of(vec![[0, 0], [4, 4], [2, 2]]);
        assert_eq!(segment.short_side, 0.0);
        assert_eq!(sides(&segment).iter().sum::<f32>(), 32f32.sqrt());
        assert!(min_area_rect(&[]).is_none());
    }

    proptest! {
        #[test]
        fn rectangle_holds_every_point_and_no_angle_gives_a_smaller_one(
            points in prop::collection::vec([-60..60i32, -60..60i32], 3..40)
        ) {
            let rect = rect_of(points.clone());
            let [w, h] = sides(&rect);
            let area = f64::from(w) * f64::from(h);
            for step in 0..180 {
                let (sin, cos) = (f64::from(step) * std::f64::consts::PI / 360.0).sin_cos();
                let span = |x: f64, y: f64| {
                    let dots = points.iter().map(|p| f64::from(p[0]) * x + f64::from(p[1]) * y);
                    dots.clone().fold(f64::MIN, f64::max) - dots.fold(f64::MAX, f64::min)
                };
                prop_assert!(area <= span(cos, sin) * span(-sin, cos) + 1e-2);
            }
            for point in &points {
                for (a, b) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
                    let (a, b) = (rect.corners[a], rect.corners[b]);
                    let (px, py) = (point[0] as f32 - a[0], point[1] as f32 - a[1]);
                    let side = (b[0] - a[0]) * py - (b[1] - a[1]) * px;
                    // Flat rectangles have edges of no length; their corners may be listed either way round.
                    prop_assert!(side >= -0.05 * (1.0 + distance(a, b)) || rect.short_side < 0.01);
                }
            }
        }

        #[test]
        fn rectangle_follows_translation_and_quarter_turns(
            points in prop::collection::vec([-60..60i32, -60..60i32], 3..40), dx in -500..500i32, dy in -500..500i32
        ) {
            let area = |rect: &Rect| sides(rect).iter().product::<f32>();
            let rect = rect_of(points.clone());
            let moved = rect_of(points.iter().map(|p| [p[0] + dx, p[1] + dy]).collect());
            let turned = rect_of(points.iter().map(|p| [-p[1], p[0]]).collect());
            for other in [&moved, &turned] {
                prop_assert!((area(&rect) - area(other)).abs() <= 1e-3 * area(&rect).max(1.0));
            }
        }

        #[test]
        fn hull_is_convex_and_holds_every_point(points in prop::collection::vec([-60..60i32, -60..60i32], 1..60)) {
            let mut hull = Vec::new();
            convex_hull(&mut points.clone(), &mut hull);
            if hull.len() > 2 {
                for i in 0..hull.len() {
                    let (a, b) = (hull[i], hull[(i + 1) % hull.len()]);
                    prop_assert!(turn(a, b, hull[(i + 2) % hull.len()]) > 0);
                    prop_assert!(points.iter().all(|&p| turn(a, b, p) >= 0));
                }
            }
        }
    }
}
