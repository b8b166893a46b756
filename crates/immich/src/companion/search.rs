//! Searches.

use std::{sync::Arc, time::Instant};

use hyper::{
    Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, HeaderValue},
};
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use viewfinder_http::proxy::{Body, Visitor, full};

use crate::{
    client::with_path,
    companion::{
        Companion,
        as_caller::Sender,
        body::{self, has_own_text, is_prefixed, own_text, text_in_query},
        judge::{Authorization, Probe, judge},
        metric,
        read::Read,
        reply,
        shared_link::is_of_shared_link,
    },
    library::{LibraryError, Next, Page, SearchRoute, Who, is_structured},
};

/// A route that searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// One of Immich's.
    Immich(SearchRoute),
    /// By text: the route of the forked Immich, which a stock Immich lacks.
    Ocr,
}

const METADATA: &str = "/api/search/metadata";

impl Route {
    /// The route of a path, if it is one.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path {
            "/api/search/smart" => Some(Self::Immich(SearchRoute::Smart)),
            METADATA => Some(Self::Immich(SearchRoute::Metadata)),
            "/api/search/random" => Some(Self::Immich(SearchRoute::Random)),
            "/api/search/statistics" => Some(Self::Immich(SearchRoute::Statistics)),
            "/api/search/ocr" => Some(Self::Ocr),
            _ => None,
        }
    }

    /// The route of Immich's that it is to a library.
    fn searches(self) -> SearchRoute {
        match self {
            Self::Immich(route) => route,
            Self::Ocr => SearchRoute::Metadata,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Immich(SearchRoute::Smart) => "search_smart",
            Self::Immich(SearchRoute::Metadata) => "search_metadata",
            Self::Immich(SearchRoute::Random) => "search_random",
            Self::Immich(SearchRoute::Statistics) => "search_statistics",
            Self::Ocr => "search_ocr",
        }
    }

    /// Where Immich refuses what it would refuse here. Counting has a permission of its own.
    fn probed(self) -> &'static str {
        match self.searches() {
            SearchRoute::Statistics => "/api/search/statistics",
            _ => METADATA,
        }
    }
}

