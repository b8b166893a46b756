//! A stand-in for Immich: who may do what as in 2.7.5, and answers that were captured from it.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use http_body_util::BodyExt as _;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use viewfinder_http::proxy::{Body, Limits, Server, empty, full};

/// A session, the same after the PIN, and API keys with some permissions.
pub(crate) const SESSION: &str = "session";
pub(crate) const UNLOCKED: &str = "unlocked-session";
pub(crate) const ALL: &str = "key-all";
pub(crate) const NO_READ: &str = "key-without-asset.read";
pub(crate) const NO_STATISTICS: &str = "key-without-asset.statistics";
pub(crate) const NO_JOBS: &str = "key-without-job.create";
pub(crate) const NO_USER: &str = "key-without-user.read";
pub(crate) const NO_VIEW: &str = "key-without-asset.view";
/// The session of another user.
pub(crate) const OTHER: &str = "other-session";

/// Who that is.
pub(crate) const OTHER_USER: &str = "0b5e1c7a-508b-408d-bd23-bea659519770";

/// A page with the anchors of Immich's web app.
pub(crate) const PAGE: &str = include_str!("page.html");

/// The body of an answer that a real Immich gave.
pub(crate) fn captured(name: &str) -> Value {
    let path = format!("../../tests/fixtures/immich-2.7.5/api/{name}.json");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["response"]["body"].clone()
}

/// What arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

#[derive(Default)]
struct State {
    asked: Mutex<Vec<Asked>>,
    without: Mutex<Vec<&'static str>>,
    signed_out: Mutex<Vec<&'static str>>,
    /// Of previews that never come.
    slow: Mutex<Vec<Uuid>>,
    /// Paths that are not answered.
    silent: Mutex<Vec<&'static str>>,
    /// Does it know the second shape of searches, as v3.2?
    structured: AtomicBool,
    hangs: AtomicBool,
}

pub(crate) struct Immich {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    serving: JoinHandle<bool>,
}

impl Immich {
    pub(crate) async fn start() -> Self {
        let server = Server::bind(&["127.0.0.1:0".parse().unwrap()], Limits::default()).await.unwrap();
        let address = server.addresses()[0];
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let serving = tokio::spawn(
            server.run(move |request, _| answer(Arc::clone(&shared), request), CancellationToken::new()),
        );
        Self { address, state, serving }
    }

    /// An Immich without a feature.
    pub(crate) fn forget(&self, feature: &'static str) {
        self.state.without.lock().unwrap().push(feature);
    }

    /// Somebody's session is over.
    pub(crate) fn sign_out(&self, session: &'static str) {
        self.state.signed_out.lock().unwrap().push(session);
    }

    /// The preview of a picture is not answered.
    pub(crate) fn delay(&self, asset: Uuid) {
        self.state.slow.lock().unwrap().push(asset);
    }

    /// All of them are from now on.
    pub(crate) fn hurry(&self) {
        self.state.slow.lock().unwrap().clear();
    }

    /// A path is not answered.
    pub(crate) fn silence(&self, path: &'static str) {
        self.state.silent.lock().unwrap().push(path);
    }

    /// An Immich as v3.2, which knows the second shape of searches.
    pub(crate) fn is_newer(&self) {
        self.state.structured.store(true, Ordering::Relaxed);
    }

    /// It takes requests, and answers none.
    pub(crate) fn hang(&self) {
        self.state.hangs.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stop(&self) {
        self.serving.abort();
    }

    /// What arrived since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.state.asked.lock().unwrap())
    }
}

/// Who a request comes from: name of the credential, wherever it is.
fn credential(asked: &Asked) -> Option<String> {
    let header = |name: &str| asked.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let query = |name: &str| {
        let mut pairs = asked.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|pair| pair.0 == name).map(|pair| pair.1.to_owned())
    };
    let cookie = || {
        let cookies = header("cookie")?;
        let mut pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
        pairs.find(|pair| pair.0 == "immich_access_token").map(|pair| pair.1.to_owned())
    };
    header("x-immich-user-token")
        .or_else(|| header("x-immich-session-token"))
        .or_else(|| query("sessionKey"))
        .or_else(|| Some(header("authorization")?.strip_prefix("Bearer ")?.to_owned()))
        .or_else(cookie)
        .or_else(|| header("x-api-key"))
        .or_else(|| query("apiKey"))
}

fn error(status: StatusCode, message: &str) -> Response<Body> {
    let error = status.canonical_reason();
    json_answer(
        status,
        &json!({"message": message, "error": error, "statusCode": status.as_u16(), "correlationId": "c"}),
    )
}

fn json_answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(full(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, "application/json; charset=utf-8".parse().unwrap());
    headers.insert(header::ETAG, "\"immich\"".parse().unwrap());
    headers.insert("x-immich-cid", "c".parse().unwrap());
    response
}

