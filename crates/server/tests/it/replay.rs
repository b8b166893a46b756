//! The very bytes a real Immich 2.7.5 sent, and answers of the shape it stores.

use serde_json::Value;
use viewfinder_core::{PictureTask, SentenceRequest, ocr};

use crate::support::{Response, Running};

fn captured(name: &str) -> Vec<u8> {
    let path = format!("{}/../../tests/fixtures/immich-2.7.5/ml/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The keys of an answer, however deep, which is what the captured answers can be compared by.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::Array(items) => Value::Array(items.first().map(shape).into_iter().collect()),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        other => other.clone(),
    }
}

async fn replay(server: &Running, name: &str) -> Value {
    let response: Response = server.send(&captured(&format!("{name}.request.http"))).await;
    assert_eq!(response.status, 200, "{}", response.text());
    let expected: Value = serde_json::from_slice(&captured(&format!("{name}.response.json"))).unwrap();
    let answer = response.json();
    assert_eq!(shape(&answer), shape(&expected));
    answer
}

/// A vector as the database reads it: numbers between brackets.
fn vector(value: &Value) -> Vec<f32> {
    serde_json::from_str(value.as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn sentences() {
    let (server, fake) = Running::fake().await;
    let answer = replay(&server, "clip-textual").await;
    assert_eq!(vector(&answer["clip"]).len(), 512);
    replay(&server, "clip-textual-lang").await;
    let request = |language: Option<&str>| SentenceRequest {
        model: "ViT-B-32__openai".into(),
        text: "a cat on a sofa".into(),
        language: language.map(Into::into),
    };
    assert_eq!(*fake.sentences.lock().unwrap(), [request(None), request(Some("en"))]);
}

#[tokio::test]
async fn picture_vector() {
    let (server, fake) = Running::fake().await;
    let answer = replay(&server, "clip-visual").await;
    assert_eq!(vector(&answer["clip"]), fake.contents.lock().unwrap().vector);
    let request = fake.last_picture();
    assert_eq!(request.tasks, [PictureTask::Embed { model: "ViT-B-32__openai".into() }]);
    assert!(!request.decode.orient);
    // The picture arrives whole: its first and last bytes are JPEG's markers.
    assert!(request.bytes.starts_with(&[0xff, 0xd8]) && request.bytes.ends_with(&[0xff, 0xd9]));
}

#[tokio::test]
async fn faces() {
    let (server, fake) = Running::fake().await;
    let answer = replay(&server, "facial-recognition-detection-recognition").await;
    let face = &answer["facial-recognition"][0];
    assert_eq!(vector(&face["embedding"]).len(), 512);
    for (key, expected) in [("x1", -4.0), ("y1", 10.0), ("x2", 61.0), ("y2", 100.0)] {
        assert_eq!(face["boundingBox"][key], expected, "{key}");
    }
    assert_eq!(
        fake.last_picture().tasks,
        [PictureTask::Faces {
            detection: "buffalo_l".into(),
            recognition: "buffalo_l".into(),
            min_score: 0.7
        }]
    );
}

#[tokio::test]
async fn text() {
    let (server, fake) = Running::fake().await;
    let answer = replay(&server, "ocr-detection-recognition").await;
    assert_eq!(answer["ocr"]["box"].as_array().unwrap().len(), 16);
    assert_eq!(answer["ocr"]["text"][0], "发票");
    assert_eq!(answer["ocr"]["textScore"][0], 0.98765);
    assert_eq!(
        fake.last_picture().tasks,
        [PictureTask::Text {
            detection: "PP-OCRv5_mobile".into(),
            recognition: "PP-OCRv5_mobile".into(),
            options: ocr::Options::immich(0.5, 0.8, 736),
        }]
    );
}

#[tokio::test]
async fn one_kept_alive_connection_serves_them_all() {
    use tokio::io::AsyncWriteExt;
    let (server, _) = Running::fake().await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    for name in ["clip-visual", "ocr-detection-recognition", "clip-textual", "clip-visual"] {
        stream.write_all(&captured(&format!("{name}.request.http"))).await.unwrap();
        assert_eq!(crate::support::read(&mut stream).await.status, 200);
    }
}
