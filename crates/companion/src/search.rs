//! Searches.

use std::{sync::Arc, time::Instant};

use hyper::{
    Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, HeaderValue},
};
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use viewfinder_proxy::{Body, Visitor, full};

use crate::{
    Companion, LibraryError, Page,
    as_caller::Sender,
    ask::{self, Read},
    judge::{Probe, Verdict, judge},
    metric, reply,
};

/// A route that searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// By what pictures show, or by text after `ocr:`.
    Smart,
    /// By what is known of files; here only with text, in `ocr` or after `ocr:`.
    Metadata,
    /// By text: the route of the seed's fork of Immich, which a stock Immich lacks.
    Ocr,
}

impl Route {
    /// The route of a path, if it is one.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path {
            "/api/search/smart" => Some(Self::Smart),
            "/api/search/metadata" => Some(Self::Metadata),
            "/api/search/ocr" => Some(Self::Ocr),
            _ => None,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Smart => "search_smart",
            Self::Metadata => "search_metadata",
            Self::Ocr => "search_ocr",
        }
    }
}

/// Why a search is left to Immich.
enum Left {
    /// Nothing is wrong; it is Immich's.
    Untold(&'static str),
    /// Somebody should know.
    Told(&'static str, String),
}

/// Answers a search, or lets Immich do so.
pub(crate) async fn answer(
    companion: &Arc<Companion>,
    route: Route,
    request: Request<Body>,
    visitor: &Visitor,
) -> Response<Body> {
    let read = match Read::json(request).await {
        Ok(read) => read,
        Err(request) => return companion.proxy.forward(request, visitor).await,
    };
    let Some(body) =
        read.object().filter(|body| is_ours(route, body) && !ask::is_of_shared_link(&read.parts))
    else {
        return companion.proxy.forward(read.again(), visitor).await;
    };
    let started = Instant::now();
    let left = match timeout(companion.time, ours(companion, route, &read, &body, visitor)).await {
        Ok(Ok((outcome, response))) => {
            metric::ended(route.label(), outcome);
            metric::took(route.label(), started.elapsed());
            return response;
        }
        Ok(Err(left)) => left,
        Err(_) => Left::Told("timed_out", format!("no answer within {:?}", companion.time)),
    };
    let outcome = match left {
        Left::Untold(outcome) => outcome,
        Left::Told(outcome, why) => {
            tracing::warn!(route = route.label(), why, "a search is left to Immich");
            outcome
        }
    };
    metric::ended(route.label(), outcome);
    let request = rephrased(companion, route, &read, body, visitor).await.unwrap_or_else(|| read.again());
    companion.proxy.forward(request, visitor).await
}

/// Is there anything in a search that we may know better than Immich?
fn is_ours(route: Route, body: &Map<String, Value>) -> bool {
    let text =
        |name: &str| body.get(name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    match route {
        Route::Smart => text("query"),
        Route::Metadata => text_in(body).is_some(),
        Route::Ocr => true,
    }
}

async fn ours(
    companion: &Arc<Companion>,
    route: Route,
    read: &Read,
    body: &Map<String, Value>,
    visitor: &Visitor,
) -> Result<(&'static str, Response<Body>), Left> {
    if companion.library.is_none() {
        return Err(Left::Untold("no_library"));
    }
    let probe = Probe {
        path: "/api/search/metadata",
        body: probe(body),
        granted: &[StatusCode::OK],
        needs_user: false,
    };
    let caller = match judge(&companion.proxy, visitor, &read.parts, &probe).await {
        Verdict::Granted(caller) => caller,
        Verdict::Refused(response) => return Ok(("refused", *response)),
        Verdict::Unclear(why) => return Err(Left::Told("unclear", why)),
    };
    if route == Route::Ocr && !is_ours(Route::Metadata, body) {
        let message = "ocr should not be empty";
        return Ok(("refused", reply::refusal(StatusCode::BAD_REQUEST, message)));
    }
    let question = Value::Object(question(route, body));
    let immich = Sender::new(companion, read, visitor);
    let page = companion.with_library(move |library| library.search(&caller, &question, &immich)).await;
    match page {
        Ok(page) => Ok(("answered", reply::json(&read.parts.headers, &response(&page)))),
        Err(LibraryError::NotUnderstood(why)) => {
            tracing::debug!(route = route.label(), why, "left to Immich");
            Err(Left::Untold("not_understood"))
        }
        Err(LibraryError::NotYours) => Err(Left::Untold("not_yours")),
        Err(LibraryError::Failed { code, message }) => Err(Left::Told(code, message)),
    }
}

/// The same filters for Immich's own search, which asks for one picture only and not for what it cannot know.
fn probe(body: &Map<String, Value>) -> Value {
    let mut body = body.clone();
    for name in ["query", "queryAssetId", "language", "ocr", "page", "withExif", "withPeople"] {
        body.remove(name);
    }
    body.insert("size".to_owned(), json!(1));
    Value::Object(body)
}

/// The body as a library understands it.
fn question(route: Route, body: &Map<String, Value>) -> Map<String, Value> {
    let mut body = body.clone();
    if route != Route::Smart {
        let text = text_in(&body).map(str::to_owned);
        // Immich ignores it here; to a library it would be another kind of search.
        body.remove("query");
        body.extend(text.map(|text| ("ocr".to_owned(), Value::String(text))));
    }
    if route == Route::Ocr {
        body.entry("size").or_insert(json!(SIZE));
    }
    body
}

/// Pictures on a page of `/search/smart` and `/search/ocr` when nothing else is said.
const SIZE: u32 = 100;

/// The answer of every search, as v2.7.5 gives it.
fn response(page: &Page) -> Value {
    let count = page.items.len();
    json!({
        "albums": {"total": 0, "count": 0, "items": [], "facets": []},
        "assets": {
            "total": count,
            "count": count,
            "items": page.items,
            "facets": [],
            "nextPage": page.next_page.map(|page| page.to_string()),
        },
    })
}

/// A search for text that was left to Immich, in the words of an Immich that can search for text. `None` if it is better
/// sent as it came.
async fn rephrased(
    companion: &Companion,
    route: Route,
    read: &Read,
    mut body: Map<String, Value>,
    visitor: &Visitor,
) -> Option<Request<Body>> {
    let text = match route {
        Route::Metadata if own_text(&body).is_some() => return None,
        Route::Ocr => own_text(&body)?.to_owned(),
        Route::Smart | Route::Metadata => text_asked_for(body.get("query")?.as_str()?)?.to_owned(),
    };
    let features =
        ask::as_sender(&companion.proxy, visitor, &read.parts, Method::GET, "/api/server/features", None)
            .await;
    if !features.ok()?.json()?.get("ocr")?.as_bool()? {
        return None;
    }
    body.remove("query");
    body.insert("ocr".to_owned(), Value::String(text));
    if route != Route::Metadata {
        body.entry("size").or_insert(json!(SIZE));
    }
    let mut request = read.again();
    *request.uri_mut() = ask::with_path(&read.parts.uri, "/api/search/metadata");
    let bytes = Value::Object(body).to_string();
    request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    Some(request.map(|_| full(bytes)))
}

/// What a search for files wants to find in text. Immich's page sends `ocr:…` as such a search while search by meaning is
/// off, and Immich ignores it.
fn text_in(body: &Map<String, Value>) -> Option<&str> {
    own_text(body).or_else(|| text_asked_for(body.get("query")?.as_str()?))
}

/// Immich's own field for that.
fn own_text(body: &Map<String, Value>) -> Option<&str> {
    body.get("ocr")?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The words behind `ocr:`, if a query is about text alone.
fn text_asked_for(query: &str) -> Option<&str> {
    let query = query.trim();
    let (start, text) = query.split_once([':', '：'])?;
    let text = text.trim();
    (start.eq_ignore_ascii_case("ocr") && !text.is_empty()).then_some(text)
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
            "query": "x", "ocr": "y", "language": "en", "page": 3, "size": 50, "withExif": true, "personIds": ["p"],
            "visibility": "locked", "unheardOf": 1,
        }));
        let expected = json!({"personIds": ["p"], "visibility": "locked", "unheardOf": 1, "size": 1});
        assert_eq!(probe(&body), expected);
    }

    #[test]
    fn text_is_asked_for_by_a_prefix() {
        for (query, expected) in [
            ("ocr:发票", Some("发票")),
            (" OCR: invoice 2024 ", Some("invoice 2024")),
            ("ocr：发票", Some("发票")),
            ("ocr:", None),
            ("ocr", None),
            ("a cat", None),
            ("red ocr:cat", None),
            ("time 12:30", None),
        ] {
            assert_eq!(text_asked_for(query), expected, "{query}");
        }
    }

    #[test]
    fn only_searches_with_words_are_ours() {
        assert!(is_ours(Route::Smart, &object(json!({"query": "cat"}))));
        assert!(!is_ours(Route::Smart, &object(json!({"queryAssetId": "a"}))));
        assert!(!is_ours(Route::Smart, &object(json!({"query": " ", "ocr": "a"}))));
        assert!(is_ours(Route::Metadata, &object(json!({"ocr": "a"}))));
        assert!(is_ours(Route::Metadata, &object(json!({"query": "ocr:a", "ocr": null}))));
        assert!(!is_ours(Route::Metadata, &object(json!({"query": "cat", "city": "Rome"}))));
    }
}
