//! Filters of the second shape, which v3.2 has.
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    api::filters::{MetadataFilters, Own},
    library::Caller,
};

/// What goes with the pictures of an answer.
const EXTRAS: &[&str] = &["withExif", "withPeople", "withStacked"];
/// Conditions that let most pictures through. What is in the trash is given unless it is excluded.
const WIDE: &[&str] = &["visibility", "trashedAt"];

/// Reads a body.
///
/// # Errors
/// Why only Immich can answer it.
pub(crate) fn filters(caller: &Caller, body: &Map<String, Value>) -> Result<MetadataFilters, &'static str> {
    if body.contains_key("orderBy") {
        return Err("the order asked for is not that of relevance");
    }
    let mut filter = match body.get("filter") {
        None => Map::new(),
        Some(Value::Object(filter)) => filter.clone(),
        Some(_) => return Err("filter is no object"),
    };
    let branches: Vec<&Map<String, Value>> = filter
        .get("or")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect();
    if branches.iter().any(|branch| branch.contains_key("ocr")) {
        return Err("words in branches of or are Immich's to find");
    }
    if branches.iter().copied().chain([&filter]).any(is_confined) {
        return Err("albums have pictures of others, which the key's user may not have listed");
    }
    require_listed(caller, &filter, &branches)?;
    let id =
        |operator: &str| filter.get("id").and_then(|id| Uuid::parse_str(id.get(operator)?.as_str()?).ok());
    let own = Own { only: id("eq"), not: id("ne") };
    filter.remove("ocr");
    filter.remove("id");
    let narrow = filter.keys().any(|name| !WIDE.contains(&&**name));
    let mut kept: Map<String, Value> = body.clone();
    kept.retain(|name, _| EXTRAS.contains(&&**name));
    kept.insert("filter".to_owned(), json!(filter));
    Ok(MetadataFilters { body: kept, structured: true, narrow, own })
}

/// Do named albums stand in place of the caller's own pictures?
fn is_confined(branch: &Map<String, Value>) -> bool {
    branch.get("albumIds").is_some_and(|albums| albums.get("any").is_some() || albums.get("all").is_some())
}

/// What could be found must be what keys are given lists of: neither locked pictures nor hidden ones. If nothing is said, Immich
/// gives locked ones only to those who have shown their PIN; hidden ones are the moving parts of others, and have no text.
fn require_listed(
    caller: &Caller,
    top: &Map<String, Value>,
    branches: &[&Map<String, Value>],
) -> Result<(), &'static str> {
    const LEFT: &str = "keys are not given such pictures";
    if let Some(condition) = top.get("visibility") {
        // Whatever the branches say, it is among these.
        return if reaches_unlisted(condition) { Err(LEFT) } else { Ok(()) };
    }
    let said: Vec<&Value> = branches.iter().filter_map(|branch| branch.get("visibility")).collect();
    if said.iter().any(|condition| reaches_unlisted(condition)) {
        return Err(LEFT);
    }
    // Only if each branch says so is nothing else reached.
    let all_said = !branches.is_empty() && said.len() == branches.len();
    if caller.elevated && !all_said { Err(LEFT) } else { Ok(()) }
}

fn reaches_unlisted(condition: &Value) -> bool {
    let among = |operator: &str, one: &str| {
        let list = condition.get(operator)?.as_array()?;
        Some(list.iter().any(|value| value == one))
    };
    ["hidden", "locked"].iter().any(|one| {
        condition.get("eq").is_none_or(|value| value == one)
            && condition.get("ne").is_none_or(|value| value != one)
            && among("in", one).unwrap_or(true)
            && !among("notIn", one).unwrap_or(false)
    })
}

