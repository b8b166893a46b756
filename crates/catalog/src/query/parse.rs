//! Reads a query.
use unicode_normalization::UnicodeNormalization as _;

use super::{
    date::start_of,
    error::{Problem, QueryError},
};

/// Longer queries are refused, in characters: nobody types them, and each word costs a search.
pub const LONGEST_QUERY: usize = 1000;

/// What a query asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Words and phrases to look for, in their order.
    pub terms: Vec<Term>,
    /// Words and phrases that the text must not have.
    pub without: Vec<String>,
    /// Parts that the path must contain, all of them.
    pub path: Vec<String>,
    /// Taken at or after this, in milliseconds since 1970 on the clock of the place.
    pub from_ms: Option<i64>,
    /// Taken before this.
    pub until_ms: Option<i64>,
    /// Names of persons who must be in the picture, all of them.
    pub people: Vec<String>,
}

/// A word or phrase to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// As it was written, without quotation marks.
    pub text: String,
    /// Was it in quotation marks? Then the text must have exactly this in one line.
    pub exact: bool,
    /// Where to look.
    pub scope: Scope,
}

/// Where to look for a term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// In text, and in what pictures show.
    #[default]
    Both,
    /// In text: after `ocr:`, and phrases.
    Text,
    /// In what pictures show: after `clip:`.
    Meaning,
}

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let mut parser = Parser { text, at: 0, scope: Scope::Both, query: Self::default() };
        parser.run().map_err(|(byte, problem)| QueryError {
            problem,
            byte,
            character: text[..byte].chars().count(),
        })?;
        Ok(parser.query)
    }

    /// The words that say what a picture shows; none if all are for text alone.
    pub fn meaning(&self) -> Option<String> {
        let words = self.terms.iter().filter(|term| term.scope != Scope::Text);
        let meaning = words.map(|term| term.text.as_str()).collect::<Vec<_>>().join(" ");
        (!meaning.is_empty()).then_some(meaning)
    }
}

/// Prefixes that take a value, with an example of one.
const FILTERS: [(&str, &str); 4] =
    [("path", "2024/trip"), ("after", "2024-05"), ("before", "2024-05-31"), ("person", "\"Ana Ruiz\"")];

/// Where something is wrong, in bytes, and what.
type ParseError = (usize, Problem);

