//! Searches: what is found in a query comes from it, and an error points into it.
use viewfinder_catalog::query::{LONGEST_QUERY, Query};

pub(super) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(error) => {
            assert_eq!(text[..error.byte].chars().count(), error.character);
            assert!(error.to_string().len() < 300);
            return;
        }
    };
    assert!(text.chars().count() <= LONGEST_QUERY);
    let terms = query.terms.iter().map(|term| &term.text);
    for part in terms.chain(&query.without).chain(&query.path).chain(&query.people) {
        assert!(!part.is_empty() && text.contains(&**part), "{part:?} does not stand in {text:?}");
    }
    if let (Some(from), Some(until)) = (query.from_ms, query.until_ms) {
        assert!(from < until);
    }
    assert_eq!(query.meaning().is_some(), query.meaning().is_some_and(|words| !words.is_empty()));
    assert_eq!(Query::parse(text).as_ref(), Ok(&query));
}
