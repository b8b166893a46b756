//! Text queries in the words of FTS5.
use std::fmt::Write as _;

use crate::{Field, TextExpr};

/// The expression for `MATCH`; none if it can match nothing.
pub(super) fn of(expr: &TextExpr) -> Option<String> {
    match expr {
        TextExpr::Phrase { field, tokens, prefix } => phrase(*field, tokens, *prefix),
        TextExpr::All(parts) => {
            let parts: Option<Vec<String>> = parts.iter().map(of).collect();
            join(&parts?, " AND ")
        }
        TextExpr::Any(parts) => join(&parts.iter().filter_map(of).collect::<Vec<_>>(), " OR "),
    }
}

fn join(parts: &[String], between: &str) -> Option<String> {
    (!parts.is_empty()).then(|| format!("({})", parts.join(between)))
}

fn phrase(field: Field, tokens: &[String], prefix: bool) -> Option<String> {
    // What is neither letter nor digit parts tokens, in the index too.
    let words: Vec<String> = tokens
        .iter()
        .flat_map(|token| token.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric()))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    if words.is_empty() {
        return None;
    }
    let column = match field {
        Field::Words => "words",
        Field::Grams => "grams",
    };
    let mut text = format!("{column} : \"{}\"", words.join(" "));
    if prefix {
        let _ = write!(text, " *"); // writing to a string cannot fail
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_keep_their_structure_and_lose_what_matches_nothing() {
        let phrase = |field, tokens: &[&str], prefix| TextExpr::Phrase {
            field,
            tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
            prefix,
        };
        let hello = phrase(Field::Words, &["hello", "wor"], true);
        assert_eq!(of(&hello).unwrap(), "words : \"hello wor\" *");
        let odd = phrase(Field::Grams, &["a\"b", "\0"], false);
        assert_eq!(of(&odd).unwrap(), "grams : \"a b\"");
        let nothing = phrase(Field::Words, &["\"", ""], false);
        assert_eq!(of(&TextExpr::All(vec![hello.clone(), nothing.clone()])), None);
        assert_eq!(
            of(&TextExpr::Any(vec![nothing, TextExpr::All(vec![hello, odd])])).unwrap(),
            "((words : \"hello wor\" * AND grams : \"a b\"))"
        );
        assert_eq!(of(&TextExpr::Any(Vec::new())), None);
    }
}