#[cfg(test)]
mod tests {
    use crate::library::SearchRoute;

    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn read(elevated: bool, body: &Value) -> Result<MetadataFilters, &'static str> {
        MetadataFilters::of(&Caller { user: id(1), elevated }, SearchRoute::Metadata, body)
    }

    #[test]
    fn questions_have_the_filter_without_words() {
        let body = json!({
            "filter": {
                "ocr": {"matches": "a"}, "id": {"ne": id(3)}, "city": {"eq": "Rome"}, "trashedAt": {"eq": null},
                "or": [{"isFavorite": {"eq": true}}, {"rating": {"gt": 3}, "id": {"eq": id(4)}}],
            },
            "cursor": "eyJvZmZzZXQiOjJ9", "size": 9, "withExif": true, "withPeople": true, "language": "en",
        });
        let filters = read(false, &body).unwrap();
        let or = &body["filter"]["or"];
        let expected = json!({
            "filter": {"id": {"eq": id(5)}, "city": {"eq": "Rome"}, "trashedAt": {"eq": null}, "or": or},
            "size": 1, "withExif": true, "withPeople": true,
        });
        assert_eq!(filters.about(id(5)), expected);
        let expected = json!({
            "filter": {"city": {"eq": "Rome"}, "trashedAt": {"eq": null}, "or": or},
            "size": 1000, "withExif": true, "withPeople": true,
        });
        assert_eq!(filters.all(1000), expected);
        assert!(filters.narrow && filters.allow(id(5)) && !filters.allow(id(3)));
        let one = read(false, &json!({"filter": {"id": {"eq": id(7)}, "trashedAt": {"eq": null}}})).unwrap();
        assert!(!one.narrow && one.allow(id(7)) && !one.allow(id(5)));
        let none = read(false, &json!({"cursor": "eyJvZmZzZXQiOjJ9"})).unwrap();
        assert_eq!(none.about(id(5)), json!({"filter": {"id": {"eq": id(5)}}, "size": 1}));
    }

    #[test]
    fn what_only_immich_can_answer_is_left() {
        for body in [
            json!({"filter": {"ocr": {"matches": "a"}}, "orderBy": {"field": "rating"}}),
            json!({"filter": {"or": [{"ocr": {"matches": "a"}}, {"isFavorite": {"eq": true}}]}}),
            json!({"filter": {"albumIds": {"any": [id(1)]}}}),
            json!({"filter": {"or": [{"albumIds": {"all": [id(1)]}}]}}),
            json!({"filter": []}),
        ] {
            assert!(read(false, &body).is_err(), "{body}");
        }
        assert!(read(false, &json!({"filter": {"albumIds": {"none": [id(1)]}}})).is_ok());
    }

    #[test]
    fn pictures_that_are_not_listed_are_left() {
        for (visibility, locked) in [
            (json!({"eq": "timeline"}), false),
            (json!({"eq": "locked"}), true),
            (json!({"eq": "hidden"}), true),
            (json!({"ne": "locked"}), true),
            (json!({"ne": "archive"}), true),
            (json!({"in": ["archive", "timeline"]}), false),
            (json!({"in": ["archive", "locked"]}), true),
            (json!({"in": ["archive", "locked"], "ne": "locked"}), false),
            (json!({"notIn": ["hidden", "locked"]}), false),
            (json!({"notIn": ["locked"]}), true),
        ] {
            for elevated in [false, true] {
                let top = json!({"filter": {"visibility": visibility, "or": [{"isFavorite": {"eq": true}}]}});
                assert_eq!(read(elevated, &top).is_err(), locked, "{top}");
                let branch = json!({"filter": {"or": [{"visibility": visibility}]}});
                assert_eq!(read(elevated, &branch).is_err(), locked, "{branch}");
                let other =
                    json!({"filter": {"or": [{"visibility": visibility}, {"isFavorite": {"eq": true}}]}});
                assert_eq!(read(elevated, &other).is_err(), locked || elevated, "{other}");
            }
        }
        assert!(read(false, &json!({"filter": {}})).is_ok());
        assert!(read(true, &json!({"filter": {}})).is_err());
    }
}