struct Parser<'a> {
    text: &'a str,
    /// Bytes read.
    at: usize,
    scope: Scope,
    query: Query,
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Result<(), ParseError> {
        if let Some((byte, _)) = self.text.char_indices().nth(LONGEST_QUERY) {
            return Err((byte, Problem::TooLong));
        }
        while self.skip_space() {
            self.item()?;
        }
        Ok(())
    }

    /// One prefix, word or phrase.
    fn item(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        if self.excludes() {
            self.at += self.rest().chars().next().map_or(0, char::len_utf8);
            if self.prefix().is_some() {
                return Err((start, Problem::CannotExclude));
            }
            let (text, _) = self.value()?;
            self.query.without.push(text);
            return Ok(());
        }
        if let Some(prefix) = self.prefix() {
            match prefix {
                "ocr" => self.scope = Scope::Text,
                "clip" => self.scope = Scope::Meaning,
                _ => self.filter(prefix, start)?,
            }
            return Ok(());
        }
        let (text, exact) = self.value()?;
        let scope = if exact && self.scope == Scope::Both { Scope::Text } else { self.scope };
        // A sign alone, as between two words, asks for nothing in text, but may for a picture: 🐈
        self.query.terms.push(Term { text, exact: exact && scope == Scope::Text, scope });
        Ok(())
    }

    fn filter(&mut self, prefix: &'static str, start: usize) -> Result<(), ParseError> {
        if !self.skip_space() {
            let example = FILTERS.iter().find(|(name, _)| *name == prefix).map_or("", |(_, example)| example);
            return Err((start, Problem::NoValue { prefix, example }));
        }
        let at = self.at;
        let (value, _) = self.value()?;
        if prefix == "path" {
            self.query.path.push(value);
            return Ok(());
        }
        if prefix == "person" {
            self.query.people.push(value);
            return Ok(());
        }
        let plain: String = value.nfkc().collect();
        let time = start_of(&plain).ok_or((at, Problem::BadDate))?;
        let Query { from_ms, until_ms, .. } = &mut self.query;
        if prefix == "after" {
            *from_ms = Some(from_ms.map_or(time, |other| other.max(time)));
        } else {
            *until_ms = Some(until_ms.map_or(time, |other| other.min(time)));
        }
        if from_ms.zip(*until_ms).is_some_and(|(from, until)| from >= until) {
            return Err((at, Problem::NoTime));
        }
        Ok(())
    }

    /// Does a minus before a word or a phrase follow? `-20` is a number, ` - ` a dash.
    fn excludes(&self) -> bool {
        let mut rest = self.rest().chars();
        let minus = matches!(rest.next(), Some('-' | '－' | '−'));
        minus && rest.next().is_some_and(|c| c.is_alphabetic() || closing(c).is_some())
    }

    /// Reads a known prefix and its colon.
    fn prefix(&mut self) -> Option<&'static str> {
        let (name, rest) = self.rest().split_once([':', '：'])?;
        // However wide it is written; and read only as far as it agrees, for any word of a query may have a colon far behind.
        let mut names = ["ocr", "clip"].into_iter().chain(FILTERS.map(|(name, _)| name));
        let found = names.find(|known| name.nfkc().flat_map(char::to_lowercase).eq(known.chars()))?;
        self.at = self.text.len() - rest.len();
        Some(found)
    }

    /// Reads a word, or a phrase in quotation marks; tells whether it was one.
    fn value(&mut self) -> Result<(String, bool), ParseError> {
        let start = self.at;
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or_default();
        let Some(close) = closing(first) else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            self.at += end;
            return Ok((rest[..end].to_owned(), false));
        };
        let inside = &rest[first.len_utf8()..];
        let end = inside.find(close).ok_or((start, Problem::Unclosed))?;
        let closed_by = inside[end..].chars().next().map_or(0, char::len_utf8);
        self.at += first.len_utf8() + end + closed_by;
        let phrase = inside[..end].trim();
        if phrase.is_empty() {
            return Err((start, Problem::EmptyPhrase));
        }
        Ok((phrase.to_owned(), true))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes to the next sign that can be seen; false at the end.
    fn skip_space(&mut self) -> bool {
        self.at = self.text.len() - self.rest().trim_start().len();
        self.at < self.text.len()
    }
}

