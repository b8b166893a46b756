//! Cuts lines into tokens for stores. Index and query go through the same function.
use std::{collections::BTreeMap, ops::Range, path::Path, sync::OnceLock};

use jieba_rs::Jieba;
use sha2::{Digest as _, Sha256};

use super::{
    normalize::{Gap, Letter, letters, text_of},
    script::{is_cjk, is_han, is_number},
};

/// Changes whenever the tokens of any text change, a new dictionary of `jieba-rs` included: stores then index anew.
pub const SEGMENTATION_VERSION: u32 = 1;

/// Longer words are found by their grams only: databases refuse very long tokens, and nobody types them.
const LONGEST_WORD: usize = 64;

/// Tokens of one line, in its order. They consist of normalised letters and digits only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Words, some inside others: `发票`, `sn0012345`, `sn`, `0012345`. Signs stand between the parts of a code, and
    /// the code without them is a word too: `2024`, `01`, `05`, `20240105`.
    pub words: Vec<String>,
    /// Overlapping pieces, one from every letter on: two characters of Chinese, Japanese, Korean, three of other scripts and numbers; the
    /// last ones are shorter. With prefixes, every substring can be found. Spaces and signs do not part them: who reads a picture
    /// leaves them out or adds some.
    pub grams: Vec<String>,
}

/// Why a user dictionary cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DictionaryError {
    /// It cannot be read.
    #[error("cannot read the user dictionary {path}: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A line is not `word [frequency [kind]]`.
    #[error(
        "user dictionary {path}, line {line}: {reason}; write a word and, if you like, its frequency on each line"
    )]
    Line {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

/// Cuts lines into tokens.
///
/// Jieba's dictionary is loaded when the first Chinese word is seen, once for each segmenter: share it.
pub struct Segmenter {
    /// Words and their frequencies.
    dictionary: BTreeMap<String, Option<usize>>,
    version: String,
    jieba: OnceLock<Jieba>,
}

impl Segmenter {
    /// A segmenter; `user_dictionary` is a text file in Jieba's form, a word and optionally its frequency on each line.
    pub fn new(user_dictionary: Option<&Path>) -> Result<Self, DictionaryError> {
        let mut version = SEGMENTATION_VERSION.to_string();
        let dictionary = user_dictionary.map(read_dictionary).transpose()?.unwrap_or_default();
        if !dictionary.is_empty() {
            let digest = Sha256::digest(format!("{dictionary:?}"));
            version.push('-');
            version.extend(digest.iter().take(8).map(|byte| format!("{byte:02x}")));
        }
        Ok(Self { dictionary, version, jieba: OnceLock::new() })
    }

    /// What the tokens depend on: [`SEGMENTATION_VERSION`], and a hash of the user dictionary if there is one. Tokens of another
    /// version do not fit to queries of this one.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Tokens of a line.
    pub fn line(&self, line: &str) -> Tokens {
        let letters = letters(line);
        Tokens {
            words: self.words(&letters),
            grams: (0..letters.len()).map(|at| gram(&letters, at)).collect(),
        }
    }

    fn words(&self, letters: &[Letter]) -> Vec<String> {
        let mut words = Vec::new();
        for piece in letters.chunk_by(|_, next| next.gap != Gap::Space) {
            for run in piece.chunk_by(|_, next| next.gap == Gap::None) {
                for part in run.chunk_by(|one, next| kind(one.value) == kind(next.value)) {
                    self.cut(part, &mut words);
                }
            }
            for code in piece.chunk_by(|one, next| is_cjk(one.value) == is_cjk(next.value)) {
                if !is_cjk(code[0].value) && code[1..].iter().any(|letter| letter.gap == Gap::Joint) {
                    words.push(text_of(code));
                }
            }
        }
        words.retain(|word| is_word(word));
        words
    }

    /// Places of the words of which something without spaces consists, none inside another. A code stays whole.
    pub fn parts(&self, letters: &[Letter]) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let mut start = 0;
        for part in letters.chunk_by(|one, next| {
            let (one, next) = (one.value, next.value);
            is_cjk(one) == is_cjk(next) && (!is_cjk(one) || kind(one) == kind(next))
        }) {
            let text = text_of(part);
            if is_han(part[0].value) {
                for token in self.jieba().cut(&text, false) {
                    let length = token.word.chars().count();
                    parts.push(start..start + length);
                    start += length;
                }
            } else {
                parts.push(start..start + part.len());
                start += part.len();
            }
        }
        parts
    }

    /// Words of letters of one kind.
    fn cut(&self, letters: &[Letter], words: &mut Vec<String>) {
        let text = text_of(letters);
        match kind(letters[0].value) {
            Kind::Katakana | Kind::OtherCjk | Kind::Hangul => words.push(text),
            Kind::Other => code(&text, words),
            Kind::HanOrAscii if !letters.iter().any(|letter| is_han(letter.value)) => code(&text, words),
            Kind::HanOrAscii => {
                for token in self.jieba().cut_for_search(&text, true) {
                    if token.word.chars().any(is_han) {
                        words.push(token.word.to_owned());
                    } else {
                        code(token.word, words);
                    }
                }
            }
        }
    }

    fn jieba(&self) -> &Jieba {
        self.jieba.get_or_init(|| {
            let mut jieba = Jieba::new();
            for (word, frequency) in &self.dictionary {
                jieba.add_word(word, *frequency, None);
            }
            jieba
        })
    }
}

