//! Bodies of Immich's searches in both shapes: a byte for the route, then the JSON.
use serde_json::Value;
use viewfinder_immich::companion::fuzzing;
use viewfinder_immich::library::{Next, SearchRequest, SearchRoute, is_structured};

const ROUTES: [SearchRoute; 4] =
    [SearchRoute::Smart, SearchRoute::Metadata, SearchRoute::Random, SearchRoute::Statistics];

pub(super) fn run(input: &[u8]) {
    let Some((&route, json)) = input.split_first() else { return };
    let route = ROUTES[usize::from(route) % ROUTES.len()];
    let Ok(body) = serde_json::from_slice::<Value>(json) else { return };
    if let Ok(request) = SearchRequest::parse(route, &body) {
        understood(route, &request, &body);
    }
    let Value::Object(body) = body else { return };
    for text in fuzzing::texts(&body).into_iter().flatten() {
        assert!(text.len() <= json.len());
    }
    let probe = fuzzing::probe(&body);
    assert!(!fuzzing::has_own_text(&probe), "Immich is asked about text that it does not know");
    assert_eq!(fuzzing::probe(&probe), probe);
    // A search without a filter, an order and a cursor is of the other shape.
    assert!(!is_structured(&body) || is_structured(&probe));
    if let Some(said) = fuzzing::rewrite_query(body, "words") {
        assert!(fuzzing::has_own_text(&said));
    }
}

/// The page after this one begins where this one ends.
fn understood(route: SearchRoute, request: &SearchRequest, body: &Value) {
    let places = request.places();
    assert!(places.start <= places.end && places.len() <= 1000);
    assert_eq!(request.next(false), None);
    let (key, value) = match request.next(true) {
        Some(Next::Page(page)) => ("page", Value::from(page)),
        Some(Next::Cursor(cursor)) => ("cursor", Value::from(cursor)),
        None => return,
    };
    let mut body = body.clone();
    body[key] = value;
    // The last page that can be numbered has none behind it.
    if let Ok(next) = SearchRequest::parse(route, &body) {
        assert_eq!(next.places().start, places.end);
    }
}
