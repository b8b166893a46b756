use std::collections::HashMap;

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

use crate::Tensor;

/// Tokens per sentence that Chinese-CLIP was trained with, `[CLS]` and `[SEP]` included.
const CONTEXT: usize = 52;
/// Longer words become one `[UNK]`.
const MAX_WORD_CHARS: usize = 200;

const PAD: i64 = 0;
const UNK: i64 = 100;
const CLS: i64 = 101;
const SEP: i64 = 102;

/// One token a line; the line number is the id. Origin: see `chinese_vocab.md`.
const VOCABULARY: &str = include_str!("chinese_vocab.txt");

/// Chinese-CLIP's tokenizer: BERT's word pieces over the Chinese vocabulary, lower-cased, accents removed.
///
/// It follows the `cn-clip` package, which differs from Hugging Face's BERT tokenizer: `[MASK]` and its like
/// are plain text, a word may have 200 characters instead of 100, private-use characters become `[UNK]`
/// instead of vanishing, and lower-casing sees whole words (so that a final Greek sigma is `ς`).
#[derive(Debug)]
pub struct ChineseTokenizer {
    /// Pieces that start a word.
    starts: HashMap<&'static str, i64>,
    /// Pieces that continue a word, without their `##`.
    continuations: HashMap<&'static str, i64>,
    /// Characters of the longest piece.
    longest: usize,
}

impl Default for ChineseTokenizer {
    fn default() -> Self {
        Self::new()
    }
}

impl ChineseTokenizer {
    /// Builds the lookup tables of the vocabulary that is part of the program.
    pub fn new() -> Self {
        let mut tokenizer = Self { starts: HashMap::new(), continuations: HashMap::new(), longest: 0 };
        for (id, line) in VOCABULARY.trim_end_matches('\n').split('\n').enumerate() {
            let token = line.trim();
            // Two lines hold nothing but a line separator, which never survives into a word.
            match token.strip_prefix("##").filter(|rest| !rest.is_empty()) {
                Some(rest) => tokenizer.continuations.insert(rest, id as i64),
                None => tokenizer.starts.insert(token, id as i64),
            };
            tokenizer.longest = tokenizer.longest.max(token.chars().count());
        }
        tokenizer
    }

    /// One tensor of ids, `[1, 52]`; of a network that takes `any_length`, no longer than the sentence needs.
    ///
    /// Padding gets no attention, so the vector is the same. Lengths are multiples of 8, which suits matrix kernels and
    /// keeps the number of different shapes small.
    pub fn tokenize(&self, text: &str, any_length: bool) -> Vec<Tensor> {
        let mut ids = self.encode(text);
        if any_length {
            let used = ids.iter().rposition(|&id| id != PAD).map_or(0, |last| last + 1);
            ids.truncate(used.next_multiple_of(8).min(CONTEXT));
        }
        vec![Tensor::i64([1, ids.len()], ids)]
    }

    /// The 52 ids of a sentence: `[CLS]`, at most 50 pieces, `[SEP]`, then zeros.
    pub fn encode(&self, text: &str) -> Vec<i64> {
        let mut ids = Vec::with_capacity(CONTEXT);
        ids.push(CLS);
        for token in separate(text).split_whitespace() {
            let plain: String = token.to_lowercase().nfd().filter(|&c| !is_accent(c)).collect();
            for word in split_punctuation(&plain) {
                self.push_pieces(word, &mut ids);
            }
            if ids.len() >= CONTEXT {
                break;
            }
        }
        ids.truncate(CONTEXT - 1);
        ids.push(SEP);
        ids.resize(CONTEXT, PAD);
        ids
    }

    /// Appends the longest-match-first pieces of one word, or `[UNK]` if it cannot be covered.
    fn push_pieces(&self, word: &str, ids: &mut Vec<i64>) {
        let before = ids.len();
        // Byte position of every character, and of the end.
        let bounds: Vec<usize> = word.char_indices().map(|(at, _)| at).chain([word.len()]).collect();
        let chars = bounds.len() - 1;
        if chars > MAX_WORD_CHARS {
            ids.push(UNK);
            return;
        }
        let mut start = 0;
        while start < chars {
            let pieces = if start == 0 { &self.starts } else { &self.continuations };
            let longest = chars.min(start + self.longest);
            let found = (start + 1..=longest)
                .rev()
                .find_map(|end| pieces.get(&word[bounds[start]..bounds[end]]).map(|&id| (end, id)));
            let Some((end, id)) = found else {
                ids.truncate(before);
                ids.push(UNK);
                return;
            };
            ids.push(id);
            start = end;
        }
    }
}

