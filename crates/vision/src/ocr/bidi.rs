//! Arabic, which a recogniser spells as it stands in the picture, from left to right.

use unicode_bidi::ParagraphBidiInfo;
use unicode_bidi_mirroring::get_mirrored;

/// Puts the characters of a line from left to right into the order in which they are read, brackets and their kin
/// turned over, by the algorithm that lays text out. Lines without Arabic or its kin stay as they are.
///
/// As `RapidOCR` does it, but by today's rules: brackets go with what they enclose.
pub(super) fn reading_order(text: String) -> String {
    let bidi = ParagraphBidiInfo::new(&text, None);
    if !bidi.has_rtl() {
        return text;
    }
    let levels = bidi.reordered_levels_per_char(0..text.len());
    let characters: Vec<char> = text.chars().collect();
    let place = |at: usize| match get_mirrored(characters[at]) {
        Some(mirrored) if levels[at].is_rtl() => mirrored,
        _ => characters[at],
    };
    ParagraphBidiInfo::reorder_visual(&levels).into_iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::reading_order;

    #[test]
    fn lines_are_ordered_as_by_rapidocr() {
        let pairs: Vec<[String; 2]> =
            serde_json::from_str(include_str!("../../../../tests/fixtures/ocr/arabic.json")).unwrap();
        for [standing, read] in pairs {
            assert_eq!(reading_order(standing.clone()), read, "{standing}");
        }
    }
}
