//! Bodies of searches, in the flat shape and in that of v3.2 with `filter`.

use serde_json::{Map, Value, json};

use crate::library::is_structured;

/// An id that no asset has: to be another one than this is a condition that is always true.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// Immich's own field for text: `ocr`, or a condition `ocr` anywhere in `filter`.
pub(crate) fn has_own_text(body: &Map<String, Value>) -> bool {
    if !is_structured(body) {
        return own_text(body).is_some();
    }
    let Some(Value::Object(filter)) = body.get("filter") else { return false };
    let branches = filter.get("or").and_then(Value::as_array).into_iter().flatten();
    filter.contains_key("ocr") || branches.into_iter().any(|branch| branch.get("ocr").is_some())
}

/// The text of the flat shape's field.
pub(crate) fn own_text(body: &Map<String, Value>) -> Option<&str> {
    let text = body.get("ocr")?.as_str()?;
    // Whoever chose text in Immich's page may write the prefix all the same.
    Some(text_asked_for(text).unwrap_or(text.trim())).filter(|text| !text.is_empty())
}

/// Does the flat shape's field begin with the prefix, which Immich would look for?
pub(crate) fn is_prefixed(body: &Map<String, Value>) -> bool {
    !is_structured(body) && body.get("ocr").and_then(Value::as_str).and_then(text_asked_for).is_some()
}

/// The words behind `ocr:`, if a query is about text alone. They may be missing.
pub(crate) fn text_asked_for(query: &str) -> Option<&str> {
    let (start, text) = query.trim().split_once([':', '：'])?;
    start.eq_ignore_ascii_case("ocr").then_some(text.trim())
}

/// The words behind `ocr:` of a body's `query`.
pub(crate) fn text_in_query(body: &Map<String, Value>) -> Option<&str> {
    text_asked_for(body.get("query")?.as_str()?)
}

/// The same filters for Immich's own search, which asks for one picture only and not for what it cannot know.
pub(crate) fn probe(body: &Map<String, Value>) -> Map<String, Value> {
    let mut probe = body.clone();
    for name in
        ["query", "queryAssetId", "language", "ocr", "page", "withExif", "withPeople", "orderBy", "cursor"]
    {
        probe.remove(name);
    }
    if is_structured(body) {
        let filter = probe.entry("filter").or_insert(json!({}));
        without_text(filter);
    }
    probe
}

/// Takes the conditions on text out of a filter. A branch of nothing else stays true: Immich refuses an empty one.
fn without_text(filter: &mut Value) {
    let Value::Object(filter) = filter else { return };
    filter.remove("ocr");
    if let Some(Value::Array(branches)) = filter.get_mut("or") {
        for branch in branches.iter_mut().filter_map(Value::as_object_mut) {
            if branch.remove("ocr").is_some() && branch.is_empty() {
                branch.insert("id".to_owned(), json!({"ne": NOBODY}));
            }
        }
    }
}

/// A search for text in the words of Immich's own search for files; none if there is no way to say it.
pub(crate) fn rewrite_query(mut body: Map<String, Value>, text: &str) -> Option<Map<String, Value>> {
    let structured = is_structured(&body);
    body.remove("query");
    if !structured {
        body.insert("ocr".to_owned(), json!(text));
        return Some(body);
    }
    // Fields of the other shape, which Immich refuses beside this one.
    for name in ["language", "ocr", "page"] {
        body.remove(name);
    }
    let condition = json!({"matches": text});
    let Value::Object(filter) = body.entry("filter").or_insert(json!({})) else { return None };
    if !filter.contains_key("ocr") {
        filter.insert("ocr".to_owned(), condition);
    } else if !filter.contains_key("or") {
        filter.insert("or".to_owned(), json!([{"ocr": condition}]));
    } else {
        return None;
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_probe_keeps_the_filters_and_nothing_else() {
        let body = object(json!({
            "query": "x", "ocr": "y", "language": "en", "page": 3, "withExif": true, "personIds": ["p"],
            "visibility": "locked", "unheardOf": 1,
        }));
        let expected = json!({"personIds": ["p"], "visibility": "locked", "unheardOf": 1});
        assert_eq!(Value::Object(probe(&body)), expected);
        let body = object(json!({
            "query": "x", "cursor": "c", "orderBy": {"field": "rating"},
            "filter": {"city": {"eq": "Rome"}, "ocr": {"matches": "a"}, "or": [
                {"ocr": {"matches": "b"}}, {"ocr": {"matches": "c"}, "isFavorite": {"eq": true}}, {"rating": {"gt": 3}},
            ]},
        }));
        let expected = json!({"filter": {"city": {"eq": "Rome"}, "or": [
            {"id": {"ne": NOBODY}}, {"isFavorite": {"eq": true}}, {"rating": {"gt": 3}},
        ]}});
        assert_eq!(Value::Object(probe(&body)), expected);
        // Without a filter, the shape stays what it is.
        let probed = probe(&object(json!({"orderBy": {}})));
        assert_eq!(Value::Object(probed), json!({"filter": {}}));
    }

    #[test]
    fn text_is_asked_for_by_a_prefix() {
        for (query, expected) in [
            ("ocr:发票", Some("发票")),
            (" OCR: invoice 2024 ", Some("invoice 2024")),
            ("ocr：发票", Some("发票")),
            ("ocr: ", Some("")),
            ("ocr", None),
            ("a cat", None),
            ("red ocr:cat", None),
            ("time 12:30", None),
        ] {
            assert_eq!(text_asked_for(query), expected, "{query}");
        }
    }

    #[test]
    fn a_search_for_text_is_said_in_the_shape_that_it_has() {
        let said = |body: Value| rewrite_query(object(body), "a").map(Value::Object);
        assert_eq!(said(json!({"query": "ocr:a", "page": 2})), Some(json!({"ocr": "a", "page": 2})));
        assert_eq!(
            said(json!({"query": "ocr:a", "language": "en", "filter": {"city": {"eq": "Rome"}}})),
            Some(json!({"filter": {"city": {"eq": "Rome"}, "ocr": {"matches": "a"}}}))
        );
        assert_eq!(
            said(json!({"query": "ocr:a", "orderBy": {}})),
            Some(json!({"orderBy": {}, "filter": {"ocr": {"matches": "a"}}}))
        );
        let own = json!({"matches": "b"});
        assert_eq!(
            said(json!({"filter": {"ocr": own}})),
            Some(json!({"filter": {"ocr": own, "or": [{"ocr": {"matches": "a"}}]}}))
        );
        assert_eq!(said(json!({"filter": {"ocr": own, "or": [{"isFavorite": {"eq": true}}]}})), None);
        assert_eq!(said(json!({"filter": 5})), None);
    }

    #[test]
    fn text_is_found_in_both_shapes() {
        for (body, expected) in [
            (json!({"ocr": "a"}), true),
            (json!({"ocr": " "}), false),
            (json!({"ocr": "ocr: "}), false),
            (json!({"ocr": "OCR:a"}), true),
            (json!({"filter": {"ocr": {"matches": "a"}}}), true),
            (json!({"filter": {"or": [{"isFavorite": {"eq": true}}, {"ocr": {"matches": "a"}}]}}), true),
            (json!({"filter": {"city": {"eq": "ocr"}}, "ocr": "a"}), false),
            (json!({"filter": []}), false),
        ] {
            assert_eq!(has_own_text(&object(body.clone())), expected, "{body}");
        }
    }
}
