//! Commands while the hubs of models cannot be reached: text is read and found all the same, and nobody is left without a word.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;
use viewfinder_catalog::text::Segmenter;
use viewfinder_catalog::{SqliteStore, Store as _};
use viewfinder_models::Role;
use viewfinder_test_support::{self as test_support, Response, TestServer};

use crate::support::{Run, fixture, need_faces, need_ocr, stderr, stdout, wait};

/// Every hub of models, as it can be.
enum Hub {
    Nameless,
    Closed(String),
    Silent(TestServer),
    /// As much as a drip.
    Crawling(TestServer),
}

impl Hub {
    fn all() -> [Self; 4] {
        let huge = "HTTP/1.1 200 OK\r\nContent-Length: 377000000\r\n\r\n";
        [
            Self::Nameless,
            Self::Closed(format!("http://{}", TestServer::gone())),
            Self::Silent(TestServer::saying(Response::raw("").hang())),
            Self::Crawling(TestServer::saying(Response::raw(huge).drip())),
        ]
    }

    fn url(&self) -> String {
        match self {
            Self::Nameless => "http://hub.invalid".to_owned(),
            Self::Closed(url) => url.clone(),
            Self::Silent(server) | Self::Crawling(server) => server.url(),
        }
    }

    /// Why it delivers nothing, where that is found out soon.
    fn reason(&self) -> Option<&str> {
        match self {
            Self::Nameless => Some("no address is known for hub.invalid"),
            Self::Closed(_) => Some("refuses connections"),
            Self::Silent(_) | Self::Crawling(_) => None,
        }
    }
}

/// One picture with text, a catalogue, and a store of models in which there are none.
struct World {
    folder: TempDir,
    own: String,
}

impl World {
    fn new() -> Self {
        need_ocr();
        need_faces();
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("pictures")).unwrap();
        std::fs::copy(fixture("library/0002.jpg"), folder.path().join("pictures/receipt.jpg")).unwrap();
        let part = |role: Role| {
            let file = test_support::model("PP-OCRv6_small", role).model;
            let file = file.to_str().unwrap();
            format!("[models.{role}]\nsources = [{{ file = {file:?} }}]\n")
        };
        let roles = [Role::Detection, Role::Classification, Role::Recognition].map(part).concat();
        let own = format!("[[models]]\nname = \"own-ocr\"\nfamily = \"paddle-ocr\"\n{roles}");
        Self { folder, own }
    }

    fn pictures(&self) -> PathBuf {
        self.folder.path().join("pictures").canonicalize().unwrap()
    }

    fn catalog(&self) -> PathBuf {
        self.folder.path().join("catalog.db")
    }

    fn run(&self, hub: &str, store: &str, models: &str) -> Run {
        Run::new()
            .file("viewfinder.toml", format!("{}{models}", self.own))
            .env("VIEWFINDER_ORT_LIB", test_support::ort_library())
            .env("VIEWFINDER_MODELS", self.folder.path().join(store))
            .env("VIEWFINDER_OCR_MODEL", "own-ocr")
            .env("VIEWFINDER_CATALOG_FILE", self.catalog())
            .env("VIEWFINDER_HF_ENDPOINT", hub)
            .env("VIEWFINDER_MODELSCOPE_ENDPOINT", hub)
            .env("VIEWFINDER_GITHUB_ENDPOINT", hub)
    }

    /// Assets that wait, are done and failed, by kind.
    fn states(&self) -> [[u64; 3]; 3] {
        if !self.catalog().exists() {
            return [[0; 3]; 3];
        }
        let segmenter = Arc::new(Segmenter::new(None).unwrap());
        wait(async {
            let store = SqliteStore::open(&self.catalog(), segmenter).await.unwrap();
            store.counts().await.unwrap().states
        })
    }
}

/// The catalogue's names for small models of the fixtures.
fn small_models() -> String {
    let file = |name: &str| fixture(&format!("models/{name}")).to_str().unwrap().to_owned();
    format!(
        "[[models]]\nname = \"buffalo_l\"\nfamily = \"insight-face\"\n\
         [models.detection]\nsources = [{{ file = {:?} }}]\n[models.recognition]\nsources = [{{ file = {:?} }}]\n\
         [[models]]\nname = \"cn-clip/ViT-B-16\"\nfamily = \"chinese-clip\"\nwidth = 32\n\
         [models.visual]\nsources = [{{ file = {:?} }}]\n[models.textual]\nsources = [{{ file = {:?} }}]\n",
        test_support::model("scrfd_2.5g", Role::Detection).model.to_str().unwrap(),
        file("arcface_probe.onnx"),
        file("tiny.img.onnx"),
        file("tiny.txt.onnx"),
    )
}

