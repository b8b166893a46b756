use std::f64::consts::PI;

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

/// Corners of the convex hull of an outline in order of rising angle (x to y), without points on straight edges.
///
/// It begins where OpenCV's does, since [`min_area_rect`] takes of two outermost corners the one listed first: with
/// the corner that comes first on the outline if that runs in the hull's order, with the last if it runs against it.
/// `sorted` is room to work in.
pub(super) fn convex_hull(outline: &[GridPoint], sorted: &mut Vec<GridPoint>, hull: &mut Vec<GridPoint>) {
    sorted.clear();
    sorted.extend_from_slice(outline);
    sorted.sort_unstable();
    sorted.dedup();
    hull.clear();
    if sorted.len() < 3 {
        hull.extend_from_slice(sorted);
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
    for &point in sorted.iter() {
        end = extend(point, 0);
    }
    for &point in sorted.iter().rev().skip(1) {
        extend(point, end - 1);
    }
    hull.pop();

    let mut met = outline.iter().filter_map(|point| hull.iter().position(|corner| corner == point));
    if let Some(first) = met.next() {
        let next = (first + 1) % hull.len();
        let along = met.find(|&corner| corner != first) == Some(next);
        // Against the hull's order, the outline's last corner is the hull's next after its first.
        hull.rotate_left(if along { first } else { next });
    }
}

/// Positive if `c` lies to the turning side from x to y of the line from `a` to `b`.
fn turn(a: GridPoint, b: GridPoint, c: GridPoint) -> i64 {
    let at = |i: usize| (i64::from(b[i] - a[i]), i64::from(c[i] - a[i]));
    let ((bx, cx), (by, cy)) = (at(0), at(1));
    bx * cy - by * cx
}

/// The smallest rectangle around the points whose convex hull, as [`convex_hull`] gives it, is `hull`; `None` of no
/// points.
///
/// A smallest rectangle has a side along an edge of the hull, so four calipers are turned around it from edge to
/// edge. This is OpenCV 4.12's `minAreaRect` and `boxPoints` in their order of operations and in single precision,
/// errors included: corners lose their fraction later (in [`super::fill`] and [`super::unclip`]), where
/// 172.99999 for 173 moves a box by a pixel and its score by hundredths.
pub(super) fn min_area_rect(hull: &[GridPoint]) -> Option<Rect> {
    let (centre, [width, height], angle) = match hull {
        [] => return None,
        [point] => (point.map(|v| v as f32), [0.0; 2], 0.0),
        [a, b] => {
            let [dx, dy] = [0, 1].map(|i| f64::from(b[i] - a[i]));
            let centre = [0, 1].map(|i| (a[i] as f32 + b[i] as f32) * 0.5);
            (centre, [dx.hypot(dy) as f32, 0.0], dy.atan2(dx) as f32)
        }
        _ => calipers(hull),
    };
    // Through degrees and back, as there.
    let radians = f64::from((f64::from(angle * 180.0) / PI) as f32) * PI / 180.0;
    let (a, b) = (radians.sin() as f32 * 0.5, radians.cos() as f32 * 0.5);
    let [x, y] = centre;
    let one = [x - a * height - b * width, y + b * height - a * width];
    let two = [x + a * height - b * width, y - b * height - a * width];
    let across = |[u, v]: [f32; 2]| [2.0 * x - u, 2.0 * y - v];
    Some(Rect { corners: clockwise([one, two, across(one), across(two)]), short_side: width.min(height) })
}

/// Centre, sides and angle (radians) of the smallest rectangle around a hull of three points or more.
fn calipers(hull: &[GridPoint]) -> ([f32; 2], [f32; 2], f32) {
    let count = hull.len();
    let point = |i: usize| hull[i].map(|v| v as f32);
    let edge = |i: usize| [0, 1].map(|axis| (hull[(i + 1) % count][axis] - hull[i][axis]) as f32);
    let first_least =
        |key: &dyn Fn(&GridPoint) -> i32| (0..count).min_by_key(|&i| key(&hull[i])).unwrap_or(0);
    // The points that the four calipers touch, and the direction of the first one.
    let mut touch =
        [first_least(&|p| p[1]), first_least(&|p| -p[0]), first_least(&|p| -p[1]), first_least(&|p| p[0])];
    let (mut a, mut b) = (1f32, 0f32);
    let mut best = (f32::MAX, touch, a, b, 0f32, 0f32);
    for _ in 0..count {
        // The caliper that meets its next edge first turns onto it, of equals the first; the others follow.
        let ahead = [0, 1, 2, 3].map(|i| {
            let [x, y] = edge(touch[i]);
            [[x, y], [y, -x], [-x, -y], [-y, x]][i]
        });
        let sooner = |a: [f32; 2], b: [f32; 2]| a[1] * b[0] < a[0] * b[1];
        let lead = (1..4).fold(0, |lead, i| if sooner(ahead[i], ahead[lead]) { i } else { lead });
        let [dx, dy] = edge(touch[lead]);
        let inverse = (1.0 / (f64::from(dx) * f64::from(dx) + f64::from(dy) * f64::from(dy)).sqrt()) as f32;
        let (x, y) = (dx * inverse, dy * inverse);
        (a, b) = [(x, y), (y, -x), (-x, -y), (-y, x)][lead];
        touch[lead] = (touch[lead] + 1) % count;

        let span = |from: usize, to: usize| {
            let (from, to) = (point(touch[from]), point(touch[to]));
            [to[0] - from[0], to[1] - from[1]]
        };
        let ([wx, wy], [hx, hy]) = (span(3, 1), span(0, 2));
        let (width, height) = (wx * a + wy * b, -hx * b + hy * a);
        // Of equals the last.
        if width * height <= best.0 {
            best = (width * height, touch, a, b, width, height);
        }
    }
    let (_, touch, a, b, width, height) = best;
    let ([lx, ly], [tx, ty]) = (point(touch[3]), point(touch[0]));
    let (c1, c2) = (a * lx + ly * b, -b * tx + ty * a);
    let inverse = 1.0 / (a * a - -b * b);
    let (x, y) = ((c1 * a - c2 * b) * inverse, (a * c2 - -b * c1) * inverse);
    let (wide, high) = ([a * width, b * width], [-b * height, a * height]);
    let length = |[x, y]: [f32; 2]| (f64::from(x) * f64::from(x) + f64::from(y) * f64::from(y)).sqrt() as f32;
    let centre = [x + (wide[0] + high[0]) * 0.5, y + (wide[1] + high[1]) * 0.5];
    (centre, [length(wide), length(high)], f64::from(wide[1]).atan2(f64::from(wide[0])) as f32)
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

    fn rect_of(points: &[GridPoint]) -> Rect {
        let mut hull = Vec::new();
        convex_hull(points, &mut Vec::new(), &mut hull);
        min_area_rect(&hull).unwrap()
    }

    fn sides(rect: &Rect) -> [f32; 2] {
        [distance(rect.corners[0], rect.corners[1]), distance(rect.corners[1], rect.corners[2])]
    }

    #[test]
    fn upright_rectangles_are_exact() {
        let rect = rect_of(&[[3, 7], [20, 7], [20, 11], [3, 11], [8, 9]]);
        assert_eq!(rect.corners, [[3.0, 7.0], [20.0, 7.0], [20.0, 11.0], [3.0, 11.0]]);
        assert_eq!(rect.short_side, 4.0);
    }

    #[test]
    fn boxes_are_those_of_opencv_to_the_last_bit() {
        // Outlines (x, y, x, y …) and what OpenCV 4.12's `minAreaRect` and `boxPoints` make of them. From another
        // first corner, this one's top comes to lie at 1292.9999, which loses a pixel with its fraction.
        let below_a_long_top = [
            50, 1293, 50, 1305, 51, 1305, 52, 1306, 197, 1306, 198, 1305, 215, 1305, 215, 1304, 216, 1303,
            216, 1295, 215, 1294, 215, 1293,
        ];
        let rect = rect_of(below_a_long_top.as_chunks().0);
        assert_eq!(rect.corners, [[50.0, 1293.0], [216.0, 1293.0], [216.0, 1306.0], [50.0, 1306.0]]);
        // An outline the other way round.
        let grown = [
            454, 658, 462, 661, 468, 665, 474, 671, 477, 679, 479, 690, 479, 751, 478, 759, 475, 767, 471,
            773, 465, 779, 457, 782, 446, 784, 315, 784, 307, 783, 299, 780, 293, 776, 287, 770, 284, 762,
            282, 751, 282, 690, 283, 682, 286, 674, 290, 668, 296, 662, 304, 659, 315, 657, 446, 657,
        ];
        let ([left, right], [top, bottom]) = ([281.999_94, 478.999_94], [656.999_94, 783.999_94]);
        let corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
        assert_eq!(rect_of(grown.as_chunks().0).corners, corners);
        // Two calipers that meet their next edges at almost the same angle.
        let tilted = [
            300, 690, 299, 691, 176, 691, 175, 692, 174, 691, 172, 691, 171, 692, 49, 692, 48, 693, 48, 699,
            49, 700, 49, 701, 125, 701, 126, 700, 245, 700, 246, 699, 378, 699, 379, 698, 379, 691, 378, 690,
            304, 690, 303, 691, 302, 690,
        ];
        let corners = [
            [47.944_52, 691.980_65],
            [378.987_06, 689.363_7],
            [379.063_17, 698.991_5],
            [48.020_63, 701.608_46],
        ];
        assert_eq!(rect_of(tilted.as_chunks().0).corners, corners);
    }

    #[test]
    fn points_and_segments_are_flat_rectangles() {
        assert_eq!(rect_of(&[[5, 5]]).short_side, 0.0);
        let segment = rect_of(&[[0, 0], [4, 4], [2, 2]]);
        assert_eq!(segment.short_side, 0.0);
        assert_eq!(sides(&segment).iter().sum::<f32>(), 32f32.sqrt());
        assert!(min_area_rect(&[]).is_none());
    }

    proptest! {
        #[test]
        fn rectangle_holds_every_point_and_no_angle_gives_a_smaller_one(
            points in prop::collection::vec([-60..60i32, -60..60i32], 3..40)
        ) {
            let rect = rect_of(&points);
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
            let rect = rect_of(&points);
            let moved = rect_of(&points.iter().map(|p| [p[0] + dx, p[1] + dy]).collect::<Vec<_>>());
            let turned = rect_of(&points.iter().map(|p| [-p[1], p[0]]).collect::<Vec<_>>());
            for other in [&moved, &turned] {
                prop_assert!((area(&rect) - area(other)).abs() <= 1e-3 * area(&rect).max(1.0));
            }
        }

        #[test]
        fn hull_is_convex_and_holds_every_point(points in prop::collection::vec([-60..60i32, -60..60i32], 1..60)) {
            let mut hull = Vec::new();
            convex_hull(&points, &mut Vec::new(), &mut hull);
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
