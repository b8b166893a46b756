//! The routes, and what they share.
mod assets;
mod files;
mod jobs;
mod people;
mod search;
mod status;

use std::{path::PathBuf, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, patch, post},
};
use tokio_util::sync::CancellationToken;
use viewfinder_catalog::{AnalysisKind, Asset, AssetId, Store};
use viewfinder_core::Backend;
use viewfinder_image::Limits;
use viewfinder_index::{Models, Originals, Pictures};
use viewfinder_server::page_file;

use crate::{
    access::{self, Access},
    jobs::{Jobs, Means, Work},
    page,
    problem::Problem,
    session::{self, Entrance},
    storage::{Storage, StorageLimits},
    thumbnail::Thumbnails,
};

/// Every route: method and path.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", "/photos"),
    ("GET", "/api/v1/search"),
    ("GET", "/api/v1/assets/{id}"),
    ("GET", "/api/v1/assets/{id}/similar"),
    ("GET", "/api/v1/assets/{id}/thumbnail"),
    ("GET", "/api/v1/assets/{id}/file"),
    ("PATCH", "/api/v1/assets/{id}/lines/{line}"),
    ("POST", "/api/v1/assets/{id}/rerun"),
    ("POST", "/api/v1/rerun"),
    ("GET", "/api/v1/people"),
    ("PATCH", "/api/v1/people/{id}"),
    ("GET", "/api/v1/jobs"),
    ("GET", "/api/v1/failures"),
    ("GET", "/api/v1/status"),
    ("POST", "/api/v1/session"),
    ("GET", "/api/v1/openapi.json"),
];

/// Bodies are lines of text, names and queries.
const BODY_BYTES: usize = 64 << 10;

/// What the routes are given.
pub struct PhotosConfig {
    /// The catalogue.
    pub store: Arc<dyn Store>,
    /// Searches it.
    pub searcher: Arc<viewfinder_catalog::search::Searcher>,
    /// Analyses pictures, and embeds sentences.
    pub backend: Arc<dyn Backend>,
    /// Models for analyses.
    pub models: Models,
    /// The model that embeds sentences.
    pub sentence_model: String,
    /// Kinds of analysis that are done at all.
    pub kinds: Vec<AnalysisKind>,
    /// Least cosine of two faces of one person.
    pub same_person: f32,
    /// Their bytes.
    pub pictures: Arc<dyn Originals>,
    /// How much their disks may hold up.
    pub storage: StorageLimits,
    /// How large pictures may be.
    pub limits: Limits,
    /// Where small pictures are kept; without it they are made anew each time.
    pub thumbnails: Option<PathBuf>,
    /// Bytes of all small pictures together.
    pub thumbnail_bytes: u64,
    /// Who sees the photos on an address without a key.
    pub access: Access,
    /// Ends jobs.
    pub stop: CancellationToken,
}

/// What the routes share.
pub struct Photos {
    config: PhotosConfig,
    thumbnails: Thumbnails,
    /// Opens and reads files.
    reading: Storage,
    /// Makes small pictures, which takes a processor and memory.
    making: Storage,
    jobs: Jobs,
}

type Shared = axum::extract::State<Arc<Photos>>;

impl Photos {
    /// Starts doing jobs: first, whatever was left undone. Must be called within a Tokio runtime.
    pub fn start(config: PhotosConfig) -> Arc<Self> {
        let means = Means {
            store: Arc::clone(&config.store),
            backend: Arc::clone(&config.backend),
            models: config.models.clone(),
            pictures: Arc::clone(&config.pictures) as Arc<dyn Pictures>,
            same_person: config.same_person,
            stop: config.stop.clone(),
        };
        let jobs = Jobs::start(means);
        let at_once = std::thread::available_parallelism().map_or(1, usize::from);
        let thumbnails = Thumbnails::new(config.thumbnails.clone(), config.thumbnail_bytes);
        let StorageLimits { places, read_time, make_time } = config.storage;
        let (reading, making) = (Storage::new(places, read_time), Storage::new(at_once, make_time));
        let photos = Self { config, thumbnails, reading, making, jobs };
        if photos.jobs.add(Work::Pending { kinds: photos.config.kinds.clone() }).is_err() {
            tracing::error!("what was left undone is not taken up");
        }
        Arc::new(photos)
    }

    fn store(&self) -> &dyn Store {
        &*self.config.store
    }

    async fn asset(&self, id: AssetId) -> Result<Asset, Problem> {
        let mut found = self.store().assets(&[id]).await?;
        found.pop().ok_or_else(|| Problem::no_such("asset"))
    }
}

/// Does what changes something to its end, even if nobody waits for the answer any more.
async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(change).await.map_err(Problem::internal)?
}

/// All routes.
pub fn router(photos: Arc<Photos>) -> Router {
    let entrance = Entrance { access: Arc::new(photos.config.access.clone()), tries: Arc::default() };
    let api = Router::new()
        .route("/api/v1/search", get(search::search))
        .route("/api/v1/assets/{id}", get(assets::asset))
        .route("/api/v1/assets/{id}/similar", get(search::similar))
        .route("/api/v1/assets/{id}/thumbnail", get(files::thumbnail))
        .route("/api/v1/assets/{id}/file", get(files::file))
        .route("/api/v1/assets/{id}/lines/{line}", patch(assets::correct))
        .route("/api/v1/assets/{id}/rerun", post(jobs::rerun_one))
        .route("/api/v1/rerun", post(jobs::rerun_many))
        .route("/api/v1/people", get(people::people))
        .route("/api/v1/people/{id}", patch(people::name))
        .route("/api/v1/jobs", get(jobs::jobs))
        .route("/api/v1/failures", get(status::failures))
        .route("/api/v1/status", get(status::status))
        .layer(middleware::from_fn_with_state(entrance.clone(), access::guard))
        .with_state(photos);
    let open = Router::new()
        .route("/api/v1/session", post(session::sign_in))
        .with_state(entrance.clone())
        .route("/api/v1/openapi.json", get(status::openapi));
    let page = page::FILES.into_iter().fold(Router::new(), |router, (path, content_type, text)| {
        router.route(path, get(move || async move { page_file(content_type, text) }))
    });
    api.merge(open)
        .merge(page.route_layer(middleware::from_fn_with_state(entrance, access::take_token)))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
}

/// The paths that show nothing of anybody's photos, and so want no key.
pub fn open_paths() -> impl Iterator<Item = &'static str> {
    page::FILES.into_iter().map(|(path, ..)| path).chain(["/api/v1/session", "/api/v1/openapi.json"])
}
