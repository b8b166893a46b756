//! How well text was read, where the true text is known.

use strsim::generic_levenshtein;

/// Without white space, in lower case: neither is held against a reading.
fn normal(text: &str) -> Vec<char> {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// Counts over many pictures.
#[derive(Debug, Default)]
pub(crate) struct Quality {
    pub(crate) lines: usize,
    /// Lines whose text occurs in what was read, all joined.
    pub(crate) found: usize,
    /// Lines that were read word for word, by themselves.
    pub(crate) identical: usize,
    pub(crate) characters: usize,
    /// Between all true lines and all that was read, each joined in its order.
    pub(crate) page_edits: usize,
    /// Between each line that was not found and whatever read line is nearest to it.
    pub(crate) line_edits: usize,
    /// Lines read in pictures without text.
    pub(crate) invented: usize,
    /// What went wrong.
    pub(crate) misses: String,
}

impl Quality {
    /// Counts one picture's lines.
    pub(crate) fn add(&mut self, file: &str, truth: &[&str], read: &[&str]) {
        let lines: Vec<Vec<char>> = truth.iter().map(|line| normal(line)).collect();
        let hypotheses: Vec<Vec<char>> = read.iter().map(|line| normal(line)).collect();
        if lines.is_empty() {
            self.invented += hypotheses.len();
            if !hypotheses.is_empty() {
                self.misses.push_str(&format!("\n{file}: {read:?} where nothing is written"));
            }
            return;
        }
        let joined: String = hypotheses.concat().into_iter().collect();
        self.page_edits += generic_levenshtein(&lines.concat(), &hypotheses.concat());
        for (line, text) in lines.iter().zip(truth) {
            self.lines += 1;
            self.characters += line.len();
            self.identical += usize::from(hypotheses.contains(line));
            if joined.contains(&line.iter().collect::<String>()) {
                self.found += 1;
            } else {
                let nearest = hypotheses.iter().map(|read| generic_levenshtein(line, read)).min();
                self.line_edits += nearest.unwrap_or(line.len()).min(line.len());
                self.misses.push_str(&format!("\n{file}: {text:?} in {read:?}"));
            }
        }
    }
}

#[test]
fn counts_follow_their_definitions() {
    let mut quality = Quality::default();
    quality.add("a", &["One two", "Three", "Four"], &["ONETWO th", "ree", "for"]);
    assert_eq!((quality.lines, quality.found, quality.identical, quality.characters), (3, 2, 0, 15));
    assert_eq!((quality.page_edits, quality.line_edits), (1, 1));
    quality.add("b", &[], &["x"]);
    assert_eq!((quality.lines, quality.invented), (3, 1));
}
