//! Parsers of this crate that are private, for `crates/fuzz`.
use serde_json::{Map, Value};

use crate::companion::body;

type Body = Map<String, Value>;

/// Is text asked for in Immich's own field?
pub fn has_own_text(search: &Body) -> bool {
    body::has_own_text(search)
}

/// Texts that a search asks for: in the flat shape's field and in its query.
pub fn texts(search: &Body) -> [Option<&str>; 2] {
    [body::own_text(search), body::text_in_query(search)]
}

/// The search that Immich is asked to judge a caller by.
pub fn probe(search: &Body) -> Body {
    body::probe(search)
}

/// The search in the words of Immich's own.
pub fn rewrite_query(search: Body, text: &str) -> Option<Body> {
    body::rewrite_query(search, text)
}
