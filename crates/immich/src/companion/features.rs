//! What Immich's apps are told of the server.

use hyper::{
    Method, Request, Response,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, ETAG},
};
use serde_json::{Value, json};
use viewfinder_http::proxy::{Body, Visitor};

use crate::{
    companion::{Companion, reply},
    library::Capability,
};

/// The route of features.
pub(crate) const PATH: &str = "/api/server/features";

/// Immich's own answer, and yes to text where the library has it. Search by meaning is on here where it is in Immich, whose
/// vectors and settings it uses.
pub(crate) async fn answer(
    companion: &Companion,
    request: Request<Body>,
    visitor: &Visitor,
) -> Response<Body> {
    let has_text = companion.library.as_ref().is_some_and(|library| library.has_text());
    if !has_text || !companion.has(Capability::TextSearch) {
        return companion.client.proxy().forward(request, visitor).await;
    }
    let (parts, body) = request.into_parts();
    let asked = companion.client.as_sender(visitor, &parts, Method::GET, PATH, None).await;
    let Ok(answer) = asked else {
        return companion.client.proxy().forward(Request::from_parts(parts, body), visitor).await;
    };
    let Some(Value::Object(mut features)) = answer.json() else { return answer.relay() };
    features.insert("ocr".to_owned(), json!(true));
    let mut response = reply::json(&parts.headers, &Value::Object(features));
    for (name, value) in &answer.headers {
        if ![CONTENT_ENCODING, CONTENT_LENGTH, ETAG].contains(name) && !response.headers().contains_key(name)
        {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}