/// Can this be one of [`Tokens::words`]?
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().nth(LONGEST_WORD).is_none()
}

/// Tokens of the grams that, one after the other, stand for exactly these letters, and whether the last may go on. None
/// without letters.
pub fn gram_phrase(letters: &[Letter]) -> Option<(Vec<String>, bool)> {
    let reach = |at: usize| at + width(letters[at].value);
    let last = (0..letters.len()).find(|at| reach(*at) >= letters.len())?;
    Some(((0..=last).map(|at| gram(letters, at)).collect(), reach(last) > letters.len()))
}

/// The piece that begins with the letter `at`.
fn gram(letters: &[Letter], at: usize) -> String {
    text_of(&letters[at..letters.len().min(at + width(letters[at].value))])
}

/// Letters of a gram. Two Chinese characters tell about as much as three letters.
fn width(first: char) -> usize {
    if is_cjk(first) { 2 } else { 3 }
}

#[derive(PartialEq, Eq)]
enum Kind {
    /// Together, because there are words such as `卡拉ok`.
    HanOrAscii,
    Katakana,
    Hangul,
    /// Hiragana and Bopomofo.
    OtherCjk,
    Other,
}

fn kind(c: char) -> Kind {
    match c {
        '\u{1100}'..='\u{11ff}'
        | '\u{3130}'..='\u{318f}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7ff}' => Kind::Hangul,
        _ if is_han(c) || c.is_ascii() => Kind::HanOrAscii,
        '\u{30a1}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' => Kind::Katakana,
        _ if is_cjk(c) => Kind::OtherCjk,
        _ => Kind::Other,
    }
}

/// A word of other scripts or a code: whole, and its letters and digits apart.
fn code(text: &str, words: &mut Vec<String>) {
    words.push(text.to_owned());
    let mut parts = Vec::new();
    let mut start = 0;
    let mut last_is_digit = None;
    for (at, c) in text.char_indices() {
        if last_is_digit.replace(is_number(c)).is_some_and(|digit| digit != is_number(c)) {
            parts.push(&text[start..at]);
            start = at;
        }
    }
    if start > 0 {
        parts.push(&text[start..]);
        words.extend(parts.into_iter().map(str::to_owned));
    }
}

/// Bytes of a dictionary. That of jieba, with 350,000 words, is a tenth of it.
const LARGEST: u64 = 64 << 20;

