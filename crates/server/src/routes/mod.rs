//! One module per protocol; this one joins them. A handler declares its route, from which the router, the list of routes and
//! the interface's document come (`document`).

mod analyze;
mod answers;
mod document;
mod immich;
mod mt_photos;
mod operations;
mod page;

pub(crate) use document::is_open;
pub use document::{ROUTES, operations};
#[cfg(feature = "fuzzing")]
pub(crate) use mt_photos::sentence;
pub use page::page_file;

use std::{sync::Arc, time::Instant};

use crate::ledger::{Failed, Ledger};
use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
};
use tokio::task::spawn_blocking;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use viewfinder_core::{
    Backend, EngineStatus, PictureAnswer, PictureRequest, PictureTask, SentenceRequest, TaskError, label,
    short,
};

use self::document::{OF_ADDRESS, OF_MT_PHOTOS, keyed};
use crate::{
    FailedAttempts, ServerConfig,
    body::Bodies,
    failure::Failure,
    foreign,
    key::{self, KeyGuard},
    key_refusal_log::KeyRefusalLog,
    log_limit::LogLimiter,
    metric,
    multipart::Form,
    notice::{Notice, notice, wants_page},
    observe,
    refusal::Detail,
};

/// What handlers share.
pub(crate) struct App {
    pub(crate) config: ServerConfig,
    pub(crate) bodies: Bodies,
    pub(crate) key_refusals: KeyRefusalLog,
    pub(crate) lines: LogLimiter,
    /// Wrong keys for MT Photos' protocol.
    pub(crate) tries: FailedAttempts,
    /// More parts of `/health`, by their names.
    pub(crate) health: Vec<(&'static str, HealthPart)>,
    backend: Arc<dyn Backend>,
    ledger: Arc<Ledger>,
    started: Instant,
}

type HealthPart = Box<dyn Fn() -> serde_json::Value + Send + Sync>;
type Shared = State<Arc<App>>;

impl App {
    pub(crate) fn new(config: ServerConfig, backend: Arc<dyn Backend>) -> Self {
        metric::recorder();
        let bodies = Bodies::new(config.limits);
        let (key_refusals, lines, tries) =
            (KeyRefusalLog::default(), LogLimiter::default(), FailedAttempts::default());
        let ledger = Arc::new(Ledger::open(config.failures.clone()));
        Self {
            config,
            bodies,
            key_refusals,
            lines,
            tries,
            health: Vec::new(),
            backend,
            ledger,
            started: Instant::now(),
        }
    }

    /// Asks about a picture, counts its tasks, and enters those that failed for good into the ledger.
    async fn picture(
        &self,
        protocol: &'static str,
        request: PictureRequest,
    ) -> Result<PictureAnswer, TaskError> {
        let questions = request.tasks.iter().map(|task| (task.label(), task.model()));
        observe::note(questions, request.bytes.len());
        let tasks = metric::Tasks::start(protocol, request.tasks.iter().map(PictureTask::label));
        let asked = request.clone();
        let result = self.backend.picture(request).await;
        match &result {
            Ok(found) => tasks.end(found.answers.iter().map(|answer| outcome(answer.as_ref()))),
            Err(error) => tasks.end(std::iter::repeat(error.code.as_str())),
        }
        self.enter(&asked, &result).await;
        result
    }

    /// Enters into the ledger what asking again cannot help. Sentences are not in it: somebody waited and was told.
    async fn enter(&self, asked: &PictureRequest, result: &Result<PictureAnswer, TaskError>) {
        let error = |at: usize| match result {
            Ok(found) => found.answers.get(at)?.as_ref().err(),
            Err(error) => Some(error),
        };
        let failed: Vec<Failed> = asked
            .tasks
            .iter()
            .enumerate()
            .filter_map(|(at, task)| Some((task, error(at)?)))
            .filter(|(_, error)| !error.code.retryable())
            .map(|(task, error)| Failed {
                task: task.label(),
                model: short(task.model()),
                code: error.code.as_str(),
                message: short(&error.message),
                engine: error.node.clone().unwrap_or_else(|| LOCAL.to_owned()),
            })
            .collect();
        if failed.is_empty() {
            return;
        }
        for failed in &failed {
            metric::failed(failed.task, failed.code);
        }
        let (ledger, picture) = (Arc::clone(&self.ledger), asked.bytes.clone());
        let context = viewfinder_core::trace::current();
        // Sums the picture and writes to the disk.
        let entered = spawn_blocking(move || {
            let request = context.as_ref().and_then(|context| context.id().to_str().ok());
            ledger.enter(&picture, request, failed);
        });
        if entered.await.is_err() {
            tracing::error!("a failure could not be entered into the ledger");
        }
    }

    /// Asks for a sentence's vector, and counts it.
    async fn sentence(
        &self,
        protocol: &'static str,
        model: &str,
        text: &str,
        language: Option<String>,
    ) -> Result<Vec<f32>, TaskError> {
        observe::note(std::iter::once((label::TEXTUAL, model)), text.len());
        let tasks = metric::Tasks::start(protocol, std::iter::once(label::TEXTUAL));
        let request = SentenceRequest { model: model.to_owned(), text: text.to_owned(), language };
        let result = self.backend.sentence(request).await;
        tasks.end(std::iter::once(outcome(result.as_ref())));
        result
    }

    fn status(&self) -> EngineStatus {
        self.backend.status()
    }

    fn nodes(&self) -> Vec<viewfinder_core::NodeStatus> {
        self.backend.nodes()
    }

