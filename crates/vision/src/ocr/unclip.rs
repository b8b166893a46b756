use std::f64::consts::{PI, TAU};

use super::Quad;
use super::rect::GridPoint;

/// How far to move the sides of `quad` outwards: `area · ratio / perimeter`.
///
/// The network is trained on regions shrunk by the same rule, so a ratio around the training's own restores the
/// text's extent. Too little cuts strokes off at the line's ends; too much lets the neighbouring line in.
pub(super) fn margin(quad: &Quad, ratio: f64) -> f64 {
    let corner = |i: usize| quad[i % 4].map(f64::from);
    let (mut area, mut perimeter) = (0.0, 0.0);
    for i in 0..4 {
        let ([ax, ay], [bx, by]) = (corner(i), corner(i + 1));
        area += ax * by - bx * ay;
        perimeter += (bx - ax).hypot(by - ay);
    }
    if perimeter > 0.0 { (area / 2.0).abs() * ratio / perimeter } else { 0.0 }
}

/// Moves the sides of `quad` outwards by `margin` and rounds the corners off, as Clipper's polygon offset does (round
/// joins, arc tolerance 0.25). Fills `out` with the outline's points, rounded to the grid; with none if the
/// quadrilateral has no area.
///
/// Corners lose their fraction first, as in the references: a region can move by up to a pixel of the map.
pub(super) fn expand(quad: &Quad, margin: f64, out: &mut Vec<GridPoint>) {
    out.clear();
    let mut corners: Vec<[f64; 2]> = Vec::with_capacity(4);
    for corner in quad.map(|c| c.map(|v| f64::from(v.trunc()))) {
        if corners.last() != Some(&corner) {
            corners.push(corner);
        }
    }
    while corners.len() > 1 && corners.first() == corners.last() {
        corners.pop();
    }
    if corners.len() < 3 || margin <= 0.0 {
        return;
    }
    let count = corners.len();
    let doubled: f64 = (0..count)
        .map(|i| {
            let (a, b) = (corners[i], corners[(i + 1) % count]);
            a[0] * b[1] - b[0] * a[1]
        })
        .sum();
    if doubled < 0.0 {
        corners.reverse();
    }
    let normals: Vec<[f64; 2]> = (0..count)
        .map(|i| {
            let (a, b) = (corners[i], corners[(i + 1) % count]);
            let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
            let length = dx.hypot(dy);
            [dy / length, -dx / length]
        })
        .collect();

    // Chords stay within the tolerance of the arc.
    let tolerance = (0.25 * margin).min(0.25);
    let steps = (PI / (1.0 - tolerance / margin).acos()).min(margin * PI);
    let (sin, cos) = (TAU / steps).sin_cos();
    let mut emit = |corner: [f64; 2], normal: [f64; 2]| {
        // Half away from zero, which is also how `round` rounds.
        out.push([0, 1].map(|i| (corner[i] + normal[i] * margin).round() as i32));
    };
    let mut before = normals[count - 1];
    for (&corner, &after) in corners.iter().zip(&normals) {
        let cross = before[0] * after[1] - after[0] * before[1];
        let dot = before[0] * after[0] + before[1] * after[1];
        if (cross * margin).abs() < 1.0 && dot > 0.0 {
            // Too flat for an arc. The earlier normal stays for the next corner.
            emit(corner, before);
            continue;
        }
        if cross < 0.0 {
            emit(corner, before);
            emit(corner, [0.0, 0.0]);
        } else {
            let angle = cross.min(1.0).atan2(dot).abs();
            let mut normal = before;
            for _ in 0..((steps / TAU * angle).round() as usize).max(1) {
                emit(corner, normal);
                normal = [normal[0] * cos - normal[1] * sin, normal[0] * sin + normal[1] * cos];
            }
        }
        emit(corner, after);
        before = after;
    }

    // Clipper's outlines begin behind the right end of their top; `rect::convex_hull` goes by that.
    out.dedup();
    if out.len() > 1 && out.first() == out.last() {
        out.pop();
    }
    if let Some(top) = (0..out.len()).max_by_key(|&i| (-out[i][1], out[i][0])) {
        out.rotate_left(top + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::super::rect::convex_hull;
    use super::*;
    use proptest::prelude::*;

    fn quad(x: f32, y: f32, w: f32, h: f32, degrees: f32) -> Quad {
        let (sin, cos) = degrees.to_radians().sin_cos();
        [[0.0, 0.0], [w, 0.0], [w, h], [0.0, h]].map(|[u, v]| [x + u * cos - v * sin, y + u * sin + v * cos])
    }

    #[test]
    fn margin_is_area_over_perimeter() {
        assert!((margin(&quad(0.0, 0.0, 30.0, 10.0, 0.0), 1.6) - 300.0 * 1.6 / 80.0).abs() < 1e-9);
        assert_eq!(margin(&[[1.0, 1.0]; 4], 1.6), 0.0);
    }

    #[test]
    fn upright_rectangle_grows_by_the_margin() {
        let mut out = Vec::new();
        expand(&quad(100.7, 50.2, 40.0, 20.0, 0.0), 8.0, &mut out);
        let span =
            |i: usize| (out.iter().map(|p| p[i]).min().unwrap(), out.iter().map(|p| p[i]).max().unwrap());
        assert_eq!((span(0), span(1)), ((92, 148), (42, 78)));
    }

    #[test]
    fn outlines_are_those_of_clipper_from_the_same_point_on() {
        let mut out = Vec::new();
        expand(&quad(265.0, 795.0, 208.0, 15.0, 0.0), 11.192_825_112_107_624, &mut out);
        let mut hull = Vec::new();
        convex_hull(&out, &mut Vec::new(), &mut hull);
        // pyclipper 1.4.0: round joins, closed polygon.
        let clipper = [
            478, 785, 481, 788, 484, 792, 484, 810, 483, 815, 480, 818, 476, 821, 265, 821, 260, 820, 257,
            817, 254, 813, 254, 795, 255, 790, 258, 787, 262, 784, 473, 784,
        ];
        assert_eq!(hull, clipper.as_chunks().0);
        assert_eq!(out[0], hull[0]);
    }

    #[test]
    fn flat_shapes_give_nothing() {
        let mut out = Vec::new();
        expand(&[[1.0, 1.0], [1.2, 1.4], [9.0, 9.0], [1.0, 1.0]], 3.0, &mut out);
        expand(&quad(0.0, 0.0, 10.0, 10.0, 0.0), 0.0, &mut out);
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn outline_keeps_its_distance(
            x in 0f32..500.0, y in 0f32..500.0, w in 6f32..200.0, h in 6f32..60.0, degrees in 0f32..180.0
        ) {
            let quad = quad(x, y, w, h, degrees);
            let margin = margin(&quad, 1.6);
            let mut out = Vec::new();
            expand(&quad, margin, &mut out);
            prop_assert!(out.len() >= 4);
            let corners = quad.map(|c| c.map(|v| f64::from(v.trunc())));
            for point in out {
                let p = point.map(f64::from);
                // Distance to the nearest side; the grid costs up to 0.71 and the chords of the arcs 0.25.
                let nearest = (0..4).map(|i| {
                    let (a, b) = (corners[i], corners[(i + 1) % 4]);
                    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
                    let t = (((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
                    (p[0] - a[0] - t * dx).hypot(p[1] - a[1] - t * dy)
                }).fold(f64::MAX, f64::min);
                prop_assert!((nearest - margin).abs() < 1.0, "{} {}", nearest, margin);
            }
        }

        #[test]
        fn translation_moves_the_outline(
            w in 6f32..200.0, h in 6f32..60.0, degrees in 0f32..180.0, dx in 0..300i32, dy in 0..300i32
        ) {
            let (mut here, mut there) = (Vec::new(), Vec::new());
            let base = quad(300.0, 300.0, w, h, degrees).map(|c| c.map(f32::trunc));
            expand(&base, 7.3, &mut here);
            expand(&base.map(|c| [c[0] + dx as f32, c[1] + dy as f32]), 7.3, &mut there);
            prop_assert_eq!(here.iter().map(|p| [p[0] + dx, p[1] + dy]).collect::<Vec<_>>(), there);
        }
    }
}
