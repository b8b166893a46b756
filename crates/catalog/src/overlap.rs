//! How much of one four-cornered box lies in another.

type Point = [f32; 2];

/// The part of `inner`'s area that lies in `outer`, 0 to 1. Both are convex, in any turn; what has no area lies nowhere.
pub(crate) fn share_inside(inner: &[Point; 4], outer: &[Point; 4]) -> f32 {
    let area = signed_area(inner).abs();
    let turn = signed_area(outer).signum();
    if area <= f32::EPSILON * f32::EPSILON || signed_area(outer) == 0.0 {
        return 0.0;
    }
    // Cut `inner` along each side of `outer` (Sutherland and Hodgman).
    let mut shape = inner.to_vec();
    for side in 0..4 {
        shape = cut(&shape, outer[side], outer[(side + 1) % 4], turn);
    }
    (signed_area(&shape).abs() / area).min(1.0)
}

/// The part of a shape on the inner side of the line from `a` to `b`.
fn cut(shape: &[Point], a: Point, b: Point, turn: f32) -> Vec<Point> {
    let depth = |p: Point| turn * ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]));
    let mut kept = Vec::with_capacity(shape.len() + 1);
    for (i, &p) in shape.iter().enumerate() {
        let q = shape[(i + 1) % shape.len()];
        let (at_p, at_q) = (depth(p), depth(q));
        if at_p >= 0.0 {
            kept.push(p);
        }
        if (at_p > 0.0 && at_q < 0.0) || (at_p < 0.0 && at_q > 0.0) {
            let t = at_p / (at_p - at_q);
            kept.push([p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])]);
        }
    }
    kept
}

/// Half the sum of the corners' cross products; its sign tells the turn.
fn signed_area(shape: &[Point]) -> f32 {
    let ends = shape.iter().zip(shape.iter().cycle().skip(1));
    ends.map(|(p, q)| p[0] * q[1] - q[0] * p[1]).sum::<f32>() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upright(x0: f32, y0: f32, x1: f32, y1: f32) -> [Point; 4] {
        [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    }

    #[test]
    fn shares_of_upright_boxes_are_those_of_their_sides() {
        let outer = upright(0.0, 0.0, 1.0, 1.0);
        assert!((share_inside(&upright(0.5, 0.5, 1.5, 1.0), &outer) - 0.5).abs() < 1e-6);
        assert!((share_inside(&upright(0.2, 0.2, 0.4, 0.9), &outer) - 1.0).abs() < 1e-6);
        assert!((share_inside(&upright(-1.0, -1.0, 3.0, 3.0), &outer) - 1.0 / 16.0).abs() < 1e-6);
        assert_eq!(share_inside(&upright(1.5, 0.0, 2.0, 1.0), &outer), 0.0);
    }

    #[test]
    fn neither_the_turn_nor_the_first_corner_matters() {
        let inner = upright(0.5, 0.5, 1.5, 1.0);
        let mut outer = upright(0.0, 0.0, 1.0, 1.0);
        outer.reverse();
        assert!((share_inside(&inner, &outer) - 0.5).abs() < 1e-6);
        outer.rotate_left(1);
        assert!((share_inside(&inner, &outer) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn tilted_lines_side_by_side_do_not_share_though_their_upright_boxes_do() {
        let along = |dx: f32| [[dx, 0.0], [1.0 + dx, 1.0], [0.95 + dx, 1.05], [dx - 0.05, 0.05]];
        assert_eq!(share_inside(&along(0.0), &along(0.3)), 0.0);
        assert!((share_inside(&along(0.3), &along(0.3)) - 1.0).abs() < 1e-4);
    }

    #[test]
    fn a_box_without_area_lies_nowhere() {
        let point = [[0.5, 0.5]; 4];
        assert_eq!(share_inside(&point, &upright(0.0, 0.0, 1.0, 1.0)), 0.0);
        assert_eq!(share_inside(&upright(0.0, 0.0, 1.0, 1.0), &point), 0.0);
    }
}
