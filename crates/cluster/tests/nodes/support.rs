//! Peers of every kind on free ports, and nodes that ask them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use viewfinder_cluster::nodes::{Node, NodeConfig, NodeError, NodeKind, Secret};
use viewfinder_core::{
    Alpha, Answer, AnswerFuture, Backend, DecodeRules, EngineStatus, ErrorCode, Face, PictureAnswer,
    PictureRequest, PictureTask, SentenceRequest, TaskError, ocr,
};
use viewfinder_server::{GatewayConfig, Listen, Server};

pub(crate) const KEY: &str = "s3cret-key";

/// Generous, so that only a hang trips it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn config(kind: NodeKind, url: String) -> NodeConfig {
    NodeConfig {
        name: "attic".into(),
        kind,
        url,
        key: Some(Secret::new(KEY)),
        authorities: None,
        request_timeout: PATIENCE,
        connect_timeout: PATIENCE,
    }
}

pub(crate) fn node(kind: NodeKind, address: SocketAddr) -> Node {
    Node::new(config(kind, format!("http://{address}"))).unwrap()
}

/// The header of a PNG picture of this size, which is all that a node looks at.
pub(crate) fn png(width: u32, height: u32) -> Bytes {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend_from_slice(&[8, 2, 0, 0, 0, 1, 2, 3, 4]);
    bytes.into()
}

pub(crate) fn request(tasks: Vec<PictureTask>) -> PictureRequest {
    let decode = DecodeRules { orient: false, alpha: Alpha::Drop, max_side: None };
    PictureRequest { bytes: png(640, 480), decode, tasks }
}

pub(crate) fn embed() -> PictureTask {
    PictureTask::Embed { model: "c".into() }
}

pub(crate) fn sentence() -> SentenceRequest {
    SentenceRequest { model: "c".into(), text: "两只猫\r\n".into(), language: Some("zh-CN".into()) }
}

pub(crate) fn vector() -> Vec<f32> {
    (0_u16..512).map(|at| f32::from(at) / 512.0 - 0.123_456_7).collect()
}

pub(crate) fn lines() -> Vec<ocr::Line> {
    let corners = [[12.345, 20.0], [110.0, 10.0], [112.5, 38.0], [14.0, 48.25]];
    vec![
        ocr::Line { text: "发票".into(), score: 0.987_65, region_score: 0.75, corners },
        ocr::Line { text: "<b>\"9.90\"</b>".into(), score: 0.6, region_score: 0.5, corners },
    ]
}

pub(crate) fn face(score: f32, embedding: Vec<f32>) -> Face {
    let landmarks = [[1.5, 2.25], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0]];
    Face { bounds: [-3.5, 10.25, 60.75, 99.5], score, landmarks, embedding }
}

/// Answers from its head, and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) pictures: Mutex<Vec<PictureRequest>>,
    pub(crate) sentences: Mutex<Vec<SentenceRequest>>,
    pub(crate) failure: Mutex<Option<ErrorCode>>,
    /// Tasks about faces fail so.
    pub(crate) faceless: Mutex<Option<ErrorCode>>,
}

impl Fake {
    fn fails(&self) -> Result<(), TaskError> {
        match *self.failure.lock().unwrap() {
            Some(code) => Err(TaskError::new(code, format!("it is {}", code.as_str()))),
            None => Ok(()),
        }
    }
}

impl Backend for Fake {
    fn picture(&self, request: PictureRequest) -> AnswerFuture<'_, PictureAnswer> {
        Box::pin(async move {
            let answers = request
                .tasks
                .iter()
                .map(|task| {
                    if let (PictureTask::Faces { .. }, Some(code)) = (task, *self.faceless.lock().unwrap()) {
                        return Err(TaskError::new(code, format!("it is {}", code.as_str())));
                    }
                    Ok(match task {
                        PictureTask::Text { .. } => Answer::Text(lines()),
                        PictureTask::TextRegions { .. } => Answer::TextRegions(
                            lines()
                                .into_iter()
                                .map(|line| ocr::Region { score: line.region_score, corners: line.corners })
                                .collect(),
                        ),
                        PictureTask::Faces { .. } => {
                            Answer::Faces(vec![face(0.875, vector()), face(0.7, vector())])
                        }
                        PictureTask::FaceRegions { .. } => Answer::Faces(vec![face(0.875, vec![])]),
                        PictureTask::Embed { .. } => Answer::Embedding(vector()),
                    })
                })
                .collect();
            self.pictures.lock().unwrap().push(request);
            self.fails()?;
            Ok(PictureAnswer { width: 640, height: 480, answers })
        })
    }

    fn sentence(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>> {
        Box::pin(async move {
            self.sentences.lock().unwrap().push(request);
            self.fails()?;
            Ok(vector())
        })
    }

    fn status(&self) -> EngineStatus {
        EngineStatus {
            ready: Ok(()),
            runtime_version: None,
            provider: "cpu".into(),
            fallback: None,
            workers: 1,
            threads: 1,
            queued_pictures: 0,
            queued_sentences: 0,
            running: 0,
            models: vec![],
            refused_models: vec![],
        }
    }

    fn unload(&self) {}
}

/// A free port.
pub(crate) fn listen() -> Listen {
    SocketAddr::from(([127, 0, 0, 1], 0)).into()
}

/// A gateway in front of a fake. It lives as long as the test.
pub(crate) async fn gateway() -> (SocketAddr, Arc<Fake>) {
    let fake = Arc::new(Fake::default());
    let config = GatewayConfig { listen: vec![listen()], api_key: KEY.into(), ..GatewayConfig::default() };
    let server = Server::bind(config, fake.clone()).await.unwrap();
    let address = server.addresses()[0];
    tokio::spawn(server.run(std::future::pending()));
    (address, fake)
}

/// A peer that reads whole requests, hands them on, and answers each with the same bytes. `then` says what becomes of
/// the connection.
pub(crate) async fn peer(answer: impl Into<Vec<u8>>, then: Then) -> (SocketAddr, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (answer, requests): (Arc<[u8]>, _) = (answer.into().into(), Arc::clone(&seen));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answer, requests) = (Arc::clone(&answer), Arc::clone(&requests));
            tokio::spawn(async move {
                while let Some(request) = read(&mut stream).await {
                    requests.lock().unwrap().push(request);
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                    match then {
                        Then::Keep => {}
                        Then::Close => return,
                        Then::Hang => std::future::pending().await,
                        Then::Drip => {
                            while stream.write_all(b" ").await.is_ok() {
                                tokio::time::sleep(Duration::from_millis(20)).await;
                            }
                            return;
                        }
                    }
                }
            });
        }
    });
    (address, seen)
}

#[derive(Clone, Copy)]
pub(crate) enum Then {
    Keep,
    Close,
    Hang,
    Drip,
}

/// A whole request with its body, if one comes.
async fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(bytes)
}

/// A whole response.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

pub(crate) fn ok(body: &str) -> Vec<u8> {
    response("200 OK", "content-type: application/json\r\n", body)
}

/// What becomes of a picture's vector.
pub(crate) async fn ask(node: &Node) -> Result<PictureAnswer, NodeError> {
    tokio::time::timeout(2 * PATIENCE, node.picture(&request(vec![embed()]))).await.expect("it hangs")
}
