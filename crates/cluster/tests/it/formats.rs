//! Each protocol's clients in front of each other's services: a request goes through gateway, router and node, and the
//! service's answer comes back in the client's own format. Services answer as their contracts say.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use viewfinder_cluster::{
    EngineClient, HoldLimits, Router, RouterConfig, Routes, Thresholds,
    nodes::{Node, NodeConfig, NodeKind},
};
use viewfinder_server::DEFAULT_API_KEY;
use viewfinder_test_support::{Response, TestServer};

use crate::{gateway::serve, nothing, route};

/// The header of a PNG picture, which is all that anybody here looks at.
fn png(width: u32, height: u32) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", &size[..], &[8, 2, 0, 0, 0, 1, 2, 3, 4]].concat()
}

/// A whole message: up to the length that its head announces, or to the end.
async fn message(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.to_ascii_lowercase();
            let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some((head, bytes.split_off(end + 4)));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// A service that answers each path with the same JSON.
fn service(answers: Vec<(&'static str, Value)>) -> SocketAddr {
    let server = TestServer::answering(move |request, _| {
        match answers.iter().find(|(known, _)| *known == request.path()) {
            Some((_, body)) => Response::ok(body.to_string()),
            None => Response::new(404, "{}"),
        }
    });
    server.address
}

/// A gateway whose only engine is this service.
async fn in_front_of(kind: NodeKind, service: SocketAddr) -> SocketAddr {
    let node = Node::new(NodeConfig {
        name: "service".into(),
        kind,
        url: format!("http://{service}"),
        key: None,
        authorities: None,
        request_timeout: Duration::from_secs(30),
        connect_timeout: Duration::from_secs(30),
    });
    let routes =
        Routes::new([("default".to_owned(), route(&[&["service"]]))].into(), &["service".to_owned()]);
    let config = RouterConfig {
        routes: routes.unwrap(),
        thresholds: Thresholds::default(),
        hold: HoldLimits::default(),
    };
    let node: Arc<dyn EngineClient> = Arc::new(node.unwrap());
    serve(Arc::new(Router::start(nothing(), vec![("service".to_owned(), node)], config))).await
}

/// Posts a form of parts, of which the one that holds bytes is a file.
async fn post(address: SocketAddr, path: &str, parts: &[(&str, &[u8])]) -> Value {
    let mut body = Vec::new();
    for (name, bytes) in parts {
        let file = if bytes.starts_with(b"\x89PNG") { "; filename=\"a.png\"" } else { "" };
        body.extend(
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").into_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--b--\r\n");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\napi-key: {DEFAULT_API_KEY}\r\ncontent-length: {}\r\n\
         content-type: multipart/form-data; boundary=b\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
    let (head, body) = message(&mut stream).await.unwrap();
    let body = String::from_utf8(body).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}\n{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn immich_is_answered_by_mt_photos() {
    let embedding: Vec<f32> = (0_u16..512).map(|at| f32::from(at + 1) / 1024.0).collect();
    let face = |score: f64| json!({"embedding": embedding, "facial_area": {"x": -3, "y": 10, "w": 23, "h": 29}, "face_confidence": score});
    let place = |x: &str, width: &str| json!({"x": x, "y": "48.0", "width": width, "height": "24.0"});
    let service = service(vec![
        (
            "/ocr",
            json!({"result": {
                "texts": ["发票", "tilted", "doubtful"],
                "scores": ["0.98", "1.00", "0.79"],
                // The corner differences of tilted text can come out negative.
                "boxes": [place("64.0", "128.0"), place("192.0", "-128.0"), place("0.0", "1.0")],
            }}),
        ),
        (
            "/represent",
            json!({"detector_backend": "insightface", "recognition_model": "buffalo_l",
            "result": [face(0.9), face(0.69)]}),
        ),
        ("/clip/img", json!({"result": ["0.3305919170379639", "-1.5000000000000000"]})),
        ("/clip/txt", json!({"result": ["0.3305919170379639", "-1.5000000000000000"]})),
    ]);
    let address = in_front_of(NodeKind::MtPhotos, service).await;
    let entries = json!({
        "ocr": {
            "detection": {"modelName": "m", "options": {"minScore": 0.5, "maxResolution": 736}},
            "recognition": {"modelName": "m", "options": {"minScore": 0.8}}},
        "facial-recognition": {
            "detection": {"modelName": "m", "options": {"minScore": 0.7}},
            "recognition": {"modelName": "m"}},
        "clip": {"visual": {"modelName": "m"}}});
    let entries = entries.to_string();
    let answer =
        post(address, "/predict", &[("entries", entries.as_bytes()), ("image", &png(640, 480))]).await;
    // Its size, which MT Photos does not tell, and corners as shares of it.
    assert_eq!((&answer["imageWidth"], &answer["imageHeight"]), (&json!(640), &json!(480)));
    let text = &answer["ocr"];
    assert_eq!(text["text"], json!(["发票", "tilted"]), "what is below the least score is left out");
    assert_eq!(text["textScore"], json!([0.98, 1.0]));
    let corners = [0.1, 0.1, 0.3, 0.1, 0.3, 0.15, 0.1, 0.15];
    assert_eq!(text["box"], json!([corners, corners].concat()));
    // Faces by corners, their vectors as strings that a database reads, and none below the least score.
    let [face] = &answer["facial-recognition"].as_array().unwrap()[..] else { panic!("{answer}") };
    assert_eq!(face["boundingBox"], json!({"x1": -3.0, "y1": 10.0, "x2": 20.0, "y2": 39.0}));
    let vector: Vec<f32> = serde_json::from_str(face["embedding"].as_str().unwrap()).unwrap();
    assert_eq!(vector, embedding);
    assert_eq!(answer["clip"], "[0.33059192,-1.5]");

    let textual = br#"{"clip":{"textual":{"modelName":"m"}}}"#;
    let answer = post(address, "/predict", &[("entries", textual), ("text", b"a cat")]).await;
    assert_eq!(answer, json!({"clip": "[0.33059192,-1.5]"}));
    // The forked Immich, by corners and not by sizes.
    let answer = post(
        address,
        "/predict",
        &[("entries", br#"{"ocr":{"recognition":{"modelName":"ocr"}}}"#), ("image", &png(640, 480))],
    )
    .await;
    assert_eq!(answer["result"]["boxes"][0], json!({"x1": 64.0, "y1": 48.0, "x2": 192.0, "y2": 72.0}));
}

#[tokio::test]
async fn mt_photos_is_answered_by_immichs_service() {
    // Three and four make five, the rest nothing: a vector whose unit is known.
    let vector: Vec<f32> = [3.0, 4.0].into_iter().chain(std::iter::repeat_n(0.0, 510)).collect();
    let vector = serde_json::to_string(&vector).unwrap();
    let cases = [
        (
            "/ocr",
            json!({"ocr": {
                "text": ["INVOICE"], "boxScore": [0.91], "textScore": [0.99312],
                "box": [0.1, 0.2, 0.45, 0.2, 0.45, 0.259_722_23, 0.1, 0.259_722_23]}}),
        ),
        (
            "/represent",
            json!({"facial-recognition": [{
                "boundingBox": {"x1": 690.0, "y1": -89.0, "x2": 833.0, "y2": 96.0},
                "embedding": vector, "score": 0.875}]}),
        ),
        ("/clip/img", json!({"clip": "[0.33059192,-1.5]"})),
    ];
    for (path, mut body) in cases {
        (body["imageWidth"], body["imageHeight"]) = (json!(1920), json!(1440));
        let address = in_front_of(NodeKind::ImmichMl, service(vec![("/predict", body)])).await;
        let answer = post(address, path, &[("file", &png(1920, 1440))]).await;
        match path {
            "/ocr" => assert_eq!(
                answer,
                json!({"result": {
                    "texts": ["INVOICE"], "scores": ["0.99"],
                    "boxes": [{"x": "192.0", "y": "288.0", "width": "672.0", "height": "86.0"}]}})
            ),
            "/represent" => {
                let face = &answer["result"][0];
                assert_eq!(face["facial_area"], json!({"x": 690, "y": -89, "w": 143, "h": 185}));
                assert_eq!(face["face_confidence"], 0.875);
                let unit: Vec<f64> = serde_json::from_value(face["embedding"].clone()).unwrap();
                assert_eq!((unit[0], unit[1], unit.len()), (f64::from(0.6_f32), f64::from(0.8_f32), 512));
            }
            _ => assert_eq!(answer, json!({"result": ["0.3305919170379639", "-1.5000000000000000"]})),
        }
    }
    let answers = vec![("/predict", json!({"clip": "[0.33059192,-1.5]"}))];
    let address = in_front_of(NodeKind::ImmichMl, service(answers)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = r#"{"text":"a cat"}"#;
    let head = format!("POST /clip/txt HTTP/1.1\r\nhost: x\r\napi-key: {DEFAULT_API_KEY}\r\n");
    stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    let (_, answer) = message(&mut stream).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer, json!({"result": ["0.3305919170379639", "-1.5000000000000000"]}));
}