/// How often a text has another in it.
fn times(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn text_is_read_and_found_whatever_the_hubs_do() {
    for hub in Hub::all() {
        let world = World::new();
        let url = hub.url();
        let mut running = world.run(&url, "store", "").args(["index"]).args([world.pictures()]).spawn();
        // Its model never comes, so that whoever waits for it waits for ever. The tests' own limit ends that.
        while world.states()[0] != [0, 1, 0] {
            sleep(Duration::from_millis(50));
        }
        assert_eq!(world.states(), [[0, 1, 0], [1, 0, 0], [1, 0, 0]], "{url}");
        if hub.reason().is_none() {
            // It is still at it, and says so; a signal ends it.
            assert_eq!(running.process.try_wait().unwrap(), None, "{url}");
            #[cfg(unix)]
            std::process::Command::new("kill")
                .args(["-INT", &running.process.id().to_string()])
                .status()
                .unwrap();
            #[cfg(not(unix))]
            running.process.kill().unwrap();
        }
        let output = running.wait();
        let told = stderr(&output);
        assert!(told.contains("fetching cn-clip/ViT-B-16 visual from huggingface ("), "{told}");
        assert!(told.contains("(next: modelscope ("), "{told}");
        if let Some(reason) = hub.reason() {
            assert_eq!(output.status.code(), Some(3), "{told}");
            is_told_once(&told, reason);
        }

        // A search asks nobody, and has no memory to thank for that.
        let output = world.run(&url, "another", "").args(["search", "0824628"]).succeeds();
        let (found, told) = (stdout(&output), stderr(&output));
        assert_eq!(found.lines().next().map(Path::new), Some(&*world.pictures().join("receipt.jpg")));
        assert!(!told.contains("fetching"), "{told}");
        assert_eq!(times(&told, "`viewfinder models pull cn-clip/ViT-B-16` fetches"), 1, "{told}");
    }
}

/// Each source once with its reason, and what helps.
fn is_told_once(told: &str, reason: &str) {
    let end = &told
        [told.find("clip and faces are left out, for want of cn-clip/ViT-B-16 and buffalo_l").unwrap()..];
    for source in ["  huggingface (", "  modelscope (", "  github ("] {
        assert_eq!(times(end, source), 1, "{source}: {told}");
    }
    assert_eq!(times(end, reason), 3, "{told}");
    for advice in [
        "`viewfinder models pull cn-clip/ViT-B-16 buffalo_l`",
        "HF_ENDPOINT=",
        "`viewfinder models convert FILE`",
        "buffalo_l by hand: put detection/model.onnx and recognition/model.onnx into",
        "--no-clip --no-faces",
    ] {
        assert_eq!(times(end, advice), 1, "{advice}: {told}");
    }
}

#[test]
fn what_waited_for_models_is_taken_up_when_they_are_there() {
    let world = World::new();
    let hub = format!("http://{}", TestServer::gone());
    let index = |models: &str| world.run(&hub, "store", models).args(["index"]).args([world.pictures()]);
    let told = stderr(&index("").exits(3));
    assert!(told.contains("1 new, 1 analysed"), "{told}");
    // The next run remembers who did not answer, and asks nobody.
    let told = stderr(&index("").exits(3));
    assert!(!told.contains("fetching"), "{told}");
    assert_eq!(times(&told, "refuses connections (less than a minute ago)"), 3, "{told}");
    // Somebody who asks for it is not told of old failures.
    let pull = world.run(&hub, "store", "").args(["models", "pull", "buffalo_l"]);
    let told = stderr(&pull.exits(3));
    assert!(told.contains("fetching buffalo_l detection (16.9 MB) from huggingface"), "{told}");
    assert_eq!(times(&told, "HF_ENDPOINT="), 1, "{told}");

    let looked = stdout(&world.run(&hub, "store", "").args(["doctor", "--listen", "127.0.0.1:0"]).succeeds());
    assert_eq!(times(&looked, "refuses connections"), 3, "{looked}");
    let catalogue = "1 picture or video; ocr: 1 done, 0 waiting, 0 failed; clip: 0 done, 1 waiting, 0 failed";
    for part in
        [catalogue, "heif-dec", "exiftool", "LibRaw", "ffmpeg is not on this machine: videos are not read"]
    {
        assert!(looked.contains(part), "{part}: {looked}");
    }
    let offline = world.run(&hub, "store", "").args(["doctor", "--offline", "--listen", "127.0.0.1:0"]);
    let looked = stdout(&offline.succeeds());
    assert!(
        !looked.contains("refuses connections") && looked.contains("nothing is ever fetched"),
        "{looked}"
    );

    let told = stderr(&index(&small_models()).succeeds());
    assert!(told.contains("1 analysed"), "{told}");
    assert_eq!(world.states(), [[0, 1, 0]; 3]);
}
