//! How much of an index run's time the engine's workers are busy: the rest is waiting for files and for the catalogue.
//!
//! `cargo run -p viewfinder-index --example share -- DIR` with the tests' models: PP-OCRv6 small, the fixtures' stand-ins for CLIP and
//! for the recogniser of faces, SCRFD. The first picture, for which the models are loaded, is not counted.
#![expect(clippy::print_stdout, reason = "the result")]
#![expect(clippy::unwrap_used, reason = "a tool for developers, which may end by a panic")]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use viewfinder_catalog::{AnalysisKind, SqliteStore, text::Segmenter};
use viewfinder_engine::{Engine, EngineConfig};
use viewfinder_index::{Analysis, Event, Files, Links, Listener, Models, Scan, Scope, Tools};
use viewfinder_models::{Catalogue, Role, StoreConfig};
use viewfinder_test_support as test_support;

/// Between two looks at the workers.
const GLANCE: Duration = Duration::from_millis(2);

#[derive(Default)]
struct Count(AtomicU64);

impl Listener for Count {
    fn tell(&self, event: Event) {
        if matches!(event, Event::Analysed { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn engine() -> Engine {
    for role in [Role::Detection, Role::Classification, Role::Recognition] {
        test_support::model("PP-OCRv6_small", role);
    }
    test_support::model("scrfd_2.5g", Role::Detection);
    let probe = test_support::fixtures().join("models/arcface_probe.onnx").display().to_string();
    let own = format!(
        "[[models]]\nname = \"probe\"\nfamily = \"insight-face\"\n[models.detection]\nsame_as = \"scrfd_2.5g\"\n\
         [models.recognition]\nsources = [{{ file = {probe:?} }}]\n"
    );
    let mut models = StoreConfig::new(test_support::store().root());
    models.immich_caches = vec![test_support::fixtures().join("immich-cache")];
    models.extra_models = Catalogue::parse(&own).unwrap();
    let mut config = EngineConfig::new(models);
    config.library = Some(test_support::ort_library());
    config.model_ttl = None;
    Engine::new(config).unwrap()
}

fn main() {
    let root = PathBuf::from(std::env::args_os().nth(1).unwrap()).canonicalize().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let segmenter = Arc::new(Segmenter::new(None).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let file = folder.path().join("catalog.db");
    let store = Arc::new(runtime.block_on(SqliteStore::open(&file, segmenter)).unwrap());
    let engine = engine();
    let workers = engine.status().workers;
    let kinds = AnalysisKind::ALL.to_vec();
    let tools = Tools::find();
    let max_bytes = 100_000_000;
    let models = Models {
        ocr: "PP-OCRv6_small".to_owned(),
        clip: "ViT-B-32__openai".to_owned(),
        faces: "probe".to_owned(),
        face_min_score: 0.65,
    };
    let scan = Scan {
        roots: vec![root.clone()],
        within: vec![],
        prune: false,
        settle: Duration::ZERO,
        kinds: kinds.clone(),
        tools: tools.clone(),
        max_bytes,
        links: Links::Refused,
    };
    let pictures = Arc::new(Files { tools, max_bytes, links: Links::Refused });
    let analysis = Analysis { kinds, models, scope: Scope::Folders(vec![root]), pictures };

    let (count, ended) = (Arc::new(Count::default()), Arc::new(AtomicBool::new(false)));
    let watcher = {
        let (engine, count, ended) = (engine.clone(), Arc::clone(&count), Arc::clone(&ended));
        std::thread::spawn(move || {
            let (mut busy, mut looks, mut begin) = (0, 0, None);
            while !ended.load(Ordering::Relaxed) {
                std::thread::sleep(GLANCE);
                if count.0.load(Ordering::Relaxed) > 0 {
                    begin.get_or_insert_with(Instant::now);
                    busy += engine.status().running.min(workers);
                    looks += 1;
                }
            }
            (busy as f64 / (looks * workers) as f64, begin.unwrap().elapsed())
        })
    };
    let stop = CancellationToken::new();
    let begin = Instant::now();
    let listener = Arc::clone(&count) as Arc<dyn Listener>;
    let summary = runtime
        .block_on(viewfinder_index::index(scan, analysis, 0.99, store, Arc::new(engine), &stop, listener))
        .unwrap();
    ended.store(true, Ordering::Relaxed);
    let (share, counted) = watcher.join().unwrap();
    println!(
        "{} pictures in {:.1} s; workers busy {:.1} % of the last {:.1} s",
        summary.analysed.done,
        begin.elapsed().as_secs_f64(),
        share * 100.0,
        counted.as_secs_f64()
    );
}
