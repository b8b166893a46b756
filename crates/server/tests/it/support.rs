//! A server on a free port, a backend that answers from its head, and a client that sends the very bytes it is given.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use viewfinder_core::{Backend, ErrorCode, Face, PictureTask, TaskError, ocr};
use viewfinder_server::{Server, ServerConfig};
use viewfinder_test_support::{Contents, FakeBackend};

/// Generous, so that only a hang trips it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A backend that sees two lines and a face.
pub(crate) fn backend() -> FakeBackend {
    let corners = [[12.345, 20.0], [110.0, 10.0], [112.5, 38.0], [14.0, 48.25]];
    let line =
        |text: &str, score, region_score| ocr::Line { text: text.into(), score, region_score, corners };
    FakeBackend::seeing(Contents {
        lines: vec![line("发票", 0.987_654_3, 0.75), line("TOTAL <b>9.90</b>", 1.0, 0.5)],
        regions: vec![ocr::Region { score: 0.75, corners }],
        faces: vec![Face {
            bounds: [-3.5, 10.25, 60.75, 99.5],
            score: 0.875,
            landmarks: [[1.0, 2.0]; 5],
            embedding: vec![],
        }],
        vector: (0..512).map(|at| at as f32 / 512.0 - 0.5).collect(),
        ..Contents::default()
    })
}

/// The model of faces or vectors is not there.
pub(crate) fn lack(backend: &FakeBackend, model: &str, code: ErrorCode) {
    let missing = model.to_owned();
    backend.refuse(move |task| match task {
        PictureTask::Faces { detection: model, .. } | PictureTask::Embed { model } if *model == missing => {
            Some(TaskError::new(code, format!("{model} is not there")))
        }
        _ => None,
    });
}

/// A running server, stopped when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) addresses: Vec<SocketAddr>,
    stop: Option<DropGuard>,
    task: JoinHandle<bool>,
}

pub(crate) fn config() -> ServerConfig {
    ServerConfig {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0)).into()],
        api_key: "secret".into(),
        ..ServerConfig::default()
    }
}

impl Running {
    pub(crate) async fn start(config: ServerConfig, backend: Arc<dyn Backend>) -> Self {
        Self::of(Server::bind(config, backend).await.unwrap())
    }

    pub(crate) fn of(server: Server) -> Self {
        let addresses = server.addresses();
        let stop = CancellationToken::new();
        let task = tokio::spawn(server.run(stop.clone()));
        Self { address: addresses[0], addresses, stop: Some(stop.drop_guard()), task }
    }

    /// A server in front of a fake.
    pub(crate) async fn fake() -> (Self, Arc<FakeBackend>) {
        let fake = Arc::new(backend());
        (Self::start(config(), fake.clone()).await, fake)
    }

    pub(crate) fn ask_to_stop(&mut self) {
        drop(self.stop.take().unwrap());
    }

    /// Whether everything finished in time.
    pub(crate) async fn stopped(self) -> bool {
        timeout(PATIENCE, self.task).await.expect("the server hangs").unwrap()
    }

    /// Sends bytes on a connection of their own and reads the answer.
    pub(crate) async fn send(&self, request: &[u8]) -> Response {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        read(&mut stream).await
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[&str], body: &[u8]) -> Response {
        self.send(&post(path, headers, body)).await
    }

    /// Posts a form with a boundary of its own.
    pub(crate) async fn form(&self, path: &str, headers: &[&str], parts: &[Part<'_>]) -> Response {
        self.send(&form(path, headers, parts)).await
    }

    /// `/predict` with a picture.
    pub(crate) async fn predict(&self, entries: &Value, image: &[u8]) -> Response {
        let entries = entries.to_string();
        self.form("/predict", &[], &[Part::Text("entries", &entries), Part::File("image", image)]).await
    }
}

pub(crate) enum Part<'a> {
    Text(&'a str, &'a str),
    File(&'a str, &'a [u8]),
}

pub(crate) fn post(path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let headers = headers.iter().flat_map(|header| [*header, "\r\n"]).collect::<String>();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(crate) const FORM: &str = "content-type: multipart/form-data; boundary=----b0undary";

pub(crate) fn form_body(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        let (head, bytes) = match part {
            Part::Text(name, text) => (format!("name=\"{name}\""), text.as_bytes()),
            Part::File(name, bytes) => (
                format!("name=\"{name}\"; filename=\"blob\"\r\nContent-Type: application/octet-stream"),
                *bytes,
            ),
        };
        body.extend_from_slice(
            format!("------b0undary\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"------b0undary--\r\n");
    body
}

pub(crate) fn form(path: &str, headers: &[&str], parts: &[Part<'_>]) -> Vec<u8> {
    post(path, &[headers, &[FORM]].concat(), &form_body(parts))
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Status and JSON body at once, so that a mismatch shows both.
    #[track_caller]
    pub(crate) fn outcome(&self) -> (u16, Value) {
        (self.status, self.json())
    }
}

/// Reads one answer that announces its length.
pub(crate) async fn read(stream: &mut TcpStream) -> Response {
    timeout(PATIENCE, async {
        let mut bytes = Vec::new();
        let head = loop {
            let found = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            match found {
                Some(at) => break at,
                None => assert_ne!(
                    stream.read_buf(&mut bytes).await.unwrap(),
                    0,
                    "closed within the head: {bytes:?}"
                ),
            }
        };
        let mut body = bytes.split_off(head + 4);
        let head = String::from_utf8(bytes).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status: u16 = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").map(|(_, length)| length);
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        while body.len() < length {
            assert_ne!(stream.read_buf(&mut body).await.unwrap(), 0, "closed within the body");
        }
        if status == 100 {
            return Box::pin(read(stream)).await;
        }
        Response { status, headers, body }
    })
    .await
    .expect("no answer")
}
