//! Corrections by hand, and how they survive a new recognition.
use crate::{TextLine, overlap::share_inside};

/// A new line is what was corrected before if at least this part of its area lies in the corrected line's box. More than half, so
/// that a line has one correction at most.
const SAME_LINE: f32 = 0.5;

/// A line as stores keep it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredLine {
    /// As it is shown and found.
    pub(crate) line: TextLine,
    /// What the machine read, and its confidence, if the line was corrected.
    pub(crate) read: Option<(String, f32)>,
}

impl StoredLine {
    /// Replaces the text by hand.
    pub(crate) fn correct(&mut self, text: &str) {
        self.read.get_or_insert_with(|| (std::mem::take(&mut self.line.text), self.line.score));
        text.clone_into(&mut self.line.text);
        self.line.score = 1.0;
        self.line.corrected = true;
    }

    /// Puts it back to what the machine read; false if it never was corrected.
    pub(crate) fn undo(&mut self) -> bool {
        let Some((text, score)) = self.read.take() else { return false };
        self.line.text = text;
        self.line.score = score;
        self.line.corrected = false;
        true
    }
}

/// The lines that a machine read, with earlier corrections in their places.
///
/// A corrected line replaces all new lines that lie mostly in its box, and stands where the first of them stood. It keeps its box, so that
/// a part of it that was read alone does not narrow it. One that the machine did not find again stays at its place in the order.
pub(crate) fn merge(read: &[TextLine], before: Vec<StoredLine>) -> Vec<StoredLine> {
    let mut lines: Vec<Option<StoredLine>> = read
        .iter()
        .map(|line| Some(StoredLine { line: TextLine { corrected: false, ..line.clone() }, read: None }))
        .collect();
    let mut unmatched = Vec::new();
    for (place, mut corrected) in before.into_iter().enumerate().filter(|(_, old)| old.read.is_some()) {
        let mut first = None;
        let mut pieces: Vec<TextLine> = Vec::new();
        for (at, slot) in lines.iter_mut().enumerate() {
            let same = |new: &mut StoredLine| {
                new.read.is_none() && share_inside(&new.line.corners, &corrected.line.corners) >= SAME_LINE
            };
            if let Some(piece) = slot.take_if(same) {
                first.get_or_insert(at);
                pieces.push(piece.line);
            }
        }
        match first {
            Some(at) => {
                let text = pieces.iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>().join(" ");
                let score = pieces.iter().map(|piece| piece.score).fold(1.0, f32::min);
                corrected.read = Some((text, score));
                lines[at] = Some(corrected);
            }
            None => unmatched.push((place, corrected)),
        }
    }
    let mut lines: Vec<StoredLine> = lines.into_iter().flatten().collect();
    for (place, corrected) in unmatched {
        lines.insert(place.min(lines.len()), corrected);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, [x0, y0, x1, y1]: [f32; 4]) -> TextLine {
        TextLine {
            text: text.to_owned(),
            score: 0.9,
            corners: [[x0, y0], [x1, y0], [x1, y1], [x0, y1]],
            corrected: false,
        }
    }

    fn corrected(text: &str, read: &str, area: [f32; 4]) -> StoredLine {
        let mut stored = StoredLine { line: line(read, area), read: None };
        stored.correct(text);
        stored
    }

    fn texts(lines: &[StoredLine]) -> Vec<(&str, bool)> {
        lines.iter().map(|stored| (stored.line.text.as_str(), stored.line.corrected)).collect()
    }

    #[test]
    fn a_correction_takes_the_place_of_the_line_at_its_place() {
        let new = [line("one", [0.1, 0.1, 0.9, 0.2]), line("tvvo", [0.11, 0.3, 0.88, 0.41])];
        let merged = merge(&new, vec![corrected("two", "tuo", [0.1, 0.3, 0.9, 0.4])]);
        assert_eq!(texts(&merged), [("one", false), ("two", true)]);
        assert_eq!(merged[1].read, Some(("tvvo".to_owned(), 0.9)));
    }

    #[test]
    fn a_line_that_is_now_read_in_parts_is_replaced_as_a_whole() {
        let new = [
            line("left", [0.1, 0.3, 0.4, 0.4]),
            line("right", [0.5, 0.3, 0.9, 0.4]),
            line("below", [0.1, 0.5, 0.9, 0.6]),
        ];
        let merged = merge(&new, vec![corrected("left right!", "leftright", [0.1, 0.3, 0.9, 0.4])]);
        assert_eq!(texts(&merged), [("left right!", true), ("below", false)]);
    }

    #[test]
    fn a_correction_whose_line_is_not_read_again_stays_in_the_order() {
        let new = [line("one", [0.1, 0.1, 0.9, 0.2]), line("three", [0.1, 0.5, 0.9, 0.6])];
        let before = vec![
            StoredLine { line: line("one", [0.1, 0.1, 0.9, 0.2]), read: None },
            corrected("two", "tuo", [0.1, 0.3, 0.9, 0.4]),
        ];
        assert_eq!(texts(&merge(&new, before)), [("one", false), ("two", true), ("three", false)]);
    }

    #[test]
    fn a_longer_line_that_only_touches_it_is_kept() {
        let new = [line("one and two and three", [0.0, 0.1, 1.0, 0.2])];
        let merged = merge(&new, vec![corrected("One", "0ne", [0.0, 0.1, 0.3, 0.2])]);
        assert_eq!(texts(&merged), [("One", true), ("one and two and three", false)]);
    }

    #[test]
    fn undoing_gives_back_what_was_read_first_however_often_it_was_corrected() {
        let mut stored = corrected("second", "first", [0.0, 0.0, 1.0, 1.0]);
        stored.correct("third");
        assert_eq!((stored.line.text.as_str(), stored.line.score), ("third", 1.0));
        assert!(stored.undo());
        assert_eq!((stored.line.text.as_str(), stored.line.score), ("first", 0.9));
        assert!(!stored.undo());
    }
}
