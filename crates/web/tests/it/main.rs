//! The routes of pictures over a real catalogue, with disks that are not as they should be.
#![cfg(unix)]

mod access;
mod assets;
mod by_picture;
mod files;
mod http;
mod jobs;
mod library;
mod people;
mod search;
mod status;

use std::{
    fs::{self, File},
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver},
    },
    time::Duration,
};

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use viewfinder_catalog::{
    AnalysisKind, Asset, SqliteStore, Store,
    search::{Searcher, Similarity},
    text::Segmenter,
};
use viewfinder_core::Backend;
use viewfinder_image::{Limits, RgbImage, encode};
use viewfinder_index::{
    Converted, Event, Files, Links, Listener, Models, Originals, Pictures, Scan, Tools, Unread, scan,
};
use viewfinder_server::Key;
use viewfinder_test_support::FakeBackend;
use viewfinder_web::{Access, Catalogue, Photos, PhotosConfig, StorageLimits, router};

const TOKEN: &str = "token";
/// A key that the owner made for somebody.
const GIVEN: &str = "given";

struct Silent;

impl Listener for Silent {
    fn tell(&self, _: Event) {}
}

/// A disk that answers nobody until the other end is dropped.
#[derive(Debug)]
struct Stuck(Mutex<Receiver<()>>);

#[async_trait]
impl Pictures for Stuck {
    async fn read(&self, _: &Asset) -> Result<Converted, Unread> {
        unreachable!("nothing is analysed here")
    }
}

impl Originals for Stuck {
    fn open(&self, asset: &Asset) -> Result<File, Unread> {
        self.read_blocking(asset).map(|_| unreachable!("it reads nothing"))
    }

    fn read_blocking(&self, _: &Asset) -> Result<Converted, Unread> {
        assert!(self.0.lock().unwrap().recv().is_err());
        Err(Unread::Changed)
    }
}

/// What a server over pictures has, unless a test says otherwise: their files, and nobody who analyses them.
struct Setup {
    pictures: Option<Arc<dyn Originals>>,
    storage: StorageLimits,
    backend: Arc<dyn Backend>,
    /// What is analysed.
    kinds: Vec<AnalysisKind>,
    /// Are small pictures kept?
    keep: bool,
    /// How large pictures may be.
    limits: Limits,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            pictures: None,
            storage: StorageLimits::default(),
            backend: Arc::new(FakeBackend::default().closed()),
            kinds: vec![],
            keep: false,
            limits: Limits::default(),
        }
    }
}

/// A folder of pictures, its catalogue, and a server over both.
struct World {
    folder: TempDir,
    catalogue: TempDir,
    store: Arc<SqliteStore>,
    address: SocketAddr,
}

