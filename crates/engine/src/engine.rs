use std::{
    collections::{HashMap, HashSet},
    num::NonZero,
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use crate::runtime::{
    Cache, Cores, Device, Helpers, Lane, Library, Pool, PoolError, Runtime, RuntimeConfig, trim, usable_bytes,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use viewfinder_convert::precision::Precision;
use viewfinder_core::{
    AnswerFuture, Backend, EngineStatus, ErrorCode, LoadedModel, PictureAnswer, PictureRequest, PictureTask,
    SentenceRequest, TaskError, resident_bytes,
};
use viewfinder_models::{Family, ModelError, ModelFiles, Role, RuntimeFlavour, Store};
use viewfinder_vision::{Dump, clip};

use crate::{
    EngineConfig, MadeVariant,
    load::{self, LoadedNetwork, Preprocessing, load},
    on_request::DownloadPolicy,
    picture, variant,
};

type Key = (String, Role);
type NetworksResult = Result<picture::Networks, TaskError>;

/// Families that embed pictures and sentences.
pub(crate) const CLIP: &[Family] = &[Family::ChineseClip, Family::OpenClip, Family::MClip, Family::Nllb];
/// Families a network may be preloaded from.
const ANY: &[Family] = &[
    Family::PaddleOcr,
    Family::InsightFace,
    Family::ChineseClip,
    Family::OpenClip,
    Family::MClip,
    Family::Nllb,
];

/// Where stages leave what they hand to each other, for inspection.
pub type SharedDump = Arc<dyn Dump + Send + Sync>;

/// The local engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    config: EngineConfig,
    store: Store,
    cores: Arc<Cores>,
    pool: Pool,
    workers: usize,
    threads: usize,
    places: Arc<Semaphore>,
    runtime: Mutex<Option<Runtime>>,
    trouble: Mutex<Option<TaskError>>,
    networks: Cache<Key, LoadedNetwork>,
    /// Bytes of all of them, at most.
    model_bytes: u64,
    gate: DownloadPolicy,
    /// Networks that no source delivered, and when that was found out.
    undelivered: Mutex<HashMap<Key, (Instant, TaskError)>>,
    /// Networks that are fetched while nobody waits for them.
    fetching: Mutex<HashSet<Key>>,
}

/// A model that could not be fetched is not tried again for so long: each try costs its sources' time-outs, and
/// clients ask again and again.
const UNDELIVERED_PAUSE: Duration = Duration::from_secs(30);

impl Engine {
    /// Sets the engine up: opens the store, checks the aliases, starts the threads. Loads nothing yet.
    pub fn new(config: EngineConfig) -> Result<Self, TaskError> {
        let store = Store::open(config.models.clone())?;
        check_aliases(&config, &store)?;
        let total = std::thread::available_parallelism().map_or(1, NonZero::get);
        let (workers, threads) = config.shape(total);
        let model_bytes =
            config.model_bytes.or_else(|| usable_bytes().map(|bytes| bytes / 2)).unwrap_or(u64::MAX);
        let gate =
            DownloadPolicy::new(&config.on_request, |name| canonical_name(&store, resolved(&config, name)));
        let cores = Arc::new(Cores::new(total));
        let pool = Pool::start(workers, threads, config.queue.max(1), Arc::clone(&cores))
            .map_err(|error| TaskError::new(ErrorCode::Internal, format!("no threads: {error}")))?;
        let inner = Arc::new(Inner {
            places: Arc::new(Semaphore::new(config.queue.max(1))),
            runtime: Mutex::new(None),
            trouble: Mutex::new(None),
            networks: Cache::default(),
            model_bytes,
            gate,
            undelivered: Mutex::default(),
            fetching: Mutex::default(),
            config,
            store,
            cores,
            pool,
            workers,
            threads,
        });
        if let Some(time_to_live) = inner.config.model_ttl {
            let engine = Arc::downgrade(&inner);
            std::thread::Builder::new()
                .name("time-to-live".to_owned())
                .spawn(move || drop_idle_loop(&engine, time_to_live))
                .map_err(|error| TaskError::new(ErrorCode::Internal, format!("no threads: {error}")))?;
        }
        Ok(Self { inner })
    }

    /// The model store.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Answers everything asked about a picture. Dropping the future takes the work out of the queue.
    ///
    /// Fails as a whole if the picture cannot be decoded, if there is no room for it, or if no task's models are there.
    pub async fn picture(&self, request: PictureRequest) -> Result<PictureAnswer, TaskError> {
        let place = self.place().await?;
        let networks = self.networks_of(&request).await?;
        self.queue_picture(request, None, networks, place)?.await.unwrap_or_else(|_| Err(self.lost()))
    }

    /// As [`Engine::picture`], for callers without async.
    pub fn picture_blocking(&self, request: PictureRequest) -> Result<PictureAnswer, TaskError> {
        self.picture_dumped(request, None)
    }

    /// As [`Engine::picture_blocking`]; the stages leave what they hand to each other in `dump`, for inspection.
    pub fn picture_dumped(
        &self,
        request: PictureRequest,
        dump: Option<SharedDump>,
    ) -> Result<PictureAnswer, TaskError> {
        let place = self.try_place()?;
        let networks = self.inner.networks_of(&request)?;
        let queued = self.queue_picture(request, dump, networks, place)?;
        queued.blocking_recv().unwrap_or_else(|_| Err(self.lost()))
    }

    /// The vector of a sentence, not normalised by us. Never waits behind pictures.
    pub async fn sentence(&self, request: SentenceRequest) -> Result<Vec<f32>, TaskError> {
        let name = self.inner.resolve(&request.model);
        let network = if let Some(network) = self.inner.loaded(&name, Role::Textual, CLIP) {
            network
        } else {
            let inner = Arc::clone(&self.inner);
            blocking(move || inner.network(&name, Role::Textual, CLIP)).await?
        };
        self.queue_sentence(request, network)?.await.unwrap_or_else(|_| Err(self.lost()))
    }

    /// As [`Engine::sentence`], but a network that is not here is an error at once, and fetched meanwhile.
    pub async fn sentence_at_hand(&self, request: SentenceRequest) -> Result<Vec<f32>, TaskError> {
        let key = (self.inner.resolve(&request.model), Role::Textual);
        if self.inner.loaded(&key.0, key.1, CLIP).is_none() {
            let (inner, wanted) = (Arc::clone(&self.inner), key.clone());
            if blocking(move || Ok(inner.would_wait(&wanted))).await? {
                self.fetch_meanwhile(key.clone())?;
                let message = format!("{} is being fetched and is not here yet", key.0);
                return Err(TaskError::new(ErrorCode::ModelUnavailable, message));
            }
        }
        self.sentence(request).await
    }

    /// Starts a thread that fetches a network's files, unless there is one.
    fn fetch_meanwhile(&self, key: Key) -> Result<(), TaskError> {
        let fetching = |inner: &Inner, change: fn(&mut HashSet<Key>, Key) -> bool, key| {
            change(&mut inner.fetching.lock().unwrap_or_else(PoisonError::into_inner), key)
        };
        if !fetching(&self.inner, HashSet::insert, key.clone()) {
            return Ok(());
        }
        let inner = Arc::clone(&self.inner);
        let fetch = move || {
            if let Err(error) = inner.files(&key) {
                tracing::warn!(%error, model = key.0, "a model could not be fetched");
            }
            fetching(&inner, |keys, key| keys.remove(&key), key);
        };
        let started = std::thread::Builder::new().name("fetch".to_owned()).spawn(fetch);
        started.map(drop).map_err(|error| TaskError::new(ErrorCode::Internal, format!("no threads: {error}")))
    }

    /// Would an answer to this task have to wait for a download?
    pub async fn lacks(&self, task: PictureTask) -> Result<bool, TaskError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            Ok(inner.needs(&task).any(|(name, need)| {
                inner.loaded(&name, need.role, need.families).is_none()
                    && inner.would_wait(&(name, need.role))
            }))
        })
        .await
    }

    /// Fetches the files that a task takes.
    pub async fn fetch(&self, task: PictureTask) -> Result<(), TaskError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            inner.needs(&task).try_for_each(|(name, need)| inner.files(&(name, need.role)).map(drop))
        })
        .await
    }

    /// As [`Engine::sentence`], for callers without async.
    pub fn sentence_blocking(&self, request: SentenceRequest) -> Result<Vec<f32>, TaskError> {
        let network = self.inner.network(&self.inner.resolve(&request.model), Role::Textual, CLIP)?;
        self.queue_sentence(request, network)?.blocking_recv().unwrap_or_else(|_| Err(self.lost()))
    }

    /// Loads networks ahead of their first use.
    pub async fn preload(&self, networks: &[(String, Role)]) -> Result<(), TaskError> {
        for (model, role) in networks {
            let (inner, name, role) = (Arc::clone(&self.inner), self.inner.resolve(model), *role);
            blocking(move || inner.network(&name, role, ANY)).await?;
        }
        Ok(())
    }

    /// Makes every network of a model in another precision, such as `cn-clip/ViT-B-16@int8`, fetching the published one if
    /// need be. One that strays further from it than [`LEAST_COSINE`](crate::LEAST_COSINE) is refused unless forced. Blocks.
    pub fn make_variant(&self, name: &str, force: bool) -> Result<Vec<MadeVariant>, TaskError> {
        let entry = self.inner.store.catalogue().find(name);
        let roles = entry.ok_or_else(|| ModelError::Unknown { name: name.to_owned() })?.roles();
        roles.into_iter().map(|role| self.inner.make(name, role, force)).collect()
    }

    /// Writes a network in another precision, with all that belongs to it, into `folder`, under the same condition. The
    /// store is not touched. Blocks.
    pub fn make_precision(
        &self,
        source: &ModelFiles,
        precision: Precision,
        force: bool,
        folder: &Path,
    ) -> Result<MadeVariant, TaskError> {
        variant::write(&self.inner.runtime()?, source, precision, force, folder)
    }

    /// Drops every model and returns the memory, and keeps serving: the next request loads what it needs.
    pub fn unload(&self) {
        self.inner.networks.clear();
        self.inner.release_memory();
    }

    /// Takes no more work and waits for what runs, at most for `patience`. Tells whether it ended in time.
    pub fn stop(&self, patience: Duration) -> bool {
        self.inner.pool.stop(patience)
    }

    /// What the engine is doing right now.
    pub fn status(&self) -> EngineStatus {
        let runtime = self.inner.runtime.try_lock().ok().and_then(|runtime| runtime.clone());
        let trouble = self.inner.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (queued_pictures, queued_sentences) = self.inner.pool.queued();
        let mut models: Vec<_> = self
            .inner
            .networks
            .entries()
            .into_iter()
            .map(|((name, role), loaded, idle)| LoadedModel {
                name,
                role: role.to_string(),
                provider: loaded.session.device().to_string(),
                idle_s: idle.as_secs(),
            })
            .collect();
        models.sort_by(|a, b| (&a.name, &a.role).cmp(&(&b.name, &b.role)));
        EngineStatus {
            ready: trouble.map_or(Ok(()), |error| Err(error.to_string())),
            runtime_version: runtime.as_ref().map(|runtime| runtime.library().version().to_owned()),
            provider: runtime
                .as_ref()
                .map_or_else(|| self.inner.config.device.to_string(), |runtime| runtime.device().to_string()),
            fallback: runtime.as_ref().and_then(|runtime| runtime.fallback().map(str::to_owned)),
            workers: self.inner.workers,
            threads: self.inner.threads,
            queued_pictures,
            queued_sentences,
            running: self.inner.pool.running(),
            models,
            refused_models: self.inner.gate.refused(),
        }
    }

    /// Finds, checks and opens the ONNX Runtime library and chooses the device, as the first request would.
    pub async fn start_runtime(&self) -> Result<(), TaskError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.runtime().map(drop)).await
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, TaskError> {
        if let Ok(place) = self.try_place() {
            return Ok(place);
        }
        let place = Arc::clone(&self.inner.places).acquire_owned();
        match tokio::time::timeout(self.inner.config.queue_wait, place).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(busy(PoolError::Full)),
        }
    }

    fn try_place(&self) -> Result<OwnedSemaphorePermit, TaskError> {
        Arc::clone(&self.inner.places).try_acquire_owned().map_err(|_| busy(PoolError::Full))
    }

    async fn networks_of(&self, request: &PictureRequest) -> Result<Vec<NetworksResult>, TaskError> {
        if let Some(networks) = self.inner.loaded_networks_of(request) {
            return Ok(networks.into_iter().map(Ok).collect());
        }
        let (inner, request) = (Arc::clone(&self.inner), request.clone());
        blocking(move || inner.networks_of(&request)).await
    }

    fn queue_picture(
        &self,
        request: PictureRequest,
        dump: Option<SharedDump>,
        networks: Vec<NetworksResult>,
        place: OwnedSemaphorePermit,
    ) -> Result<oneshot::Receiver<Result<PictureAnswer, TaskError>>, TaskError> {
        let helpers = Helpers::new(Arc::clone(&self.inner.cores), self.inner.threads);
        let engine = Arc::clone(&self.inner);
        self.queue(Lane::Picture, move || {
            let config = &engine.config;
            let dump = dump.as_deref().map(|dump| dump as &dyn Dump);
            let (limits, max_face_batch) = (&config.limits, config.max_face_batch);
            let answer = || picture::answer(&request, &networks, limits, max_face_batch, &helpers, dump);
            let mut result = answer();
            if let Some(error) = out_of_memory(&result) {
                tracing::warn!(%error, "out of memory: dropping idle models and trying once more");
                engine.networks.drop_idle(Duration::ZERO);
                trim();
                result = answer();
            }
            drop(place);
            result
        })
    }

    fn queue_sentence(
        &self,
        request: SentenceRequest,
        network: Arc<LoadedNetwork>,
    ) -> Result<oneshot::Receiver<Result<Vec<f32>, TaskError>>, TaskError> {
        self.queue(Lane::Interactive, move || match &network.preprocessing {
            Preprocessing::Tokenizer(tokenizer) => {
                let language = request.language.as_deref();
                Ok(clip::embed_text(&request.text, language, &network.session, tokenizer)?)
            }
            _ => Err(TaskError::new(ErrorCode::ModelUnsuited, "the model is no text encoder")),
        })
    }

    /// Hands work to a thread of the lane; the receiver gets the result, or closes if the work panicked.
    fn queue<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, TaskError> {
        let (reply, receiver) = oneshot::channel();
        let reply = Arc::new(Mutex::new(Some(reply)));
        let asked = Arc::clone(&reply);
        let wanted = move || {
            let reply = asked.lock().unwrap_or_else(PoisonError::into_inner);
            reply.as_ref().is_some_and(|reply: &oneshot::Sender<T>| !reply.is_closed())
        };
        let span = tracing::Span::current();
        let run = move || {
            let _entered = span.enter();
            let reply = reply.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(reply) = reply {
                // The asker may have gone meanwhile; then nobody wants the result.
                drop(reply.send(work()));
            }
        };
        self.inner.pool.submit(lane, wanted, run).map_err(busy)?;
        Ok(receiver)
    }

    /// Why a job ended without an answer.
    fn lost(&self) -> TaskError {
        match self.inner.pool.submit(Lane::Interactive, || false, || ()) {
            Err(PoolError::Stopping) => busy(PoolError::Stopping),
            _ => TaskError::new(ErrorCode::Internal, "the job failed unexpectedly; the log has the details"),
        }
    }
}

