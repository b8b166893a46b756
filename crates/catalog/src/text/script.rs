//! Which writing a character belongs to; ranges from Unicode's `Blocks.txt`.

/// Is this Chinese, Japanese or Korean: written without spaces, or with words that grow endings?
pub fn is_cjk(c: char) -> bool {
    is_han(c)
        || matches!(c,
            '\u{1100}'..='\u{11ff}'      // Hangul letters
            | '\u{2e80}'..='\u{2fdf}'    // radicals
            | '\u{3021}'..='\u{3029}'    // Suzhou numerals
            | '\u{3031}'..='\u{303c}'    // iteration marks
            | '\u{3041}'..='\u{318f}'    // Hiragana, Katakana, Bopomofo, Hangul letters
            | '\u{31a0}'..='\u{31bf}'    // Bopomofo
            | '\u{31f0}'..='\u{31ff}'    // small Katakana
            | '\u{a960}'..='\u{a97f}'    // Hangul letters
            | '\u{ac00}'..='\u{d7ff}'    // Hangul
            | '\u{1b000}'..='\u{1b16f}') // old Kana
}

/// Is this a digit, or another sign for a number, as Unicode has them?
pub fn is_number(c: char) -> bool {
    match c {
        '\0'..='\u{7f}' => c.is_ascii_digit(),
        // No such sign among Chinese characters and Hangul; to look that up takes long.
        '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7ff}' => false,
        _ => c.is_numeric(),
    }
}

/// Is this a Chinese character, in whatever language?
pub fn is_han(c: char) -> bool {
    matches!(c,
        '\u{3005}' | '\u{3007}' // 々 〇
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_unicode() {
        for c in '\0'..=char::MAX {
            assert_eq!(is_number(c), c.is_numeric(), "{c:?}");
        }
    }
}
