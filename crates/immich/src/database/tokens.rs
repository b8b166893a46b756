//! How Immich cuts text for its own search (v2.4 and later), in `ocr_search.text`.

/// Tokens of lines, joined by spaces: words as they are, and Chinese, Japanese and Korean in overlapping pairs.
pub(crate) fn search_text(lines: &[String]) -> String {
    let mut tokens: Vec<String> = Vec::new();
    for word in lines.iter().flat_map(|line| line.split(|c: char| c <= ' ')) {
        let letters: Vec<char> = word.chars().collect();
        for run in letters.chunk_by(|one, next| is_paired(*one) == is_paired(*next)) {
            if is_paired(run[0]) && run.len() > 1 {
                tokens.extend(run.windows(2).map(String::from_iter));
            } else {
                tokens.push(String::from_iter(run));
            }
        }
    }
    tokens.join(" ")
}

/// Immich's own ranges; rarer characters are words to it.
fn is_paired(c: char) -> bool {
    matches!(c,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_as_immich_does() {
        for (lines, expected) in [
            (&["增值税发票 No.42"][..], "增值 值税 税发 发票 No.42"),
            (&["HELLO IMMICH", "invoice 2026-11"], "HELLO IMMICH invoice 2026-11"),
            (&["票", " a\tb ", ""], "票 a b"),
            (&["A票据B 東京タワー 서울역"], "A 票据 B 東京 京タ タワ ワー 서울 울역"),
            (&["𠮷野家 ＡＢ"], "𠮷 野家 ＡＢ"),
        ] {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(search_text(&lines), expected);
        }
    }
}