/// Why a search is left to Immich.
enum Left {
    /// Nothing is wrong; it is Immich's.
    Untold(&'static str),
    /// Somebody should know: a code, why, and whose search it was.
    Told(&'static str, String, Who),
}

/// Answers a search, or lets Immich do so.
pub(crate) async fn answer(
    companion: &Arc<Companion>,
    route: Route,
    request: Request<Body>,
    visitor: &Visitor,
) -> Response<Body> {
    let read = match Read::json(companion, request, visitor).await {
        Ok(read) => read,
        Err(unread) => return unread.forward(companion, visitor).await,
    };
    let body = read.object().await;
    let Some(body) = body.filter(|body| is_ours(route, body) && !is_of_shared_link(&read.parts)) else {
        return companion.client.proxy().forward(read.again(), visitor).await;
    };
    let started = Instant::now();
    let left = match timeout(companion.time, ours(companion, route, &read, &body, visitor)).await {
        Ok(Ok((outcome, response))) => {
            metric::ended(route.label(), outcome);
            metric::took(route.label(), started.elapsed());
            return response;
        }
        Ok(Err(left)) => left,
        Err(_) => Left::Told("timed_out", format!("no answer within {:?}", companion.time), visitor.into()),
    };
    let outcome = match left {
        Left::Untold(outcome) => outcome,
        Left::Told(outcome, why, who) => {
            if let Some(often) = companion.warnings.hear((outcome, who)) {
                tracing::warn!(route = route.label(), why, "a search is left to Immich{often}");
            }
            outcome
        }
    };
    metric::ended(route.label(), outcome);
    let request =
        rewritten_query(companion, route, &read, body, visitor).await.unwrap_or_else(|| read.again());
    companion.client.proxy().forward(request, visitor).await
}

/// Is there anything in a search that we may know better than Immich?
fn is_ours(route: Route, body: &Map<String, Value>) -> bool {
    let words = || body.get("query").and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    match route {
        Route::Immich(SearchRoute::Smart) => words(),
        // Immich's page sends `ocr:…` as a search for files while search by meaning is off, and Immich ignores it.
        Route::Immich(SearchRoute::Metadata) => {
            has_own_text(body) || is_prefixed(body) || text_in_query(body).is_some()
        }
        Route::Immich(SearchRoute::Random | SearchRoute::Statistics) => {
            has_own_text(body) || is_prefixed(body)
        }
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
    let mut filters = body::probe(body);
    if route.probed() == METADATA {
        filters.insert("size".to_owned(), json!(1));
    }
    let probe = Probe {
        path: route.probed(),
        body: Value::Object(filters),
        granted: &[StatusCode::OK],
        needs_user: false,
    };
    let (caller, probed) = match judge(&companion.client, visitor, &read.parts, &probe).await {
        Authorization::Granted(caller, answer) => (caller, answer),
        Authorization::Refused(response) => return Ok(("refused", *response)),
        Authorization::Unclear(why) => return Err(Left::Told("unclear", why, visitor.into())),
    };
    // What an Immich's answers have, it has: the second shape came with `nextCursor`.
    let mut cursors = probed.pointer("/assets/nextCursor").is_some();
    if is_structured(body) && route.probed() != METADATA {
        cursors = has_cursors(companion, read, visitor).await;
    }
    if is_structured(body) && !cursors {
        return Err(Left::Untold("not_understood"));
    }
    if is_empty(route, body) {
        if route == Route::Ocr {
            let message = "ocr should not be empty";
            return Ok(("refused", reply::refusal(StatusCode::BAD_REQUEST, message)));
        }
        return Ok(("empty", reply::json(&read.parts.headers, &response(route, Page::default(), cursors))));
    }
    let question = Value::Object(question(route, body));
    let immich = Sender::new(companion, &read.parts, visitor);
    match companion.search(&caller, route.searches(), &question, &immich).await {
        Ok(page) => Ok(("answered", reply::json(&read.parts.headers, &response(route, page, cursors)))),
        Err(LibraryError::Unsupported(why)) => {
            tracing::debug!(route = route.label(), why, "left to Immich");
            Err(Left::Untold("not_understood"))
        }
        Err(LibraryError::NothingFound) => Err(Left::Untold("nothing_found")),
        Err(LibraryError::NotYours) => Err(Left::Untold("not_yours")),
        Err(LibraryError::Failed { code, message } | LibraryError::Picture { code, message }) => {
            Err(Left::Told(code, message, (&caller).into()))
        }
    }
}

/// Do this Immich's lists have cursors, as far as the caller may know?
async fn has_cursors(companion: &Companion, read: &Read, visitor: &Visitor) -> bool {
    let one = json!({"size": 1});
    let asked = companion.client.as_sender(visitor, &read.parts, Method::POST, METADATA, Some(&one)).await;
    let answer = asked.ok().and_then(|answer| answer.json());
    answer.is_some_and(|answer| answer.pointer("/assets/nextCursor").is_some())
}

/// Is text asked for, but no words of it? Then nothing is found, and the page says what to write.
fn is_empty(route: Route, body: &Map<String, Value>) -> bool {
    match route {
        Route::Ocr => !has_own_text(body) && text_in_query(body).is_none_or(str::is_empty),
        Route::Immich(_) => !has_own_text(body) && (is_prefixed(body) || text_in_query(body) == Some("")),
    }
}

/// The body as a library understands it.
fn question(route: Route, body: &Map<String, Value>) -> Map<String, Value> {
    let mut body = body.clone();
    if route != Route::Immich(SearchRoute::Smart) {
        let text = text_in_query(&body).filter(|_| !has_own_text(&body)).map(str::to_owned);
        // Immich ignores it here; to a library it would be another kind of search.
        body.remove("query");
        if let Some(text) = text {
            body = body::rewrite_query(body.clone(), &text).unwrap_or(body);
        }
    }
    if route == Route::Ocr {
        body.entry("size").or_insert(json!(SIZE));
    }
    body
}

/// Pictures on a page of `/search/smart` and `/search/ocr` when nothing else is said.
const SIZE: u32 = 100;

/// The answer of a search, as Immich gives it.
fn response(route: Route, page: Page, cursors: bool) -> Value {
    let count = page.items.len();
    match route.searches() {
        SearchRoute::Statistics => return json!({"total": page.total}),
        SearchRoute::Random => return Value::Array(page.items),
        SearchRoute::Smart | SearchRoute::Metadata => {}
    }
    let (next_page, next_cursor) = match page.next {
        Some(Next::Page(page)) => (Some(page.to_string()), None),
        Some(Next::Cursor(cursor)) => (None, Some(cursor)),
        None => (None, None),
    };
    let mut assets = json!({
        "total": count,
        "count": count,
        "items": page.items,
        "facets": [],
        "nextPage": next_page,
    });
    if cursors {
        assets["nextCursor"] = json!(next_cursor);
    }
    json!({"albums": {"total": 0, "count": 0, "items": [], "facets": []}, "assets": assets})
}

/// A search for text that was left to Immich, in the words of an Immich that can search for text. `None` if it is better
/// sent as it came.
async fn rewritten_query(
    companion: &Companion,
    route: Route,
    read: &Read,
    body: Map<String, Value>,
    visitor: &Visitor,
) -> Option<Request<Body>> {
    if let Route::Immich(SearchRoute::Random | SearchRoute::Statistics) = route {
        return unprefixed(companion, read, body, visitor).await;
    }
    let text = match route {
        Route::Ocr => own_text(&body)?,
        Route::Immich(SearchRoute::Metadata) if is_prefixed(&body) => own_text(&body)?,
        // Immich reads its own field by itself.
        Route::Immich(SearchRoute::Metadata) if has_own_text(&body) => return None,
        Route::Immich(_) => text_in_query(&body)?,
    };
    let text = Some(text.to_owned()).filter(|text| !text.is_empty())?;
    if !has_text(companion, read, visitor).await? {
        return None;
    }
    let mut body = body::rewrite_query(body, &text)?;
    if route != Route::Immich(SearchRoute::Metadata) {
        body.entry("size").or_insert(json!(SIZE));
    }
    let mut request = with_body(read, body);
    *request.uri_mut() = with_path(&read.parts.uri, METADATA);
    Some(request)
}

/// The same search with words alone in Immich's own field; none if they are alone. Its answer is no list of files, so
/// no other route has it.
async fn unprefixed(
    companion: &Companion,
    read: &Read,
    mut body: Map<String, Value>,
    visitor: &Visitor,
) -> Option<Request<Body>> {
    let text = own_text(&body).filter(|_| is_prefixed(&body))?.to_owned();
    if !has_text(companion, read, visitor).await? {
        return None;
    }
    body.insert("ocr".to_owned(), Value::String(text));
    Some(with_body(read, body))
}

/// Can this Immich search for text?
async fn has_text(companion: &Companion, read: &Read, visitor: &Visitor) -> Option<bool> {
    let path = "/api/server/features";
    let features = companion.client.as_sender(visitor, &read.parts, Method::GET, path, None).await;
    features.ok()?.json()?.get("ocr")?.as_bool()
}

/// The same request with another body.
fn with_body(read: &Read, body: Map<String, Value>) -> Request<Body> {
    let mut request = read.again();
    let bytes = Value::Object(body).to_string();
    request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    request.map(|_| full(bytes))
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
    fn only_searches_with_words_are_ours() {
        let ours = |path: &str, body: Value| is_ours(Route::of(path).unwrap(), &object(body));
        let (smart, metadata) = ("/api/search/smart", METADATA);
        assert!(ours(smart, json!({"query": "cat"})));
        assert!(!ours(smart, json!({"queryAssetId": "a"})));
        assert!(!ours(smart, json!({"query": " ", "ocr": "a"})));
        assert!(ours(smart, json!({"query": "cat", "filter": {}})));
        assert!(ours(metadata, json!({"ocr": "a"})));
        assert!(ours(metadata, json!({"query": "ocr:a", "ocr": null})));
        assert!(!ours(metadata, json!({"query": "cat", "city": "Rome"})));
        assert!(ours(metadata, json!({"filter": {"ocr": {"matches": "a"}}})));
        assert!(!ours(metadata, json!({"filter": {"city": {"eq": "Rome"}}})));
        for path in ["/api/search/random", "/api/search/statistics"] {
            assert!(ours(path, json!({"ocr": "a"})));
            assert!(!ours(path, json!({"query": "ocr:a"})));
        }
    }
}