async fn answer(state: Arc<State>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let asked = Asked {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    };
    state.asked.lock().unwrap().push(asked.clone());
    let silent = state.silent.lock().unwrap().contains(&asked.path.as_str());
    if silent || state.hangs.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
    let route = format!("{} {}", asked.method, asked.path);
    match route.as_str() {
        "GET /api/server/features" => {
            let mut features = captured("server-features");
            for feature in &*state.without.lock().unwrap() {
                features[*feature] = json!(false);
            }
            return json_answer(StatusCode::OK, &features);
        }
        "GET /api/server/version" => {
            return json_answer(StatusCode::OK, &json!({"major": 2, "minor": 7, "patch": 5}));
        }
        "GET /api/plain" => return json_answer(StatusCode::OK, &json!({"plain": true})),
        _ if !asked.path.starts_with("/api/") => return page(&asked),
        _ => {}
    }
    let Some(name) = credential(&asked) else {
        return error(StatusCode::UNAUTHORIZED, "Authentication required");
    };
    let known = [SESSION, UNLOCKED, ALL, NO_READ, NO_STATISTICS, NO_JOBS, NO_USER, NO_VIEW, OTHER];
    if !known.contains(&name.as_str()) || state.signed_out.lock().unwrap().contains(&name.as_str()) {
        return error(StatusCode::UNAUTHORIZED, "Invalid user token");
    }
    let missing = |permission: &str| {
        (name == format!("key-without-{permission}"))
            .then(|| error(StatusCode::FORBIDDEN, &format!("Missing required permission: {permission}")))
    };
    match route.as_str() {
        "GET /api/users/me" => missing("user.read").unwrap_or_else(|| {
            let mut user = captured("users-me");
            if name == OTHER {
                user["id"] = json!(OTHER_USER);
            }
            json_answer(StatusCode::OK, &user)
        }),
        // The page's own pictures name the bytes that they want; previews for analysis do not.
        _ if asked.path.ends_with("/thumbnail") && asked.query.contains("&c=") => {
            let picture = "<svg xmlns='http://www.w3.org/2000/svg' width='400' height='200'/>";
            let mut response = Response::new(full(picture));
            response.headers_mut().insert(header::CONTENT_TYPE, "image/svg+xml".parse().unwrap());
            response
        }
        _ if asked.path.ends_with("/thumbnail") => {
            if let Some(refusal) = missing("asset.view") {
                return refusal;
            }
            let slow = state.slow.lock().unwrap().iter().any(|asset| asked.path.contains(&asset.to_string()));
            if slow {
                std::future::pending::<()>().await;
            }
            let mut response = Response::new(full(format!("preview {}", asked.query)));
            response.headers_mut().insert(header::CONTENT_TYPE, "image/jpeg".parse().unwrap());
            response
        }
        _ if asked.path.ends_with("/ocr") && asked.method == Method::GET => {
            json_answer(StatusCode::OK, &captured("asset-ocr-0"))
        }
        "GET /api/auth/status" if name.starts_with("key") => error(StatusCode::FORBIDDEN, "Forbidden"),
        "GET /api/auth/status" => json_answer(
            StatusCode::OK,
            &json!({"pinCode": true, "password": true, "isElevated": name == UNLOCKED}),
        ),
        "POST /api/search/metadata" | "POST /api/search/smart" => {
            missing("asset.read").unwrap_or_else(|| {
                if asked.body["visibility"] == "locked" && name != UNLOCKED {
                    return error(StatusCode::UNAUTHORIZED, "Elevated permission is required");
                }
                if asked.body["type"] == "PICTURE" {
                    return error(StatusCode::BAD_REQUEST, "type must be one of the following values");
                }
                let smart = asked.path.ends_with("smart");
                let mut answer = captured(if smart { "search-smart" } else { "search-metadata-ocr" });
                if state.structured.load(Ordering::Relaxed) {
                    answer["assets"]["nextCursor"] = Value::Null;
                }
                json_answer(StatusCode::OK, &answer)
            })
        }
        "POST /api/search/statistics" => {
            missing("asset.statistics").unwrap_or_else(|| json_answer(StatusCode::OK, &json!({"total": 45})))
        }
        "POST /api/search/random" => {
            missing("asset.read").unwrap_or_else(|| json_answer(StatusCode::OK, &json!([])))
        }
        "POST /api/assets/jobs" => missing("job.create").unwrap_or_else(|| {
            let names = ["refresh-faces", "refresh-metadata", "regenerate-thumbnail", "transcode-video"];
            if !names.iter().any(|name| asked.body["name"] == *name) {
                return error(StatusCode::BAD_REQUEST, "name must be one of the following values");
            }
            let mut response = Response::new(empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }),
        _ => error(StatusCode::NOT_FOUND, &format!("Cannot {route}")),
    }
}

/// The web app; a path may say what is odd about it.
fn page(asked: &Asked) -> Response<Body> {
    let text = if asked.path == "/headless" { "<p>no head</p>" } else { PAGE };
    let mut response = Response::new(full(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, "text/html; charset=utf-8".parse().unwrap());
    headers.insert(header::CACHE_CONTROL, "no-store".parse().unwrap());
    headers.insert(header::ETAG, "\"page\"".parse().unwrap());
    headers.insert(header::CONTENT_LENGTH, text.len().into());
    match asked.path.as_str() {
        "/compressed" => drop(headers.insert(header::CONTENT_ENCODING, "br".parse().unwrap())),
        "/missing" => *response.status_mut() = StatusCode::NOT_FOUND,
        "/app.js" => drop(headers.insert(header::CONTENT_TYPE, "text/javascript".parse().unwrap())),
        _ => {}
    }
    response
}