fn read_dictionary(path: &Path) -> Result<BTreeMap<String, Option<usize>>, DictionaryError> {
    let name = || path.display().to_string();
    let content = viewfinder_files::read_text(path, LARGEST)
        .map_err(|error| DictionaryError::Unreadable { path: name(), error })?;
    let mut words = BTreeMap::new();
    for (at, line) in content.trim_start_matches('\u{feff}').lines().enumerate() {
        let wrong = |reason| DictionaryError::Line { path: name(), line: at + 1, reason };
        let mut fields = line.split_whitespace();
        let Some(word) = fields.next() else { continue };
        let frequency = fields
            .next()
            .map(|field| field.parse().map_err(|_| wrong("the frequency is not a number")))
            .transpose()?;
        let word = text_of(&letters(word));
        if word.is_empty() {
            return Err(wrong("the word has no letters"));
        }
        words.insert(word, frequency);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn words(line: &str) -> Vec<String> {
        Segmenter::new(None).unwrap().line(line).words
    }

    #[test]
    fn chinese_is_cut_as_jieba_does_in_search_mode() {
        // The example of Jieba's own description, without the tag of its words.
        assert_eq!(
            words("小明硕士毕业于中国科学院计算所"),
            ["小明", "硕士", "毕业", "于", "中国", "科学", "学院", "科学院", "中国科学院", "计算", "计算所"]
        );
        assert_eq!(words("发票号码 76031372"), ["发票", "号码", "76031372"]);
    }

    #[test]
    fn codes_are_kept_whole_and_in_parts() {
        assert_eq!(words("SN0012345"), ["sn0012345", "sn", "0012345"]);
        assert_eq!(words("2024-01-05"), ["2024", "01", "05", "20240105"]);
        assert_eq!(words("¥1,299.00"), ["1", "299", "00", "129900"]);
        assert_eq!(words("京A·12345"), ["京", "a", "12345", "a12345"]);
        assert_eq!(words("ana.ruiz@example.org"), ["ana", "ruiz", "example", "org", "anaruizexampleorg"]);
        assert_eq!(words("订单编号 SN65797543")[2..], ["sn65797543", "sn", "65797543"]);
    }

    #[test]
    fn other_languages_are_cut_at_their_borders() {
        assert_eq!(words("Feliz cumpleaños"), ["feliz", "cumpleanos"]);
        assert_eq!(words("本日のラーメン店"), ["本", "日", "の", "ラーメン", "店"]);
        assert_eq!(words("서울 하늘"), ["서울", "하늘"]);
        assert_eq!(words("Привет, мир"), ["привет", "мир"]);
    }

    #[test]
    fn parts_lie_side_by_side() {
        let parts = |line: &str| {
            let letters = letters(line);
            let parts = Segmenter::new(None).unwrap().parts(&letters);
            parts.into_iter().map(|part| text_of(&letters[part])).collect::<Vec<_>>()
        };
        assert_eq!(parts("增值税发票"), ["增值税", "发票"]);
        assert_eq!(parts("开票2024-01-05"), ["开票", "20240105"]);
        assert_eq!(parts("京都行き"), ["京都", "行", "き"]);
    }

    #[test]
    fn grams_run_over_signs_and_spaces() {
        let grams = |line| Segmenter::new(None).unwrap().line(line).grams;
        assert_eq!(grams("京A·12 3"), ["京a", "a12", "123", "23", "3"]);
        assert_eq!(grams("第57条"), ["第5", "57条", "7条", "条"]);
        assert_eq!(grams("—"), [""; 0]);
    }

    #[test]
    fn a_user_dictionary_joins_words_and_changes_the_version() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "觅影通 100000 nz\n\n卡拉ＯＫ").unwrap();
        let with = Segmenter::new(Some(file.path())).unwrap();
        let without = Segmenter::new(None).unwrap();
        assert!(with.line("用觅影通唱卡拉OK").words.contains(&"觅影通".to_owned()));
        assert!(with.line("用觅影通唱卡拉OK").words.contains(&"卡拉ok".to_owned()));
        assert!(!without.line("用觅影通唱").words.contains(&"觅影通".to_owned()));
        assert_eq!(without.version(), SEGMENTATION_VERSION.to_string());
        assert_ne!(with.version(), without.version());
        assert!(with.version().starts_with(&format!("{SEGMENTATION_VERSION}-")));

        writeln!(file, "词 many").unwrap();
        let error = Segmenter::new(Some(file.path())).err().unwrap().to_string();
        assert!(error.contains("line 4: the frequency is not a number"), "{error}");
        let error = Segmenter::new(Some(Path::new("/nowhere"))).err().unwrap().to_string();
        assert!(error.starts_with("cannot read the user dictionary /nowhere"), "{error}");
    }

    /// Do the tokens stand one after the other, as a store that finds phrases decides it?
    fn has_phrase(grams: &[String], (tokens, prefix): &(Vec<String>, bool)) -> bool {
        grams.windows(tokens.len()).any(|window| {
            window.iter().zip(tokens).enumerate().all(|(at, (gram, token))| {
                if *prefix && at + 1 == tokens.len() {
                    gram.starts_with(token.as_str())
                } else {
                    gram == token
                }
            })
        })
    }

    proptest! {
        #[test]
        fn any_text_becomes_tokens_of_letters(line in "(\\PC|[一-龥ぁ-ヶa-z0-9 .-]){0,40}") {
            static SEGMENTER: OnceLock<Segmenter> = OnceLock::new();
            let tokens = SEGMENTER.get_or_init(|| Segmenter::new(None).unwrap()).line(&line);
            for token in tokens.words.iter().chain(&tokens.grams) {
                prop_assert!(!token.is_empty() && token.chars().all(char::is_alphanumeric), "{:?}", token);
            }
        }

        #[test]
        fn a_phrase_is_found_where_its_letters_stand_and_nowhere_else(
            line in "[ab一二3 .-]{1,12}",
            query in "[ab一二3]{1,5}",
        ) {
            let letters = letters(&line);
            let grams: Vec<String> = (0..letters.len()).map(|at| gram(&letters, at)).collect();
            for start in 0..letters.len() {
                for end in start + 1..=letters.len() {
                    prop_assert!(has_phrase(&grams, &gram_phrase(&letters[start..end]).unwrap()));
                }
            }
            let query = super::letters(&query);
            let expected = text_of(&letters).contains(&text_of(&query));
            prop_assert_eq!(has_phrase(&grams, &gram_phrase(&query).unwrap()), expected);
        }
    }
}
