//! Peers of every kind on free ports, and nodes that ask them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use viewfinder_cluster::nodes::{Node, NodeConfig, NodeError, NodeKind, Secret};
use viewfinder_core::{
    Alpha, DecodeRules, ErrorCode, Face, PictureAnswer, PictureRequest, PictureTask, SentenceRequest,
    TaskError, ocr,
};
use viewfinder_server::{Listen, Server, ServerConfig};
use viewfinder_test_support::{Contents, FakeBackend};

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

/// A backend that sees two lines and two faces.
pub(crate) fn backend() -> FakeBackend {
    let region = |line: ocr::Line| ocr::Region { score: line.region_score, corners: line.corners };
    FakeBackend::seeing(Contents {
        lines: lines(),
        regions: lines().into_iter().map(region).collect(),
        faces: vec![face(0.875, vec![]), face(0.7, vec![])],
        vector: vector(),
        ..Contents::default()
    })
}

/// Faces with their vectors cannot be found.
pub(crate) fn without_faces(backend: &FakeBackend, code: ErrorCode) {
    backend.refuse(move |task| match task {
        PictureTask::Faces { .. } => Some(TaskError::new(code, format!("it is {}", code.as_str()))),
        _ => None,
    });
}

/// A free port.
pub(crate) fn listen() -> Listen {
    SocketAddr::from(([127, 0, 0, 1], 0)).into()
}

/// A server in front of a fake. It lives as long as the test.
pub(crate) async fn gateway() -> (SocketAddr, Arc<FakeBackend>) {
    let fake = Arc::new(backend());
    let config = ServerConfig { listen: vec![listen()], api_key: KEY.into(), ..ServerConfig::default() };
    let server = Server::bind(config, fake.clone()).await.unwrap();
    let address = server.addresses()[0];
    tokio::spawn(server.run(CancellationToken::new()));
    (address, fake)
}

/// What becomes of a picture's vector.
pub(crate) async fn ask(node: &Node) -> Result<PictureAnswer, NodeError> {
    tokio::time::timeout(2 * PATIENCE, node.picture(&request(vec![embed()]))).await.expect("it hangs")
}
