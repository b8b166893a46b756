//! One answer from two readings of a picture.

use super::Quad;
use super::rect::distance;
use viewfinder_core::ocr::Line;

/// Places along a line, as shares of its length, at which it is compared with others.
const PLACES: [f32; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];

/// Adds to `careful` those lines of `quick`, of at least `min_score`, that it holds nothing in place of. Each reading
/// finds print that the other loses: the careful one what is small, the quick one what is pale.
///
/// An added line goes before the first that begins lower.
pub(super) fn complete(mut careful: Vec<Line>, quick: Vec<Line>, min_score: f64) -> Vec<Line> {
    let found: Vec<Quad> = careful.iter().map(|line| line.corners).collect();
    for line in quick.into_iter().filter(|line| line.score >= min_score) {
        let taken = middle(&line.corners).iter().any(|&point| found.iter().any(|quad| holds(quad, point)));
        if !taken {
            let top = line.corners[0][1];
            let at = careful.iter().position(|other| other.corners[0][1] > top).unwrap_or(careful.len());
            careful.insert(at, line);
        }
    }
    careful
}

/// Points along the middle of a line, from end to end.
fn middle(&[a, b, c, d]: &Quad) -> [[f32; 2]; 5] {
    let half = |p: [f32; 2], q: [f32; 2]| [f32::midpoint(p[0], q[0]), f32::midpoint(p[1], q[1])];
    let (from, to) =
        if distance(a, b) >= distance(a, d) { (half(a, d), half(b, c)) } else { (half(a, b), half(d, c)) };
    PLACES.map(|at| [from[0] + (to[0] - from[0]) * at, from[1] + (to[1] - from[1]) * at])
}

/// Whether a convex quadrilateral holds a point; its edges belong to it.
fn holds(quad: &Quad, [x, y]: [f32; 2]) -> bool {
    let side = |i: usize| {
        let ([ax, ay], [bx, by]) = (quad[i], quad[(i + 1) % 4]);
        (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    };
    let sides = [side(0), side(1), side(2), side(3)];
    sides.iter().all(|&side| side >= 0.0) || sides.iter().all(|&side| side <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, score: f64, [x, y, w, h]: [f32; 4]) -> Line {
        let corners = [[x, y], [x + w, y], [x + w, y + h], [x, y + h]];
        Line { text: text.to_owned(), score, region_score: 0.9, corners }
    }

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn only_credible_lines_in_free_places_are_added_in_order() {
        let careful =
            vec![line("b", 0.8, [0.0, 50.0, 100.0, 20.0]), line("d", 0.8, [0.0, 150.0, 100.0, 20.0])];
        let quick = vec![
            line("a", 0.95, [0.0, 0.0, 100.0, 20.0]),
            line("b whole", 0.99, [0.0, 48.0, 400.0, 22.0]),
            line("c", 0.9, [0.0, 100.0, 100.0, 20.0]),
            line("weak", 0.89, [0.0, 120.0, 100.0, 20.0]),
            line("e", 0.95, [0.0, 200.0, 20.0, 100.0]),
        ];
        assert_eq!(texts(&complete(careful, quick.clone(), 0.9)), ["a", "b", "c", "d", "e"]);
        assert_eq!(texts(&complete(Vec::new(), quick[..1].to_vec(), 0.9)), ["a"]);
    }

    #[test]
    fn tilted_neighbours_are_not_in_each_others_place() {
        // Two lines that fall by 100 pixels in 400: their upright bounds overlap, they do not.
        let tilted = |text: &str, y: f32| Line {
            corners: [[0.0, y], [400.0, y + 100.0], [400.0, y + 120.0], [0.0, y + 20.0]],
            ..line(text, 0.95, [0.0; 4])
        };
        let both = complete(vec![tilted("upper", 0.0)], vec![tilted("lower", 30.0)], 0.9);
        assert_eq!(texts(&both), ["upper", "lower"]);
        assert_eq!(complete(vec![tilted("upper", 0.0)], vec![tilted("same", 5.0)], 0.9).len(), 1);
    }
}
