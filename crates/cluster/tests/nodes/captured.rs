//! Answers of real services, and the requests that go out.

use serde_json::Value;
use viewfinder_cluster::nodes::NodeKind;
use viewfinder_core::{Answer, PictureTask, SentenceRequest, ocr};
use viewfinder_test_support::{Response, TestServer};

use crate::support::{KEY, embed, node, png, request, sentence};

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&bytes).unwrap()
}

async fn picture(body: &Value, task: PictureTask) -> (usize, usize, Answer) {
    let address = TestServer::saying(Response::json(body.to_string())).address;
    let mut answer = node(NodeKind::ImmichMl, address).picture(&request(vec![task])).await.unwrap();
    (answer.width, answer.height, answer.answers.remove(0).unwrap())
}

fn text() -> PictureTask {
    let options = ocr::Options::immich(0.5, 0.8, 736);
    PictureTask::Text { detection: "m".into(), recognition: "m".into(), options }
}

fn faces() -> PictureTask {
    PictureTask::Faces { detection: "m".into(), recognition: "m".into(), min_score: 0.7 }
}

fn vector(text: &Value) -> Vec<f32> {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

fn same_faces(body: &Value, answer: &Answer) {
    let Answer::Faces(found) = answer else { panic!("no faces") };
    let expected = body["facial-recognition"].as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.embedding, vector(&expected["embedding"]));
        let bounds = &expected["boundingBox"];
        let bounds = ["x1", "y1", "x2", "y2"].map(|key| bounds[key].as_f64().unwrap() as f32);
        assert_eq!((found.bounds, found.score), (bounds, expected["score"].as_f64().unwrap() as f32));
    }
}

fn same_text(body: &Value, (width, height, answer): &(usize, usize, Answer)) {
    let Answer::Text(found) = answer else { panic!("no text") };
    let texts: Vec<_> = found.iter().map(|line| Value::from(line.text.clone())).collect();
    assert_eq!(&Value::from(texts), &body["ocr"]["text"]);
    let scores: Vec<_> = found.iter().map(|line| Value::from(line.score)).collect();
    assert_eq!(&Value::from(scores), &body["ocr"]["textScore"]);
    let size = [*width as f32, *height as f32];
    let shares: Vec<f32> =
        found.iter().flat_map(|line| line.corners).flat_map(|[x, y]| [x / size[0], y / size[1]]).collect();
    let expected: Vec<f32> =
        body["ocr"]["box"].as_array().unwrap().iter().map(|share| share.as_f64().unwrap() as f32).collect();
    assert_eq!(shares.len(), expected.len());
    for (found, expected) in shares.into_iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-7, "{found} is not {expected}");
    }
}

#[tokio::test]
async fn immichs_own_service() {
    let ocr = fixture("immich-ml/ocr.json");
    for (name, answers) in ocr["images"].as_object().unwrap() {
        let body = &answers["ocr"];
        let found = picture(body, text()).await;
        assert_eq!(Value::from(found.0), body["imageWidth"], "{name}");
        same_text(body, &found);
        // Its detector's corners are whole pixels.
        let Answer::Text(lines) = &found.2 else { panic!("no text") };
        assert!(
            lines.iter().flat_map(|line| line.corners).flatten().all(|place| place.fract() == 0.0),
            "{name}"
        );
    }
    let others = fixture("immich-ml/faces_clip.json");
    for answers in others["images"].as_object().unwrap().values() {
        same_faces(&answers["face"], &picture(&answers["face"], faces()).await.2);
        let found = picture(&answers["clip"], embed()).await.2;
        assert_eq!(found, Answer::Embedding(vector(&answers["clip"]["clip"])));
    }
    for (text, answer) in ocr["texts"].as_object().unwrap() {
        let address = TestServer::saying(Response::json(answer.to_string())).address;
        let request = SentenceRequest { model: "m".into(), text: text.clone(), language: None };
        let found = node(NodeKind::ImmichMl, address).sentence(&request).await;
        assert_eq!(found, Ok(vector(&answer["clip"])));
    }
}

#[tokio::test]
async fn what_immichs_server_accepts() {
    let captured = |name: &str| fixture(&format!("immich-2.7.5/ml/{name}.response.json"));
    let body = captured("facial-recognition-detection-recognition");
    same_faces(&body, &picture(&body, faces()).await.2);
    let body = captured("ocr-detection-recognition");
    same_text(&body, &picture(&body, text()).await);
    let body = captured("clip-visual");
    assert_eq!(picture(&body, embed()).await.2, Answer::Embedding(vector(&body["clip"])));
}

#[tokio::test]
async fn sizes_that_are_missing_are_read_from_the_picture() {
    let (width, height, _) = picture(&serde_json::json!({"clip": "[1.0]"}), embed()).await;
    assert_eq!((width, height), (640, 480));
}

#[tokio::test]
async fn requests_announce_their_length_and_carry_the_key_and_the_whole_picture() {
    for (kind, body, credentials) in [
        (NodeKind::Viewfinder, r#"{"clip":"[1.0]"}"#, format!("authorization: Bearer {KEY}\r\n")),
        (NodeKind::ImmichMl, r#"{"clip":"[1.0]"}"#, format!("authorization: Bearer {KEY}\r\n")),
        (NodeKind::MtPhotos, r#"{"result":["1.0"]}"#, format!("api-key: {KEY}\r\n")),
    ] {
        let server = TestServer::saying(Response::json(body));
        let node = node(kind, server.address);
        node.picture(&request(vec![embed()])).await.unwrap();
        node.sentence(&sentence()).await.unwrap();
        let seen = server.requests();
        assert_eq!(seen.len(), 2);
        for request in &seen {
            let text = &request.head;
            assert!(text.contains(&credentials) && text.contains("content-length: "), "{text}");
            assert!(!text.contains("transfer-encoding"), "{text}");
        }
        let picture = png(640, 480);
        assert!(seen[0].body.windows(picture.len()).any(|window| *window == *picture));
    }
}

#[tokio::test]
async fn paths_in_front_of_the_protocols_are_kept() {
    let server = TestServer::saying(Response::json(r#"{"result":"pass"}"#));
    let url = format!("{}/behind/a/proxy/", server.url());
    let node = viewfinder_cluster::nodes::Node::new(crate::support::config(NodeKind::MtPhotos, url)).unwrap();
    assert_eq!(node.probe().await, Ok(()));
    assert!(server.requests()[0].head.starts_with("POST /behind/a/proxy/check HTTP/1.1\r\n"));
}