impl Inner {
    /// The name of the model that answers for `requested`.
    fn resolve(&self, requested: &str) -> String {
        canonical_name(&self.store, resolved(&self.config, requested))
    }

    /// The network if it is in memory and can do what it is wanted for.
    fn loaded(&self, name: &str, role: Role, families: &[Family]) -> Option<Arc<LoadedNetwork>> {
        self.networks.get(&(name.to_owned(), role)).filter(|loaded| families.contains(&loaded.family))
    }

    /// The networks of every task if all are in memory.
    fn loaded_networks_of(&self, request: &PictureRequest) -> Option<Vec<picture::Networks>> {
        let of_task = |task| -> Option<picture::Networks> {
            self.needs(task).map(|(name, need)| self.loaded(&name, need.role, need.families)).collect()
        };
        request.tasks.iter().map(of_task).collect()
    }

    /// The networks of every task, or why it has none; an error if no task has its own.
    fn networks_of(&self, request: &PictureRequest) -> Result<Vec<NetworksResult>, TaskError> {
        let of_task = |task| -> NetworksResult {
            self.needs(task).map(|(name, need)| self.network(&name, need.role, need.families)).collect()
        };
        let networks: Vec<_> = request.tasks.iter().map(of_task).collect();
        match networks.first() {
            Some(Err(error)) if networks.iter().all(Result::is_err) => Err(error.clone()),
            _ => Ok(networks),
        }
    }

