//! A companion on a free port, and requests to it.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use hyper::HeaderMap;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use viewfinder_http::proxy::{Limits, ProxyConfig, Server};
use viewfinder_immich::{
    client::Client,
    companion::{Companion, CompanionConfig},
    library::{
        Caller, Capabilities, Capability, ImmichAsCaller, Library, LibraryError, Next, Page, RerunKind,
        SearchRoute,
    },
};

use crate::companion::immich::{Immich, SESSION, captured};

/// The user of the captured answers.
pub(crate) const USER: &str = "7a545f09-508b-408d-bd23-bea659519770";
/// An asset of that user's; every other is somebody else's, but for [`picture`]s.
pub(crate) const OWN: &str = "ae95ab0d-cc69-4e92-9618-072147c6bf11";

/// One of very many assets that belong to whoever asks.
pub(crate) fn picture(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// What holds others up until it is opened.
#[derive(Default)]
pub(crate) struct Gate {
    closed: watch::Sender<bool>,
    waiting: AtomicUsize,
}

/// Somebody before a gate, who may leave.
struct Waiting<'a>(&'a Gate);

impl<'a> Waiting<'a> {
    fn before(gate: &'a Gate) -> Self {
        gate.waiting.fetch_add(1, Ordering::Relaxed);
        Self(gate)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    pub(crate) fn open(&self) {
        self.closed.send_replace(false);
    }

    /// How many stand before it.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    async fn pass(&self) {
        let _waiting = Waiting::before(self);
        let mut closed = self.closed.subscribe();
        // No test needs so long; one that fails must end.
        let _ = timeout(Duration::from_secs(60), closed.wait_for(|closed| !closed)).await;
    }
}

/// Where the shelf goes on in the second shape.
pub(crate) const CURSOR: &str = "eyJvZmZzZXQiOjJ9";

/// A library that finds the captured pictures, in the other order, and remembers what it was asked. Databases are tried
/// where there are any, in `viewfinder-immich`.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) asked: Mutex<Vec<(Caller, Value)>>,
    pub(crate) routes: Mutex<Vec<SearchRoute>>,
    pub(crate) reruns: Mutex<Vec<(Caller, RerunKind, Vec<Uuid>)>>,
    pub(crate) trouble: Mutex<Option<LibraryError>>,
    /// Pictures that cannot be done again.
    pub(crate) broken: Mutex<Vec<Uuid>>,
    /// Before searches for "slow", and before re-runs.
    pub(crate) searches: Gate,
    pub(crate) work: Gate,
    /// Has no picture been read yet?
    pub(crate) is_blank: AtomicBool,
    /// Does it have previews of its own?
    pub(crate) has_previews: AtomicBool,
    /// How long it thinks, and works.
    pub(crate) time: Mutex<Duration>,
}

impl Shelf {
    async fn think(&self) {
        let time = *self.time.lock().unwrap();
        sleep(time).await;
    }
}

#[async_trait]
impl Library for Shelf {
    async fn search(
        &self,
        caller: &Caller,
        route: SearchRoute,
        body: &Value,
        _: &dyn ImmichAsCaller,
    ) -> Result<Page, LibraryError> {
        self.asked.lock().unwrap().push((*caller, body.clone()));
        self.routes.lock().unwrap().push(route);
        self.think().await;
        if body["query"] == "slow" {
            self.searches.pass().await;
        }
        if let Some(trouble) = self.trouble.lock().unwrap().clone() {
            return Err(trouble);
        }
        let next = if body.get("filter").is_some() { Next::Cursor(CURSOR.to_owned()) } else { Next::Page(3) };
        Ok(Page { items: found(), total: 500, next: Some(next) })
    }

    async fn require_own(&self, _: &Caller, assets: &[Uuid]) -> Result<(), LibraryError> {
        let own = assets.iter().all(|asset| asset.to_string() == OWN || *asset < picture(1 << 20));
        own.then_some(()).ok_or(LibraryError::NotYours)
    }

    async fn rerun(
        &self,
        caller: &Caller,
        kind: RerunKind,
        assets: &[Uuid],
        immich: &dyn ImmichAsCaller,
    ) -> Result<(), LibraryError> {
        self.work.pass().await;
        self.think().await;
        if let Some(trouble) = self.trouble.lock().unwrap().clone() {
            return Err(trouble);
        }
        self.require_own(caller, assets).await?;
        let trouble = |message: String| LibraryError::Picture { code: "preview", message };
        if assets.iter().any(|asset| self.broken.lock().unwrap().contains(asset)) {
            return Err(trouble("the picture is broken".to_owned()));
        }
        if self.reruns_as_caller() {
            for asset in assets {
                let preview = immich.preview(*asset).await.map_err(trouble)?;
                assert_eq!(preview, "preview size=preview&edited=false");
            }
        }
        self.reruns.lock().unwrap().push((*caller, kind, assets.to_vec()));
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn has_text(&self) -> bool {
        !self.is_blank.load(Ordering::Relaxed)
    }

    fn reruns_as_caller(&self) -> bool {
        !self.has_previews.load(Ordering::Relaxed)
    }
}

/// What the shelf finds.
pub(crate) fn found() -> Vec<Value> {
    let mut items = captured("search-smart")["assets"]["items"].as_array().unwrap().clone();
    items.reverse();
    items
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) immich: Immich,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) companion: Arc<Companion>,
}

