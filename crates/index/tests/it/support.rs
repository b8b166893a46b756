//! A library in a folder of its own with its catalogue, and the engines' small models.
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use viewfinder_catalog::{
    AnalysisKind, Asset, PostgresConfig, PostgresStore, SqliteStore, Store, text::Segmenter,
};
use viewfinder_core::Backend;
use viewfinder_engine::runtime::Device;
use viewfinder_engine::{Engine, EngineConfig};
use viewfinder_index::{
    Analysed, Analysis, Event, Files, Links, Listener, Models, Scan, Scanned, Scope, Summary, Tools,
};
use viewfinder_models::{Catalogue, Role, StoreConfig};
use viewfinder_test_support as test_support;

pub(crate) const OCR: &str = "PP-OCRv6_small";
/// A stand-in of the fixtures that averages pixels, 512 wide.
pub(crate) const CLIP: &str = "ViT-B-32__openai";
/// A real detector with a stand-in recogniser.
pub(crate) const FACES: &str = "probe";

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<Event>>);

impl Listener for Told {
    fn tell(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

pub(crate) struct Library {
    folder: TempDir,
    pub(crate) store: Arc<dyn Store>,
    /// None, unless somebody sets them.
    pub(crate) tools: Tools,
    /// The catalogue's folder, if it is a file.
    _catalogue: Option<TempDir>,
}

impl Library {
    pub(crate) fn new() -> Self {
        let catalogue = TempDir::new().unwrap();
        let segmenter = Arc::new(Segmenter::new(None).unwrap());
        let store =
            Arc::new(wait(SqliteStore::open(&catalogue.path().join("catalog.db"), segmenter)).unwrap());
        Self { folder: TempDir::new().unwrap(), store, tools: no_tools(), _catalogue: Some(catalogue) }
    }

    /// With its catalogue in a database.
    pub(crate) fn in_database(url: &str) -> Self {
        let segmenter = Arc::new(Segmenter::new(None).unwrap());
        let store = Arc::new(wait(PostgresStore::open(&PostgresConfig::new(url), segmenter)).unwrap());
        Self { folder: TempDir::new().unwrap(), store, tools: no_tools(), _catalogue: None }
    }

    /// The folder of pictures.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// Copies a fixture into the library.
    pub(crate) fn put(&self, name: &str, fixture: &str) -> PathBuf {
        let source = test_support::fixtures().join(fixture);
        self.write(name, &std::fs::read(&source).unwrap_or_else(|error| panic!("{fixture}: {error}")))
    }

    /// Writes a file, with a time of its own, so that a second write in the same instant is seen as a change.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.root().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn plan(&self) -> Scan {
        Scan {
            roots: vec![self.root()],
            within: vec![],
            prune: false,
            settle: Duration::ZERO,
            kinds: AnalysisKind::ALL.to_vec(),
            tools: self.tools.clone(),
            max_bytes: 100_000_000,
            links: Links::Refused,
        }
    }

    /// Compares the folder with the catalogue.
    pub(crate) fn scan(&self) -> Scanned {
        self.scan_as(&self.plan())
    }

    pub(crate) fn scan_as(&self, plan: &Scan) -> Scanned {
        wait(viewfinder_index::scan(plan.clone(), &*self.store, &CancellationToken::new(), &Told::default()))
            .unwrap()
    }

    /// All assets, by their path in the library.
    pub(crate) fn assets(&self) -> Vec<(String, Asset)> {
        let assets = wait(self.store.list("", None, 1000)).unwrap();
        assets.into_iter().map(|asset| (self.relative(&asset.file.path), asset)).collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.assets().into_iter().map(|(name, _)| name).collect()
    }

    pub(crate) fn asset(&self, name: &str) -> Asset {
        wait(self.store.by_path(self.root().join(name).to_str().unwrap())).unwrap().unwrap()
    }

    pub(crate) fn relative(&self, path: &str) -> String {
        Path::new(path).strip_prefix(self.root()).unwrap().to_str().unwrap().to_owned()
    }

    pub(crate) fn analysis(&self, kinds: &[AnalysisKind]) -> Analysis {
        Analysis {
            kinds: kinds.to_vec(),
            models: Models {
                ocr: OCR.to_owned(),
                clip: CLIP.to_owned(),
                faces: FACES.to_owned(),
                face_min_score: 0.5,
            },
            scope: Scope::Folders(vec![self.root()]),
            pictures: Arc::new(Files {
                tools: self.tools.clone(),
                max_bytes: 100_000_000,
                links: Links::Refused,
            }),
        }
    }

    /// Compares, analyses and groups.
    pub(crate) fn index(&self, analysis: Analysis, backend: Arc<dyn Backend>) -> Summary {
        self.index_telling(analysis, backend, Arc::new(Told::default()))
    }

    /// The same, telling somebody.
    pub(crate) fn index_telling(
        &self,
        analysis: Analysis,
        backend: Arc<dyn Backend>,
        listener: Arc<dyn Listener>,
    ) -> Summary {
        let scan = Scan { kinds: analysis.kinds.clone(), ..self.plan() };
        let (store, stop) = (Arc::clone(&self.store), CancellationToken::new());
        wait(viewfinder_index::index(scan, analysis, 0.99, store, backend, &stop, listener)).unwrap()
    }

    /// Compares, then analyses with a stop at hand.
    pub(crate) fn analyse(
        &self,
        analysis: Analysis,
        backend: Arc<dyn Backend>,
        stop: &CancellationToken,
    ) -> Analysed {
        let complete = tokio::sync::watch::channel(true).1;
        let (store, listener) = (Arc::clone(&self.store), Arc::new(Told::default()));
        let analysed =
            viewfinder_index::analyse_and_group(analysis, 0.99, store, backend, stop, listener, complete);
        wait(analysed).unwrap().0
    }
}

fn no_tools() -> Tools {
    Tools::find_in("".as_ref())
}

/// Waits for an answer, on threads that all tests share.
pub(crate) fn wait<F: Future>(answer: F) -> F::Output {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = || Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    RUNTIME.get_or_init(runtime).block_on(answer)
}

/// The real engine over the tests' models.
pub(crate) fn engine() -> Arc<dyn Backend> {
    for role in [Role::Detection, Role::Classification, Role::Recognition] {
        test_support::model(OCR, role);
    }
    test_support::model("scrfd_2.5g", Role::Detection);
    let probe = test_support::fixtures().join("models/arcface_probe.onnx").display().to_string();
    let own = format!(
        "[[models]]\nname = \"{FACES}\"\nfamily = \"insight-face\"\n\
         [models.detection]\nsame_as = \"scrfd_2.5g\"\n\
         [models.recognition]\nsources = [{{ file = {probe:?} }}]\n"
    );
    let mut models = StoreConfig::new(test_support::store().root());
    models.offline = true;
    models.immich_caches = vec![test_support::fixtures().join("immich-cache")];
    models.extra_models = Catalogue::parse(&own).unwrap();
    let mut config = EngineConfig::new(models);
    config.library = Some(test_support::ort_library());
    config.device = Device::Cpu;
    config.model_ttl = None;
    Arc::new(Engine::new(config).unwrap())
}