    fn needs<'a>(&self, task: &'a PictureTask) -> impl Iterator<Item = (String, picture::Need<'a>)> {
        picture::needs(task)
            .into_iter()
            .map(|need| (self.resolve(need.model), need))
            .filter(|(name, need)| need.role != Role::Classification || self.has_classifier(name))
    }

    /// Models found in a cache of Immich's layout have none, since Immich uses none.
    fn has_classifier(&self, name: &str) -> bool {
        self.store.catalogue().find(name).is_some_and(|entry| entry.part(Role::Classification).is_some())
    }

    /// A network from the cache, or loaded, fetching its files if need be. Blocks.
    fn network(&self, name: &str, role: Role, families: &[Family]) -> Result<Arc<LoadedNetwork>, TaskError> {
        let suits = |family: Family| -> Result<(), TaskError> {
            if families.contains(&family) {
                return Ok(());
            }
            let message = format!("model {name} is of the family {}, which cannot do this", family.as_str());
            Err(TaskError::new(ErrorCode::ModelUnsuited, message))
        };
        // Nothing is fetched to find that out.
        self.store.catalogue().find(name).map_or(Ok(()), |entry| suits(entry.family))?;
        let key = (name.to_owned(), role);
        let loaded = self.networks.get_or_load(&key, || -> Result<LoadedNetwork, TaskError> {
            let files = self.files(&key)?;
            suits(files.family)?;
            self.make_room(load::bytes(&files));
            let runtime = self.runtime()?;
            let started = Instant::now();
            let loaded = load(&runtime, &files)?;
            // Reading a model leaves about as much freed heap behind as its weights are large.
            trim();
            let ms = started.elapsed().as_millis();
            tracing::info!(model = name, %role, provider = %loaded.session.device(), ms, "model loaded");
            Ok(loaded)
        })?;
        // It may have been loaded for another task.
        suits(loaded.family)?;
        Ok(loaded)
    }

    /// Drops what is not in use until so many bytes more are within the bound, as far as that goes.
    fn make_room(&self, bytes: u64) {
        let dropped = self.networks.make_room(bytes, self.model_bytes, |loaded| loaded.bytes);
        if dropped > 0 {
            trim();
            let bound = self.model_bytes;
            tracing::info!(dropped, bound, "models dropped to make room for another (engine.model_bytes)");
        }
    }

    /// Would asking for a network's files take a download, as far as is known?
    fn would_wait(&self, key: &Key) -> bool {
        self.just_failed(key).is_none()
            && self.gate.check(&self.store, &key.0, key.1).is_ok()
            && self.store.would_fetch(&key.0, key.1)
    }

    /// Why a network was not delivered a moment ago.
    fn just_failed(&self, key: &Key) -> Option<TaskError> {
        let undelivered = self.undelivered.lock().unwrap_or_else(PoisonError::into_inner);
        let (when, error) = undelivered.get(key)?;
        let holds = when.elapsed() < UNDELIVERED_PAUSE || error.code == ErrorCode::ModelImprecise;
        holds.then(|| error.clone())
    }

    /// A network's files, fetched if need be, unless that failed a moment ago.
    fn files(&self, key: &Key) -> Result<ModelFiles, TaskError> {
        let undelivered = || self.undelivered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = self.just_failed(key) {
            return Err(error);
        }
        self.gate.check(&self.store, &key.0, key.1)?;
        let files = match self.store.files(&key.0, key.1, &*self.config.progress) {
            Err(ModelError::NotMade { .. }) => self.make(&key.0, key.1, false).map(|made| made.files),
            files => files.map_err(TaskError::from),
        };
        match &files {
            Err(error)
                if matches!(
                    error.code,
                    ErrorCode::ModelUnavailable | ErrorCode::ModelImprecise | ErrorCode::DiskFull
                ) =>
            {
                undelivered().insert(key.clone(), (Instant::now(), error.clone()));
            }
            _ => drop(undelivered().remove(key)),
        }
        files
    }

    fn make(&self, name: &str, role: Role, force: bool) -> Result<MadeVariant, TaskError> {
        variant::make(&self.store, &self.runtime()?, name, role, force, &*self.config.progress)
    }

    /// Returns the memory of dropped networks to the system, and with the last network the working memory of all.
    fn release_memory(&self) {
        if self.networks.entries().is_empty()
            && let Ok(runtime) = self.runtime.try_lock()
            && let Some(runtime) = &*runtime
        {
            runtime.library().release_memory();
        }
        trim();
    }

    fn runtime(&self) -> Result<Runtime, TaskError> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.clone());
        }
        let started = self.open_runtime();
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = started.as_ref().err().cloned();
        let opened = started?;
        *runtime = Some(opened.clone());
        Ok(opened)
    }

    fn open_runtime(&self) -> Result<Runtime, TaskError> {
        let config = &self.config;
        let flavour = runtime_flavour(config.device, &self.store);
        let path = match &config.library {
            Some(path) => path.clone(),
            None => self.store.runtime_library(flavour, &*config.progress)?,
        };
        let library = Library::load(&path)?;
        let runtime = Runtime::new(
            library,
            RuntimeConfig {
                device: config.device,
                device_id: config.device_id,
                cpu_fallback: config.cpu_fallback,
                threads: self.threads,
            },
            Arc::clone(&self.cores),
        )?;
        tracing::info!(
            version = runtime.library().version(),
            library = %runtime.library().path().display(),
            provider = %runtime.device(),
            workers = self.workers,
            threads = self.threads,
            "ONNX Runtime started"
        );
        if let Some(reason) = runtime.fallback() {
            tracing::warn!(wanted = %config.device, reason, "the accelerator does not work; using the CPU");
        }
        Ok(runtime)
    }
}