/// What a test may want otherwise.
pub(crate) struct Setup {
    pub(crate) library: bool,
    pub(crate) script: bool,
    pub(crate) time: Duration,
    pub(crate) preview_time: Duration,
    pub(crate) jobs: Option<PathBuf>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            library: true,
            script: true,
            time: Duration::from_secs(2),
            preview_time: Duration::from_secs(30),
            jobs: None,
        }
    }
}

impl Running {
    /// With a library.
    pub(crate) async fn start() -> Self {
        Self::set_up(Setup::default()).await
    }

    pub(crate) async fn with(library: bool, script: bool) -> Self {
        Self::set_up(Setup { library, script, ..Setup::default() }).await
    }

    pub(crate) async fn set_up(setup: Setup) -> Self {
        Self::before(Immich::start().await, Arc::default(), setup).await
    }

    /// Before an Immich, with a shelf.
    pub(crate) async fn before(immich: Immich, shelf: Arc<Shelf>, setup: Setup) -> Self {
        let companion = Arc::new(Companion::new(CompanionConfig {
            client: Client::new(&ProxyConfig::new(format!("http://{}", immich.address))).unwrap(),
            library: setup.library.then(|| Arc::clone(&shelf) as Arc<dyn Library>),
            time: setup.time,
            preview_time: setup.preview_time,
            jobs: setup.jobs,
            script: setup.script,
        }));
        let server = Server::bind(&["127.0.0.1:0".parse().unwrap()], Limits::default()).await.unwrap();
        let address = server.addresses()[0];
        let serving = Arc::clone(&companion);
        tokio::spawn(server.run(
            move |request, visitor| Arc::clone(&serving).handle(request, visitor),
            CancellationToken::new(),
        ));
        Self { address, immich, shelf, companion }
    }

    /// The reason why something is missing, as `/health` tells it.
    pub(crate) fn missing(&self, capability: Capability) -> Option<String> {
        self.companion.status().capabilities.told(capability)
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: photos\r\nConnection: close\r\n");
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Answer::read(&bytes)
    }

    /// JSON from somebody with a session, whose length is not told beforehand.
    pub(crate) async fn post_in_chunks(&self, path: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: photos\r\nConnection: close\r\nAuthorization: Bearer {SESSION}\r\n\
             Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let mut bytes = head.into_bytes();
        let half = body.len() / 2;
        for chunk in [&body.as_bytes()[..half], &body.as_bytes()[half..]] {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        stream.write_all(&bytes).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Answer::read(&bytes)
    }

    /// JSON from somebody with a session.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        let session = format!("Authorization: Bearer {SESSION}");
        self.post_as(&session, path, body).await
    }

    /// JSON from somebody with a header.
    pub(crate) async fn post_as(&self, header: &str, path: &str, body: Value) -> Answer {
        self.send("POST", path, &["Content-Type: application/json", header], &body.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[&str]) -> Answer {
        self.send("GET", path, headers, "").await
    }

    /// Method and path of what Immich was asked since the last time, in order of their names: some are asked at once.
    pub(crate) fn routes(&self) -> Vec<String> {
        let mut routes: Vec<String> =
            self.immich.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect();
        routes.sort();
        routes
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let status = head[9..12].parse().unwrap();
        let lines = head.lines().skip(1).map(|line| line.split_once(": ").unwrap());
        let headers: HeaderMap = lines
            .map(|(name, value)| (hyper::header::HeaderName::try_from(name).unwrap(), value.parse().unwrap()))
            .collect();
        let body = bytes[end + 4..].to_vec();
        if let Some(length) = headers.get("content-length") {
            assert_eq!(length.to_str().unwrap(), body.len().to_string(), "{head}");
        }
        Self { status, headers, body }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What the shelf's answer looks like from outside.
pub(crate) fn page_of_the_shelf() -> Value {
    let items = found();
    json!({
        "albums": {"total": 0, "count": 0, "items": [], "facets": []},
        "assets": {"total": items.len(), "count": items.len(), "items": items, "facets": [], "nextPage": "3"},
    })
}