impl World {
    /// With these pictures and videos, whose content is given.
    async fn new(files: &[(&str, &[u8])], setup: Setup) -> Self {
        let Setup { pictures, storage, backend, kinds, keep, limits } = setup;
        let (folder, catalogue) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let segmenter = Arc::new(Segmenter::new(None).unwrap());
        let store =
            SqliteStore::open(&catalogue.path().join("catalog.db"), Arc::clone(&segmenter)).await.unwrap();
        let store = Arc::new(store);
        let root = folder.path().canonicalize().unwrap();
        for (name, content) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let tools = Tools::find_in("".as_ref());
        let plan = Scan {
            roots: vec![root],
            within: vec![],
            prune: false,
            settle: Duration::ZERO,
            kinds: vec![],
            tools: tools.clone(),
            max_bytes: 1 << 20,
            links: Links::Refused,
        };
        scan(plan, &*store, &CancellationToken::new(), &Silent).await.unwrap();
        let pictures =
            pictures.unwrap_or_else(|| Arc::new(Files { tools, max_bytes: 1 << 20, links: Links::Refused }));
        let searcher =
            Searcher::new(Arc::clone(&store) as Arc<dyn Store>, segmenter, None, Similarity::default());
        let model = || "none".to_owned();
        let photos = Photos::start(PhotosConfig {
            store: Arc::clone(&store) as Arc<dyn Store>,
            searcher: Arc::new(searcher),
            backend,
            models: Models { ocr: model(), clip: model(), faces: model(), face_min_score: 0.5 },
            sentence_model: model(),
            kinds,
            same_person: 0.5,
            pictures,
            storage,
            limits,
            thumbnails: keep.then(|| catalogue.path().join("thumbnails")),
            thumbnail_bytes: 1 << 20,
            take_up: true,
            stop: CancellationToken::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let behind = Arc::new(Catalogue::absent("viewfinder index".to_owned()));
        behind.open(photos);
        let given: Arc<[Key]> = Arc::new([Key::new(GIVEN).unwrap()]);
        let access =
            Access { keys: Arc::new(move || Arc::clone(&given)), ..Access::token(Key::new(TOKEN).unwrap()) };
        let routes = router(behind, access);
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { folder, catalogue, store, address }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Status, stable code of a problem, and content.
    async fn get(&self, path: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
        let body = answer.split_off(end + 4);
        let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        (status, problem["code"].as_str().unwrap_or_default().to_owned(), body)
    }

    /// What is answered when the file of this name is asked for, or its thumbnail.
    async fn ask(&self, name: &str, what: &str) -> (u16, String, Vec<u8>) {
        let asset = self.store.by_path(self.path(name).to_str().unwrap()).await.unwrap();
        let id = asset.unwrap_or_else(|| panic!("{name} is not catalogued")).id.0;
        self.get(&format!("/api/v1/assets/{id}/{what}")).await
    }

    async fn is_gone(&self, name: &str) {
        for what in ["file", "thumbnail"] {
            let (status, code, body) = self.ask(name, what).await;
            assert_eq!(
                (status, code.as_str()),
                (404, "file_gone"),
                "{name}, {what}: {}",
                body.escape_ascii()
            );
        }
    }
}

fn picture() -> Vec<u8> {
    encode::png(&RgbImage::filled(40, 30, [9, 99, 199]))
}

fn pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_served_only_as_the_catalogue_knows_it() {
    let png = picture();
    // Longer than what is read at a time.
    let long = [&png[..], &vec![7; 700_000][..]].concat();
    let names = ["plain.png", "long.png", "link.png", "pipe.png", "changed.png", "sub/moved.png"];
    let files: Vec<_> =
        names.map(|name| (name, if name == "long.png" { &long[..] } else { &png[..] })).into();
    let world = World::new(&files, Setup::default()).await;
    for name in names {
        let (status, _, body) = world.ask(name, "file").await;
        assert!(status == 200 && body == if name == "long.png" { &long[..] } else { &png[..] }, "{name}");
        assert_eq!(world.ask(name, "thumbnail").await.0, 200, "{name}");
    }
    let outside = TempDir::new().unwrap();
    let secret = outside.path().join("moved.png");
    fs::write(&secret, &png).unwrap();
    for name in ["link.png", "pipe.png", "sub/moved.png"] {
        fs::remove_file(world.path(name)).unwrap();
    }
    symlink(&secret, world.path("link.png")).unwrap();
    pipe(&world.path("pipe.png"));
    fs::remove_dir(world.path("sub")).unwrap();
    symlink(outside.path(), world.path("sub")).unwrap();
    fs::write(world.path("changed.png"), [&png[..], b"more"].concat()).unwrap();
    for name in ["link.png", "pipe.png", "sub/moved.png", "changed.png"] {
        world.is_gone(name).await;
    }
    assert_eq!(world.ask("plain.png", "file").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_bears_a_pictures_name_is_not_shown() {
    let secret: &[u8] = b"root:x:0:0:root:/root:/bin/bash\n";
    let files = [("passwd.jpg", secret), ("passwd.mp4", secret), ("passwd.nef", secret)];
    let world = World::new(&files, Setup::default()).await;
    for (name, _) in files {
        for what in ["file", "thumbnail"] {
            let (status, code, body) = world.ask(name, what).await;
            assert_eq!((status, code.as_str()), (422, "picture_unreadable"), "{name}, {what}");
            assert!(!body.windows(4).any(|part| part == b"root"), "{name}, {what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_is_told_and_holds_up_nothing_else() {
    let (stuck, until) = mpsc::channel();
    let disk: Arc<dyn Originals> = Arc::new(Stuck(Mutex::new(until)));
    let limits = StorageLimits {
        places: 2,
        read_time: Duration::from_millis(50),
        make_time: Duration::from_millis(50),
    };
    let png = picture();
    let world =
        World::new(&[("x.png", &png)], Setup { pictures: Some(disk), storage: limits, ..Setup::default() })
            .await;
    for _ in 0..20 {
        for what in ["file", "thumbnail"] {
            let (status, code, _) = world.ask("x.png", what).await;
            assert_eq!((status, code.as_str()), (503, "storage_busy"), "{what}");
        }
        assert_eq!(world.get("/api/v1/status").await.0, 200);
    }
    drop(stuck);
    while world.ask("x.png", "file").await.1 != "file_gone" {
        tokio::task::yield_now().await;
    }
}