/// The name that answers for `requested`.
fn resolved<'a>(config: &'a EngineConfig, requested: &'a str) -> &'a str {
    let aliases = &config.aliases;
    let target = aliases.get(requested).or_else(|| aliases.get(&viewfinder_models::clean_name(requested)));
    target.map_or(requested, String::as_str)
}

/// One spelling for the cache, so that no network is loaded twice.
fn canonical_name(store: &Store, name: &str) -> String {
    store.catalogue().find(name).map_or_else(|| name.to_owned(), |entry| entry.name.clone())
}

/// The build of ONNX Runtime that a device needs.
pub fn runtime_flavour(device: Device, store: &Store) -> RuntimeFlavour {
    match device {
        Device::Cuda | Device::TensorRt => RuntimeFlavour::Cuda,
        // It is there because somebody has such a card.
        Device::Auto if store.has_runtime_library(RuntimeFlavour::Cuda) => RuntimeFlavour::Cuda,
        _ => RuntimeFlavour::Cpu,
    }
}

/// Both ends of an alias must be known and equally wide: a client that asked for 512 numbers stores them in a
/// column of 512.
fn check_aliases(config: &EngineConfig, store: &Store) -> Result<(), TaskError> {
    for (requested, answering) in &config.aliases {
        let Some(target) = store.catalogue().find(answering) else {
            return Err(TaskError::from(ModelError::Unknown { name: answering.clone() }));
        };
        let asked = store.catalogue().find(requested).and_then(|entry| entry.width);
        if let (Some(asked), Some(given)) = (asked, target.width)
            && asked != given
        {
            return Err(TaskError::new(
                ErrorCode::ModelUnsuited,
                format!(
                    "alias {requested} = {answering}: clients of {requested} expect vectors of {asked}, \
                     {answering} gives {given}"
                ),
            ));
        }
    }
    Ok(())
}

