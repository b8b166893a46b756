//! The filters of a search, as Immich is asked with them about pictures that were found here.
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    api::structured,
    library::{Caller, SearchRoute, is_structured},
};

/// Words of the search, and its page.
const WORDS: &[&str] = &["query", "queryAssetId", "language", "ocr", "page", "size", "order", "id"];
/// What Immich's other search passes over.
const OF_METADATA: &[&str] = &[
    "withPeople",
    "withStacked",
    "checksum",
    "originalFileName",
    "originalPath",
    "description",
    "deviceAssetId",
];
/// What is no filter, and filters that let most pictures through.
const WIDE: &[&str] = &[
    "visibility",
    "isVisible",
    "withDeleted",
    "withExif",
    "withPeople",
    "withStacked",
    "personIds",
    "tagIds",
    "albumIds",
];

/// All that a search asks for beside its words, for `POST /api/search/metadata`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MetadataFilters {
    /// Without a condition on the id, which each question has for itself.
    pub(crate) body: Map<String, Value>,
    /// Is it of the second shape?
    pub(crate) structured: bool,
    /// Do they let so few pictures through that all of them may fit on a page?
    pub(crate) narrow: bool,
    /// The condition on the id that the search itself has.
    pub(crate) own: Own,
}

/// Which ids a search asks for, if it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) only: Option<Uuid>,
    pub(crate) not: Option<Uuid>,
}

impl MetadataFilters {
    /// The filters of a body that was understood.
    ///
    /// # Errors
    /// Why only Immich can answer it.
    pub(crate) fn of(caller: &Caller, route: SearchRoute, body: &Value) -> Result<Self, &'static str> {
        let Value::Object(body) = body else { return Err("the body is no object") };
        if matches!(route, SearchRoute::Random | SearchRoute::Statistics) {
            return Err("only Immich knows everything that it would give");
        }
        if is_structured(body) { structured::filters(caller, body) } else { flat(route, body) }
    }

    /// May Immich be asked about this picture at all?
    pub(crate) fn allow(&self, id: Uuid) -> bool {
        self.own.only.is_none_or(|only| only == id) && self.own.not.is_none_or(|not| not != id)
    }

    /// The question whether a picture is among those that they let through.
    pub(crate) fn about(&self, id: Uuid) -> Value {
        let mut body = Value::Object(self.body.clone());
        if self.structured {
            body["filter"]["id"] = json!({"eq": id});
        } else {
            body["id"] = json!(id);
        }
        body["size"] = json!(1);
        body
    }

    /// The question for the first of all that they let through.
    pub(crate) fn all(&self, size: usize) -> Value {
        let mut body = self.body.clone();
        body.insert("size".to_owned(), json!(size));
        Value::Object(body)
    }
}

fn flat(route: SearchRoute, body: &Map<String, Value>) -> Result<MetadataFilters, &'static str> {
    if body.get("visibility").is_some_and(|visibility| visibility == "locked" || visibility == "hidden") {
        return Err("keys are not given such pictures");
    }
    let is_metadata = route == SearchRoute::Metadata;
    let id = body.get("id").filter(|_| is_metadata).and_then(Value::as_str);
    let mut filters = body.clone();
    filters.retain(|name, _| !WORDS.contains(&&**name) && (is_metadata || !OF_METADATA.contains(&&**name)));
    let narrows = |(name, value): (&String, &Value)| {
        !WIDE.contains(&&**name) || value.as_array().is_some_and(|list| !list.is_empty())
    };
    let narrow = filters.iter().any(narrows);
    let own = Own { only: id.and_then(|id| Uuid::parse_str(id).ok()), not: None };
    Ok(MetadataFilters { body: filters, structured: false, narrow, own })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn filters(route: SearchRoute, body: &Value) -> Result<MetadataFilters, &'static str> {
        MetadataFilters::of(&Caller { user: id(1), elevated: false }, route, body)
    }

    #[test]
    fn the_words_of_a_search_are_no_filters() {
        let body = json!({
            "query": "a", "ocr": "b", "language": "en", "page": 2, "size": 7, "order": "asc", "id": id(2),
            "city": "Rome", "withExif": true, "withPeople": true, "originalFileName": "x",
        });
        let smart = filters(SearchRoute::Smart, &body).unwrap();
        assert_eq!(smart.about(id(5)), json!({"city": "Rome", "withExif": true, "id": id(5), "size": 1}));
        assert!(smart.allow(id(5)) && smart.narrow);
        let metadata = filters(SearchRoute::Metadata, &body).unwrap();
        let expected = json!({
            "city": "Rome", "withExif": true, "withPeople": true, "originalFileName": "x", "size": 1000,
        });
        assert_eq!(metadata.all(1000), expected);
        assert!(metadata.allow(id(2)) && !metadata.allow(id(5)), "the caller's own id is respected");
    }

    #[test]
    fn wide_filters_do_not_narrow() {
        for (filter, expected) in [
            (json!({"visibility": "timeline", "personIds": []}), false),
            (json!({"personIds": [id(1)]}), true),
            (json!({"isFavorite": false}), true),
        ] {
            assert_eq!(filters(SearchRoute::Metadata, &filter).unwrap().narrow, expected, "{filter}");
        }
    }

    #[test]
    fn what_keys_are_not_given_is_left() {
        for visibility in ["locked", "hidden"] {
            assert!(filters(SearchRoute::Smart, &json!({"visibility": visibility})).is_err());
        }
        for route in [SearchRoute::Random, SearchRoute::Statistics] {
            assert!(filters(route, &json!({"ocr": "a"})).is_err());
        }
    }
}