/// What closes a phrase that this quotation mark opens; none for other signs. Keyboards and programs mix straight and curly ones.
fn closing(open: char) -> Option<&'static [char]> {
    match open {
        '"' | '“' | '”' | '„' | '＂' => Some(&['"', '“', '”', '＂']),
        '「' => Some(&['」']),
        '『' => Some(&['』']),
        '«' => Some(&['»']),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::query::LANGUAGE;

    fn parse(text: &str) -> Query {
        Query::parse(text).unwrap()
    }

    fn term(text: &str, exact: bool, scope: Scope) -> Term {
        Term { text: text.into(), exact, scope }
    }

    #[test]
    fn words_phrases_and_scopes() {
        use Scope::{Both, Meaning, Text};
        for (query, terms) in [
            ("beach sunset", vec![term("beach", false, Both), term("sunset", false, Both)]),
            ("ocr:发票", vec![term("发票", false, Text)]),
            ("ＯＣＲ：发票\u{3000}号码", vec![term("发票", false, Text), term("号码", false, Text)]),
            ("Clip: red ocr: 5", vec![term("red", false, Meaning), term("5", false, Text)]),
            (
                "a \"no parking\" b",
                vec![term("a", false, Both), term("no parking", true, Text), term("b", false, Both)],
            ),
            ("“注意 安全”", vec![term("注意 安全", true, Text)]),
            ("ocr:「駐車禁止」", vec![term("駐車禁止", true, Text)]),
            ("『駐車 禁止』", vec![term("駐車 禁止", true, Text)]),
            ("«défense d’afficher»", vec![term("défense d’afficher", true, Text)]),
            ("clip:\"a cat\"", vec![term("a cat", false, Meaning)]),
            ("Status: Paid", vec![term("Status:", false, Both), term("Paid", false, Both)]),
            (
                "14:30 5\" -645.83 - -",
                ["14:30", "5\"", "-645.83", "-", "-"].map(|text| term(text, false, Both)).into(),
            ),
        ] {
            assert_eq!(parse(query), Query { terms, ..Query::default() }, "{query}");
        }
    }

    #[test]
    fn what_a_picture_shows_is_said_by_the_words_that_are_not_for_text_alone() {
        for (query, meaning) in [
            ("red \"no parking\" car", Some("red car")),
            ("clip:\"a cat\" ocr:invoice", Some("a cat")),
            ("ocr:invoice", None),
            ("path:2024", None),
        ] {
            assert_eq!(parse(query).meaning().as_deref(), meaning, "{query}");
        }
    }

    #[test]
    fn filters() {
        let query =
            parse("-coffee －咖啡 -\"iced tea\" path:2024 PATH：“my photos” person: Ana person:\"Ana Ruiz\"");
        assert_eq!(query.without, ["coffee", "咖啡", "iced tea"]);
        assert_eq!(query.path, ["2024", "my photos"]);
        assert_eq!(query.people, ["Ana", "Ana Ruiz"]);
        assert!(query.terms.is_empty());
        let query = parse("after:2023 after:２０２４－０５ before:2025 before:2026");
        assert_eq!((query.from_ms, query.until_ms), (Some(1_714_521_600_000), Some(1_735_689_600_000)));
    }

    #[test]
    fn errors_point_at_their_character() {
        for (query, byte, character, message) in [
            ("发票 \"号码", 7, 3, "this quotation mark has no partner"),
            ("a “ ”", 2, 2, "nothing stands between"),
            ("发票 path:", 7, 3, "something must follow `path:`, such as path:2024/trip"),
            ("after: 2024-13", 7, 7, "this is no date"),
            ("after:2025 before:2024", 18, 18, "no time lies between"),
            ("x -path:a", 2, 2, "only words and phrases can be excluded"),
            ("-ocr:a", 0, 0, "only words and phrases can be excluded"),
        ] {
            let error = Query::parse(query).unwrap_err();
            assert_eq!((error.byte, error.character), (byte, character), "{query}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("character {}: {message}", character + 1)), "{text}");
        }
        let long = "长".repeat(LONGEST_QUERY + 1);
        assert_eq!(Query::parse(&long).unwrap_err().byte, 3 * LONGEST_QUERY);
        assert!(Query::parse(&long[3..]).is_ok());
    }

    #[test]
    fn every_example_of_the_description_can_be_read() {
        let examples: Vec<&str> = LANGUAGE.split('`').skip(1).step_by(2).collect();
        assert!(examples.len() > 15);
        for example in examples.into_iter().filter(|example| *example != "ocr:") {
            assert!(Query::parse(example).is_ok(), "{example}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_an_error_points_into_it(
            text in "(\\PC|ocr:|clip：|-|\"|“|after:|before:2024|path:| |\u{3000}|发){0,12}",
        ) {
            match Query::parse(&text) {
                Ok(query) => {
                    for term in &query.terms {
                        prop_assert!(text.contains(&term.text) && !term.text.is_empty());
                    }
                }
                Err(error) => prop_assert_eq!(text[..error.byte].chars().count(), error.character),
            }
        }

        #[test]
        fn words_without_signs_are_taken_as_they_are(words in prop::collection::vec("[\\p{L}\\p{N}]{1,8}", 0..6)) {
            let query = Query::parse(&words.join(" ")).unwrap();
            prop_assert_eq!(query.terms, words.iter().map(|word| term(word, false, Scope::Both)).collect::<Vec<_>>());
        }
    }
}