    async fn unload(self: &Arc<Self>) {
        let app = Arc::clone(self);
        // Freeing models takes long enough to stay off the async threads.
        if spawn_blocking(move || app.backend.unload()).await.is_err() {
            tracing::error!("dropping the models failed");
        }
    }
}

/// What the ledger calls the engine in this process.
const LOCAL: &str = "local";

/// An answer as metrics call it.
fn outcome<T>(answer: Result<&T, &TaskError>) -> &'static str {
    answer.err().map_or("ok", |error| error.code.as_str())
}

/// Every route, by which keys it takes; what else there is to say of it stands at its handler.
fn declared() -> OpenApiRouter<Arc<App>> {
    let open = OpenApiRouter::default()
        .routes(routes!(ping))
        .routes(routes!(page::base))
        .routes(routes!(page::language))
        .routes(routes!(page::errors))
        .routes(routes!(page::style))
        .routes(routes!(page::words))
        .routes(routes!(page::script))
        .routes(routes!(page::key));
    let told_by_detail = OpenApiRouter::default()
        .routes(routes!(page::root))
        .routes(routes!(immich::predict))
        .routes(routes!(mt_photos::face_check));
    let mt_photos = OpenApiRouter::default()
        .routes(routes!(mt_photos::check))
        .routes(routes!(mt_photos::text))
        .routes(routes!(mt_photos::embed_picture))
        .routes(routes!(mt_photos::embed_sentence))
        .routes(routes!(mt_photos::faces))
        .routes(routes!(mt_photos::restart))
        .routes(routes!(mt_photos::restart_v2));
    let own = OpenApiRouter::default()
        .routes(routes!(operations::health))
        .routes(routes!(operations::metrics))
        .routes(routes!(operations::openapi))
        .routes(routes!(analyze::analyze))
        .routes(routes!(operations::failures));
    OpenApiRouter::with_openapi(document::frame())
        .merge(open)
        .merge(keyed(&OF_ADDRESS, "Detail", told_by_detail))
        .merge(keyed(&OF_MT_PHOTOS, "Detail", mt_photos))
        .merge(keyed(&OF_ADDRESS, "Error", own))
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes a word")]
enum Pong {
    Pong,
}

/// Alive, whatever the models do.
#[utoipa::path(
    get, path = "/ping", tags = ["immich", "mt-photos"],
    responses((status = 200, description = "pong", body = Pong, content_type = "text/plain")),
)]
async fn ping() -> &'static str {
    "pong"
}

/// All protocols and `more` routes, behind a key if there is one.
pub(crate) fn router(app: Arc<App>, more: Router, guard: Option<KeyGuard>) -> Router {
    let routes = Router::from(declared())
        .fallback(unknown)
        .method_not_allowed_fallback(async |headers: HeaderMap| {
            if wants_page(&headers) {
                return notice(&headers, Notice::NoPage);
            }
            not_here(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .with_state(Arc::clone(&app))
        .merge(more);
    let names: Arc<[String]> = app.config.hosts.clone().into();
    let routes = routes.layer(middleware::from_fn_with_state(names, foreign::guard));
    let guarded = match guard {
        Some(guard) => routes.layer(middleware::from_fn_with_state(guard, key::guard)),
        None => routes,
    };
    guarded.layer(middleware::from_fn_with_state(app, observe::observe))
}

/// Says no to a request for this path: to a browser with a page, else in the shape of its protocol.
pub(crate) fn refuse(path: &str, headers: &HeaderMap, failure: &Failure) -> Response {
    if let Some(told) = told(headers, failure).filter(|_| wants_page(headers)) {
        return failure.mark(notice(headers, told));
    }
    let own = ["/health", "/metrics", "/api/"].iter().any(|start| path.starts_with(start));
    if own { failure.own() } else { failure.detail() }
}

/// What a person is told of it, if there is something to do.
fn told<'a>(headers: &'a HeaderMap, failure: &Failure) -> Option<Notice<'a>> {
    match failure.code {
        "key_missing" | "key_wrong" => Some(Notice::AddressWantsKey),
        "too_many_tries" => Some(Notice::TooManyTries),
        "host_unknown" => Some(Notice::UnknownName(foreign::host_name(headers)?)),
        _ => None,
    }
}

/// Paths with a slash too many lead to the route without it, as both Python services do.
async fn unknown(request: Request) -> Response {
    let uri = request.uri();
    let path = uri.path();
    if let Some(path) = path.strip_suffix('/').filter(|path| ROUTES.iter().any(|(_, route)| route == path)) {
        let location = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        crate::body::discard(request.into_body()).await;
        return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response();
    }
    if wants_page(request.headers()) {
        return notice(request.headers(), Notice::NotFound);
    }
    not_here(StatusCode::NOT_FOUND, "Not Found")
}

fn not_here(status: StatusCode, detail: &str) -> Response {
    (status, Json(Detail::sentence(detail))).into_response()
}

/// Larger forms are taken apart on a thread that may take its time.
const PARSED_HERE: usize = 1 << 20;

/// The body of a request, as a form, held until dropped.
struct Upload {
    form: Form,
    _held: crate::body::BufferedBody,
}

async fn upload(app: &App, request: Request) -> Result<Upload, Failure> {
    let (head, body) = request.into_parts();
    let held = app.bodies.read(&head.headers, body).await?;
    let (headers, bytes) = (head.headers, held.bytes.clone());
    let parse = move || Form::parse(&headers, &bytes);
    // Looking for a boundary in so much would keep everybody else on this thread waiting.
    let form = if held.bytes.len() <= PARSED_HERE {
        parse()?
    } else {
        spawn_blocking(parse).await.unwrap_or_else(|_| Err(Failure::broken("the form could not be read")))?
    };
    Ok(Upload { form, _held: held })
}