/// The error that memory ran out, for the whole request or one of its tasks.
fn out_of_memory(result: &Result<PictureAnswer, TaskError>) -> Option<&TaskError> {
    let starved = |error: &&TaskError| error.code == ErrorCode::OutOfMemory;
    match result {
        Ok(answer) => answer.answers.iter().filter_map(|answer| answer.as_ref().err()).find(starved),
        Err(error) => Some(error).filter(starved),
    }
}

impl Backend for Engine {
    fn picture(&self, request: PictureRequest) -> AnswerFuture<'_, PictureAnswer> {
        Box::pin(Engine::picture(self, request))
    }

    fn sentence(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>> {
        Box::pin(Engine::sentence(self, request))
    }

    fn sentence_at_hand(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>> {
        Box::pin(Engine::sentence_at_hand(self, request))
    }

    fn lacks(&self, task: PictureTask) -> AnswerFuture<'_, bool> {
        Box::pin(Engine::lacks(self, task))
    }

    fn fetch(&self, task: PictureTask) -> AnswerFuture<'_, ()> {
        Box::pin(Engine::fetch(self, task))
    }

    fn status(&self) -> EngineStatus {
        Engine::status(self)
    }

    fn unload(&self) {
        Engine::unload(self);
    }
}

fn busy(error: PoolError) -> TaskError {
    let code = match error {
        PoolError::Full => ErrorCode::Busy,
        PoolError::Stopping => ErrorCode::Stopping,
    };
    TaskError::new(code, error)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TaskError> + Send + 'static,
) -> Result<T, TaskError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(TaskError::new(ErrorCode::Internal, format!("a load failed: {error}"))))
}

/// Drops idle models and returns their memory until the engine is gone.
fn drop_idle_loop(engine: &Weak<Inner>, time_to_live: Duration) {
    let pause = (time_to_live / 4).clamp(Duration::from_millis(50), Duration::from_secs(5));
    loop {
        std::thread::sleep(pause);
        let Some(engine) = engine.upgrade() else { return };
        let dropped = engine.networks.drop_idle(time_to_live);
        if dropped > 0 {
            engine.release_memory();
            tracing::info!(dropped, resident = resident_bytes(), "idle models dropped");
        }
    }
}
