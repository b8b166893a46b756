//! Whether the quick reading of a picture can be answered as it is.

use super::rect::distance;
use viewfinder_core::ocr::Line;

/// Bounds within which a quick reading agrees with a careful one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SecondPass {
    /// A line read with less confidence is weak. Clean print is read at 0.95 to 1; below 0.9 one character in ten or
    /// so is a guess.
    pub(super) weak_below: f64,
    /// So many weak lines mean that the whole picture reads badly; fewer may be a stray mark, or decoration.
    pub(super) most_weak: usize,
    /// Least height of a line in picture pixels. Lower ones would enter the recogniser, 48 pixels high, magnified
    /// more than twice: such print, and what surrounds it, is too small for the detector unless it is enlarged.
    pub(super) lowest: f32,
    /// Greatest height of a line in the detector's picture. The detector's field of view covers higher letters in
    /// part only, so that lines come apart.
    pub(super) highest_seen: f32,
}

impl SecondPass {
    /// For PP-OCR's detectors and recognisers.
    pub(super) const PP_OCR: Self = Self { weak_below: 0.9, most_weak: 1, lowest: 24.0, highest_seen: 128.0 };

    /// Whether `lines`, found at `scale` detector pixels per picture pixel, need no second look. A picture in
    /// which nothing was read is not looked at again: most photos hold no text, and they must stay cheap.
    pub(super) fn accepts(&self, lines: &[Line], scale: f64) -> bool {
        let weak = lines.iter().filter(|line| line.score < self.weak_below).count();
        let most_weak = self.most_weak.min(lines.len().saturating_sub(1));
        weak <= most_weak
            && lines.iter().map(height).all(|height| {
                height >= self.lowest && f64::from(height) * scale <= f64::from(self.highest_seen)
            })
    }
}

/// The mean length of a line's shorter pair of sides: its height, or the width of a column.
fn height(line: &Line) -> f32 {
    let [a, b, c, d] = line.corners;
    let mean = |one: f32, other: f32| f32::midpoint(one, other);
    mean(distance(a, d), distance(b, c)).min(mean(distance(a, b), distance(d, c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(score: f64, width: f32, height: f32) -> Line {
        let corners = [[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]];
        Line { text: "a".to_owned(), score, region_score: 0.9, corners }
    }

    fn accepts(lines: &[Line], scale: f64) -> bool {
        SecondPass::PP_OCR.accepts(lines, scale)
    }

    #[test]
    fn nothing_read_is_not_looked_at_again() {
        assert!(accepts(&[], 1.0));
    }

    #[test]
    fn one_weak_line_is_forgiven_among_others_only() {
        let (good, weak) = (line(0.95, 200.0, 30.0), line(0.85, 200.0, 30.0));
        assert!(accepts(&[good.clone(), weak.clone()], 1.0));
        assert!(!accepts(std::slice::from_ref(&weak), 1.0));
        assert!(!accepts(&[good, weak.clone(), weak], 1.0));
        assert!(accepts(&[line(0.9, 200.0, 30.0)], 1.0));
    }

    #[test]
    fn heights_count_in_the_picture_below_and_in_the_network_above() {
        assert!(!accepts(&[line(1.0, 200.0, 23.9)], 1.0));
        assert!(accepts(&[line(1.0, 200.0, 24.0)], 0.25));
        assert!(!accepts(&[line(1.0, 900.0, 129.0)], 1.0));
        assert!(accepts(&[line(1.0, 900.0, 300.0)], 0.4));
        // A column: its width counts.
        assert!(accepts(&[line(1.0, 40.0, 900.0)], 1.0));
    }
}
