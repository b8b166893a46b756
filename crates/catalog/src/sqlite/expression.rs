//! Text queries in the words of FTS5.
use crate::{
    TextExpr,
    text::{gram_phrase, letters},
};

/// The expression for `MATCH`; none if it can match nothing.
pub(super) fn of(expr: &TextExpr) -> Option<String> {
    Some(cleaned(&expr.cleaned()?))
}

fn cleaned(expr: &TextExpr) -> String {
    match expr {
        TextExpr::Word(word) => format!("words : \"{word}\""),
        TextExpr::Letters(text) => {
            let (grams, prefix) = gram_phrase(&letters(text)).unwrap_or_default();
            format!("grams : \"{}\"{}", grams.join(" "), if prefix { " *" } else { "" })
        }
        TextExpr::All(parts) => join(parts, " AND "),
        TextExpr::Any(parts) => join(parts, " OR "),
    }
}

fn join(parts: &[TextExpr], between: &str) -> String {
    format!("({})", parts.iter().map(cleaned).collect::<Vec<_>>().join(between))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_keep_their_structure_and_lose_what_matches_nothing() {
        let hello = TextExpr::Word("Hello".to_owned());
        assert_eq!(of(&hello).unwrap(), "words : \"hello\"");
        let odd = TextExpr::Letters("a\"b\0".to_owned());
        assert_eq!(of(&odd).unwrap(), "grams : \"ab\" *");
        let nothing = TextExpr::Word("\"".to_owned());
        assert_eq!(of(&TextExpr::All(vec![hello.clone(), nothing.clone()])), None);
        assert_eq!(
            of(&TextExpr::Any(vec![nothing, TextExpr::All(vec![hello, odd])])).unwrap(),
            "((words : \"hello\" AND grams : \"ab\" *))"
        );
        assert_eq!(of(&TextExpr::Any(Vec::new())), None);
    }
}
