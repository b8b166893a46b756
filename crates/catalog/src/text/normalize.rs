//! One form for texts that a reader takes for the same: compatibility forms (NFKC: full width, half-width kana,
//! ligatures), case and accents go; traditional and simplified characters stay apart.
use std::ops::Range;

use unicode_normalization::{
    UnicodeNormalization as _,
    char::{canonical_combining_class, decompose_compatible},
};

use super::script::is_han;

/// What stands before a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gap {
    /// Another letter.
    None,
    /// One sign, as in `2024-01` or `京A·123`.
    Joint,
    /// White space, several signs, or the beginning of the line.
    Space,
}

/// A normalised letter or digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The letter.
    pub value: char,
    /// Bytes of the original that it stands for. Neighbours share them where one character becomes several (`㎡`, `ﬁ`).
    pub place: Range<usize>,
    /// What stands before it.
    pub gap: Gap,
}

/// The letters of a line as text, without what stands between them.
pub fn normalized(line: &str) -> String {
    text_of(&letters(line))
}

/// Letters as text.
pub(crate) fn text_of(letters: &[Letter]) -> String {
    letters.iter().map(|letter| letter.value).collect()
}

/// Letters and digits of a line, normalised. All else only parts them.
pub fn letters(line: &str) -> Vec<Letter> {
    let mut reader = Reader { letters: Vec::with_capacity(line.len()), gap: Gap::Space };
    let mut rest = line.char_indices().peekable();
    while let Some((start, c)) = rest.next() {
        let mut end = start + c.len_utf8();
        while let Some((at, mark)) = rest.next_if(|(_, next)| continues(*next)) {
            end = at + mark.len_utf8();
        }
        let place = start..end;
        if place.len() == 1 || (is_han(c) && place.len() == c.len_utf8() && c < '\u{f900}') {
            reader.take(c.to_ascii_lowercase(), &place); // nothing else to change: by far the most frequent
        } else {
            for c in fold(&line[place.clone()]).chars() {
                reader.take(c, &place);
            }
        }
    }
    reader.letters
}

struct Reader {
    letters: Vec<Letter>,
    gap: Gap,
}

impl Reader {
    fn take(&mut self, value: char, place: &Range<usize>) {
        if value.is_alphanumeric() {
            self.letters.push(Letter { value, place: place.clone(), gap: self.gap });
            self.gap = Gap::None;
        } else if !is_invisible(value) {
            self.gap = if self.gap == Gap::None && !value.is_whitespace() { Gap::Joint } else { Gap::Space };
        }
    }
}

/// Does the character belong to the one before it?
fn continues(c: char) -> bool {
    if c.is_ascii() {
        return false;
    }
    let mut first = None;
    decompose_compatible(c, |part| first = first.or(Some(part)));
    // Marks; vowels and finals of decomposed Hangul.
    first.is_some_and(|c| canonical_combining_class(c) != 0 || matches!(c, '\u{1160}'..='\u{11ff}'))
}

/// The common form of one character with its marks.
fn fold(cluster: &str) -> String {
    // Through upper case, because `ß` and `SS`, `ς` and `σ` meet only there; and through lower case before, for `ẞ`, which is its own.
    let small = cluster.nfkd().flat_map(char::to_lowercase);
    let folded = small.flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    let plain: String = folded.nfkd().filter(|c| !is_accent(*c)).flat_map(latin).collect();
    plain.nfc().collect()
}

/// Marks that a search should not ask for. Vowels of Indian and Thai scripts and the dots of kana are no accents.
fn is_accent(c: char) -> bool {
    match canonical_combining_class(c) {
        0 | 8 => false,          // letters; 8: voiced kana
        10..=36 | 200.. => true, // points of Hebrew, Arabic, Syriac; what stands over and under letters anywhere
        _ => !c.is_alphanumeric(),
    }
}

/// Latin letters with strokes, and joined ones, which Unicode does not take apart.
fn latin(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        'ø' => ('o', None),
        'đ' | 'ð' => ('d', None),
        'ł' => ('l', None),
        'ħ' => ('h', None),
        'ŧ' => ('t', None),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'þ' => ('t', Some('h')),
        _ => (c, None),
    };
    std::iter::once(first).chain(second)
}

/// Signs that nobody sees: joiners, soft hyphens, directions, variants of a glyph.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3099}'..='\u{309a}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(line: &str) -> String {
        letters(line).iter().map(|letter| letter.value).collect()
    }

    #[test]
    fn what_looks_the_same_is_the_same() {
        for (one, other) in [
            ("ＡＢＣ１２３", "abc123"),
            ("Ｗｉ－Ｆｉ", "wifi"),
            ("ｶﾞﾗｽ", "ガラス"),
            ("ラーメン", "ﾗｰﾒﾝ"),
            ("カ\u{3099}", "ガ"),
            ("N.º 338750", "no338750"),
            ("cumpleaños", "CUMPLEAN\u{303}OS"),
            ("Café", "cafe"),
            ("Straße", "STRASSE"),
            ("Σίσυφος", "σισυφοσ"),
            ("Łódź Øre Ærø", "lodzoreaero"),
            ("ﬁn", "FIN"),
            ("25㎡", "25m2"),
            ("⼀⼆", "一二"),
            ("한글", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"),
            ("مُحَمَّد", "محمد"),
            ("京Ａ·１２３４５", "京a12345"),
            ("soft\u{ad}hyphen", "softhyphen"),
        ] {
            assert_eq!(plain(one), plain(other), "{one}");
        }
        for (one, other) in [("發票", "发票"), ("は", "ば"), ("は", "ハ"), ("กา", "กู")] {
            assert_ne!(plain(one), plain(other), "{one}");
        }
    }

    #[test]
    fn gaps_and_places_are_those_of_the_original() {
        let line = "（㎡）Á-b  c—«d";
        let letters = letters(line);
        let found: Vec<_> = letters.iter().map(|l| (l.value, &line[l.place.clone()], l.gap)).collect();
        assert_eq!(
            found,
            [
                ('m', "㎡", Gap::Space),
                ('2', "㎡", Gap::None),
                ('a', "Á", Gap::Joint),
                ('b', "b", Gap::Joint),
                ('c', "c", Gap::Space),
                ('d', "d", Gap::Space),
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_becomes_letters_with_places_in_order(line in "\\PC*") {
            let mut last = 0;
            for letter in letters(&line) {
                prop_assert!(letter.value.is_alphanumeric());
                prop_assert!(line.get(letter.place.clone()).is_some_and(|part| !part.is_empty()));
                prop_assert!(letter.place.start >= last);
                last = letter.place.start;
            }
        }

        #[test]
        fn a_second_time_changes_nothing(line in "\\PC*") {
            // With what parts them: marks and parts of Hangul that come to stand side by side are another text.
            let parted = |line: &str| {
                let letters = letters(line);
                let parted = letters.iter().map(|letter| match letter.gap {
                    Gap::None => String::from(letter.value),
                    Gap::Joint | Gap::Space => format!(" {}", letter.value),
                });
                parted.collect::<String>()
            };
            let once = parted(&line);
            prop_assert_eq!(parted(&once), once);
        }
    }
}