/// Drops control characters, turns every kind of space into one, and sets ideographs apart.
fn separate(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    for c in text.chars() {
        match c {
            '\t' | '\n' | '\r' => out.push(' '),
            '\0' | '\u{fffd}' => {}
            c if c.is_ascii() => {
                if !c.is_ascii_control() {
                    out.push(c);
                }
            }
            c if is_ideograph(c) => out.extend([' ', c, ' ']),
            c => match get_general_category(c) {
                GeneralCategory::Control | GeneralCategory::Format => {}
                GeneralCategory::SpaceSeparator => out.push(' '),
                _ => out.push(c),
            },
        }
    }
    out
}

/// Cuts a word so that every punctuation character stands alone.
fn split_punctuation(word: &str) -> impl Iterator<Item = &str> {
    word.split_inclusive(is_punctuation).flat_map(|part| {
        // Only the last character of a part can be punctuation.
        let last = part.char_indices().next_back().filter(|&(_, c)| is_punctuation(c));
        let (head, tail) = part.split_at(last.map_or(part.len(), |(at, _)| at));
        [head, tail].into_iter().filter(|piece| !piece.is_empty())
    })
}

fn is_accent(c: char) -> bool {
    !c.is_ascii() && get_general_category(c) == GeneralCategory::NonspacingMark
}

/// The blocks of unified and compatibility ideographs that BERT knows; later extensions are not among them.
fn is_ideograph(c: char) -> bool {
    matches!(c,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2a6df}'
        | '\u{2a700}'..='\u{2b73f}' | '\u{2b740}'..='\u{2b81f}' | '\u{2b820}'..='\u{2ceaf}'
        | '\u{f900}'..='\u{faff}' | '\u{2f800}'..='\u{2fa1f}')
}

/// ASCII symbols count as punctuation too, whatever Unicode says of them.
fn is_punctuation(c: char) -> bool {
    use GeneralCategory::{
        ClosePunctuation, ConnectorPunctuation, DashPunctuation, FinalPunctuation, InitialPunctuation,
        OpenPunctuation, OtherPunctuation,
    };
    if c.is_ascii() {
        return c.is_ascii_punctuation();
    }
    matches!(
        get_general_category(c),
        ClosePunctuation
            | ConnectorPunctuation
            | DashPunctuation
            | FinalPunctuation
            | InitialPunctuation
            | OpenPunctuation
            | OtherPunctuation
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(text: &str) -> Vec<i64> {
        let ids = ChineseTokenizer::new().encode(text);
        let end = ids.iter().rposition(|&id| id != PAD).expect("never empty");
        ids[..=end].to_vec()
    }

    #[test]
    fn vocabulary_has_its_special_tokens_in_place() {
        let lines: Vec<&str> = VOCABULARY.trim_end_matches('\n').split('\n').collect();
        assert_eq!(lines.len(), 21128);
        assert_eq!(
            [lines[PAD as usize], lines[UNK as usize], lines[CLS as usize], lines[SEP as usize]],
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        );
    }

    #[test]
    fn special_tokens_are_plain_text() {
        assert_eq!(ids("[MASK]"), [101, 138, 9622, 8998, 140, 102]);
    }

    #[test]
    fn words_punctuation_and_ideographs_are_separated() {
        assert_eq!(ids("飞机"), [101, 7607, 3322, 102]);
        assert_eq!(ids("Hello, World! 你好"), [101, 8701, 117, 8572, 106, 872, 1962, 102]);
        assert_eq!(ids("iPhone15 Pro"), [101, 8210, 8493, 8376, 102]);
        assert_eq!(ids("ＡＢＣ１２３"), [101, 8051, 12641, 10675, 8939, 8929, 9089, 102]);
    }

    #[test]
    fn nothing_gives_an_empty_sentence() {
        assert_eq!(ids(""), [101, 102]);
        assert_eq!(ids("\0\u{fffd}\u{200b}\u{301}"), [101, 102]);
    }

    #[test]
    fn long_words_and_unknown_characters_are_unk() {
        assert_eq!(ids("😀\u{e000}"), [101, 100, 102]);
        assert_eq!(ids(&"a".repeat(201)), [101, 100, 102]);
        assert_ne!(ids(&"a".repeat(200))[1], UNK);
    }

    #[test]
    fn long_sentences_keep_fifty_pieces() {
        let ids = ids(&"猫".repeat(1000));
        assert_eq!(ids.len(), CONTEXT);
        assert_eq!((ids[50], ids[51]), (ids[1], SEP));
    }

    proptest! {
        #[test]
        fn any_text_gives_fifty_two_known_ids(text in any::<String>()) {
            let ids = ChineseTokenizer::new().encode(&text);
            prop_assert_eq!(ids.len(), CONTEXT);
            prop_assert_eq!(ids[0], CLS);
            prop_assert!(ids.iter().all(|&id| (0..21128).contains(&id)));
            prop_assert_eq!(ids.iter().filter(|&&id| id == SEP).count(), 1);
        }
    }
}
