//! A companion on a free port, and requests to it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use hyper::HeaderMap;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use uuid::Uuid;
use viewfinder_companion::{
    AsCaller, Caller, Capabilities, Capability, Companion, CompanionConfig, Library, LibraryError, Next,
    Page, RerunKind, SearchRoute,
};
use viewfinder_proxy::{Limits, Proxy, ProxyConfig, Server};

use crate::immich::{Immich, SESSION, captured};

/// The user of the captured answers.
pub(crate) const USER: &str = "7a545f09-508b-408d-bd23-bea659519770";
/// An asset of that user's; every other is somebody else's.
pub(crate) const OWN: &str = "ae95ab0d-cc69-4e92-9618-072147c6bf11";

/// A library that finds the captured pictures, in the other order, and remembers what it was asked. Databases are tried
/// where there are any, in `viewfinder-immich`.
#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) asked: Mutex<Vec<(Caller, Value)>>,
    pub(crate) reruns: Mutex<Vec<(Caller, RerunKind, Vec<Uuid>)>>,
    pub(crate) trouble: Mutex<Option<LibraryError>>,
    /// How long it thinks, and works.
    pub(crate) time: Mutex<Duration>,
}

impl Library for Shelf {
    fn search(
        &self,
        caller: &Caller,
        _: SearchRoute,
        body: &Value,
        _: &dyn AsCaller,
    ) -> Result<Page, LibraryError> {
        self.asked.lock().unwrap().push((*caller, body.clone()));
        std::thread::sleep(*self.time.lock().unwrap());
        if let Some(trouble) = self.trouble.lock().unwrap().clone() {
            return Err(trouble);
        }
        Ok(Page { items: found(), total: 500, next: Some(Next::Page(3)) })
    }

    fn require_own(&self, _: &Caller, assets: &[Uuid]) -> Result<(), LibraryError> {
        let own = assets.iter().all(|asset| asset.to_string() == OWN);
        own.then_some(()).ok_or(LibraryError::NotYours)
    }

    fn rerun(
        &self,
        caller: &Caller,
        kind: RerunKind,
        assets: &[Uuid],
        immich: &dyn AsCaller,
    ) -> Result<(), LibraryError> {
        std::thread::sleep(*self.time.lock().unwrap());
        if let Some(trouble) = self.trouble.lock().unwrap().clone() {
            return Err(trouble);
        }
        self.require_own(caller, assets)?;
        let pictures: Vec<_> = assets.iter().map(|asset| immich.preview(*asset).unwrap()).collect();
        assert_eq!(pictures, vec!["preview size=preview&edited=false"; assets.len()]);
        self.reruns.lock().unwrap().push((*caller, kind, assets.to_vec()));
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn reruns_as_caller(&self) -> bool {
        true
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

impl Running {
    /// With a library.
    pub(crate) async fn start() -> Self {
        Self::with(true, true).await
    }

    pub(crate) async fn with(library: bool, script: bool) -> Self {
        let immich = Immich::start().await;
        let shelf = Arc::new(Shelf::default());
        let companion = Arc::new(Companion::new(CompanionConfig {
            proxy: Proxy::new(&ProxyConfig::new(format!("http://{}", immich.address))).unwrap(),
            library: library.then(|| Arc::clone(&shelf) as Arc<dyn Library>),
            time: Duration::from_secs(2),
            script,
        }));
        let server = Server::bind(&["127.0.0.1:0".parse().unwrap()], Limits::default()).await.unwrap();
        let address = server.addresses()[0];
        let serving = Arc::clone(&companion);
        tokio::spawn(server.run(
            move |request, visitor| Arc::clone(&serving).handle(request, visitor),
            std::future::pending(),
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
