//! The routes, and what they share.
mod assets;
mod by_picture;
mod catalogue;
mod document;
mod faces;
mod files;
mod jobs;
mod people;
mod search;
mod status;

pub use catalogue::Catalogue;
pub use document::{ROUTES, open_paths};

use std::{path::PathBuf, sync::Arc};

use axum::{Router, extract::DefaultBodyLimit, middleware, routing::get};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use utoipa_axum::{router::OpenApiRouter, routes};
use viewfinder_catalog::{AnalysisKind, Asset, AssetId, Store};
use viewfinder_core::Backend;
use viewfinder_image::Limits;
use viewfinder_index::{Models, Originals, Pictures};
use viewfinder_server::page_file;

use self::catalogue::Door;
use crate::{
    access::{self, Access},
    jobs::{JobKind, Jobs, Means},
    page,
    problem::Problem,
    session::{self, SignIn},
    storage::{Storage, StorageLimits},
    thumbnail::Thumbnails,
};

/// Bodies are lines of text, names and queries.
const BODY_BYTES: usize = 64 << 10;
/// Pictures that may be sent along with searches at the same time.
const SENT_AT_ONCE: usize = 4;

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
    /// Take up what was left undone? Not while `viewfinder index` does it.
    pub take_up: bool,
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
    /// Places for pictures that are sent along with searches, each of which may take much memory.
    sent: Semaphore,
    jobs: Jobs,
}

type Shared = axum::extract::State<Arc<Photos>>;

impl Photos {
    /// Starts doing jobs: first, whatever was left undone, if that is wished. Must be called within a Tokio runtime.
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
        let sent = Semaphore::new(SENT_AT_ONCE);
        let photos = Self { config, thumbnails, reading, making, sent, jobs };
        let left = JobKind::Pending { kinds: photos.config.kinds.clone() };
        if photos.config.take_up && photos.jobs.add(left).is_err() {
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

/// Routes that show photos, or change what is known about them.
fn guarded() -> OpenApiRouter<Door> {
    OpenApiRouter::default()
        .routes(routes!(search::search))
        .routes(routes!(assets::asset))
        .routes(routes!(search::similar))
        .routes(routes!(files::thumbnail))
        .routes(routes!(files::file))
        .routes(routes!(assets::correct))
        .routes(routes!(jobs::rerun_one))
        .routes(routes!(jobs::rerun_many))
        .routes(routes!(by_picture::by_picture))
        .routes(routes!(people::people, people::name_several, faces::new_person))
        .routes(routes!(people::person, people::name))
        .routes(routes!(people::merge))
        .routes(routes!(by_picture::of_person))
        .routes(routes!(faces::of_person))
        .routes(routes!(faces::assign, faces::reject))
        .routes(routes!(faces::crop))
        .routes(routes!(jobs::jobs))
        .routes(routes!(status::failures))
}

/// What can be told also before there are photos.
fn told() -> OpenApiRouter<Door> {
    OpenApiRouter::default().routes(routes!(status::status))
}

/// Routes that show nothing of anybody's photos, and so want no key.
fn open() -> OpenApiRouter<SignIn> {
    OpenApiRouter::default().routes(routes!(session::sign_in)).routes(routes!(status::openapi))
}

/// The page, which wants no key either.
fn page() -> OpenApiRouter {
    OpenApiRouter::default().routes(routes!(page::page))
}

/// All routes, over a catalogue that may come later, for those whom `access` lets in.
pub fn router(catalogue: Arc<Catalogue>, access: Access) -> Router {
    let entrance = SignIn { access: Arc::new(access), tries: Arc::default() };
    let guarded = Router::from(guarded())
        .route_layer(middleware::from_fn_with_state(Arc::clone(&catalogue), catalogue::guard))
        .merge(Router::from(told()))
        .layer(middleware::from_fn_with_state(entrance.clone(), access::guard))
        .with_state(Door(catalogue));
    let page =
        Router::from(page()).route_layer(middleware::from_fn_with_state(entrance.clone(), access::entrance));
    let page = page::FILES.iter().copied().fold(page, |router, (path, content_type, text)| {
        router.route(path, get(move || async move { page_file(content_type, text) }))
    });
    guarded
        .merge(Router::from(open()).with_state(entrance))
        .merge(page)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
}
