//! The real engine behind the server: real pictures, real networks, compared with Immich's own server.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use viewfinder_engine::runtime::Device;
use viewfinder_engine::{Engine, EngineConfig};
use viewfinder_models::{Catalogue, Role, StoreConfig};
use viewfinder_test_support as support;

use crate::support::{Part, Running, config};

pub(crate) const OCR: &str = "PP-OCRv6_small";

/// The tests' store, the fixtures' cache in Immich's layout, and a two-layer Chinese-CLIP, `tiny`.
pub(crate) fn engine_config() -> EngineConfig {
    for role in [Role::Detection, Role::Classification, Role::Recognition] {
        support::model(OCR, role);
    }
    support::model("scrfd_2.5g", Role::Detection);
    let file = |name: &str| support::fixtures().join("models").join(name).display().to_string();
    let tiny = format!(
        "[[models]]\nname = \"tiny\"\nfamily = \"chinese-clip\"\nwidth = 32\n\
         [models.visual]\nsources = [{{ file = {:?} }}]\n[models.textual]\nsources = [{{ file = {:?} }}]\n",
        file("tiny.img.onnx"),
        file("tiny.txt.onnx")
    );
    let mut models = StoreConfig::new(support::store().root());
    models.offline = true;
    models.immich_caches = vec![support::fixtures().join("immich-cache")];
    models.extra_models = Catalogue::parse(&tiny).unwrap();
    let mut config = EngineConfig::new(models);
    config.library = Some(support::ort_library());
    config.device = Device::Cpu;
    config.model_ttl = None;
    // The reference answers are those of Immich's server over the same networks under this name.
    config.aliases.insert("PP-OCRv5_mobile".to_owned(), OCR.to_owned());
    config
}

/// One for all tests.
fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(engine_config()).unwrap()).clone()
}

async fn server() -> Running {
    let mut config = config();
    OCR.clone_into(&mut config.models.ocr);
    "tiny".clone_into(&mut config.models.clip);
    "tiny".clone_into(&mut config.models.clip_text);
    Running::start(config, Arc::new(engine())).await
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = support::fixtures().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What Immich's server answered.
fn reference(name: &str) -> Value {
    serde_json::from_slice(&fixture(&format!("immich-ml/{name}"))).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn vector(value: &Value) -> Vec<f64> {
    numbers(&serde_json::from_str(value.as_str().unwrap()).unwrap())
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[track_caller]
fn close(ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() <= tolerance, "{ours} is not {theirs}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn captured_requests_are_answered() {
    let server = server().await;
    for name in ["clip-textual", "clip-textual-lang", "clip-visual", "ocr-detection-recognition"] {
        let answer = server.send(&fixture(&format!("immich-2.7.5/ml/{name}.request.http"))).await;
        let (status, answer) = answer.outcome();
        assert_eq!(status, 200, "{name}: {answer}");
        match answer.get("clip") {
            Some(clip) => assert_eq!(vector(clip).len(), 512),
            None => assert_eq!((&answer["imageWidth"], &answer["imageHeight"]), (&json!(768), &json!(432))),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_immichs_text() {
    let server = server().await;
    let entries = json!({"ocr": {
        "detection": {"modelName": "PP-OCRv5_mobile", "options": {"minScore": 0.5, "maxResolution": 736}},
        "recognition": {"modelName": "PP-OCRv5_mobile", "options": {"minScore": 0.8}}}});
    let reference = reference("ocr.json");
    for name in ["ch_en_num.jpg", "issue_170.png", "empty_black.jpg"] {
        let (status, ours) = server.predict(&entries, &fixture(&format!("ocr/{name}"))).await.outcome();
        let theirs = &reference["images"][name]["ocr"];
        assert_eq!(status, 200);
        assert_eq!(ours["ocr"]["text"], theirs["ocr"]["text"], "{name}");
        assert_eq!(
            (&ours["imageWidth"], &ours["imageHeight"]),
            (&theirs["imageWidth"], &theirs["imageHeight"])
        );
        close(&numbers(&ours["ocr"]["box"]), &numbers(&theirs["ocr"]["box"]), 0.004);
        close(&numbers(&ours["ocr"]["textScore"]), &numbers(&theirs["ocr"]["textScore"]), 0.01);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faces_and_vectors_are_immichs() {
    let server = server().await;
    let reference = reference("faces_clip.json");
    let theirs = &reference["images"]["t1.jpg"];
    let entries = json!({
        "facial-recognition": {
            "detection": {"modelName": "scrfd_2.5g", "options": {"minScore": 0.7}},
            "recognition": {"modelName": "buffalo_l"}},
        "clip": {"visual": {"modelName": "ViT-B-32__openai"}}});
    let (status, ours) = server.predict(&entries, &fixture("faces/t1.jpg")).await.outcome();
    assert_eq!(status, 200, "{ours}");
    assert!(cosine(&vector(&ours["clip"]), &vector(&theirs["clip"]["clip"])) >= 0.9999);
    let (ours, theirs) = (&ours["facial-recognition"], &theirs["face"]["facial-recognition"]);
    assert_eq!(ours.as_array().unwrap().len(), theirs.as_array().unwrap().len());
    for (ours, theirs) in ours.as_array().unwrap().iter().zip(theirs.as_array().unwrap()) {
        for side in ["x1", "y1", "x2", "y2"] {
            let [ours, theirs] = [ours, theirs].map(|face| face["boundingBox"][side].as_f64().unwrap());
            assert!((ours - theirs).abs() <= 1.0 && ours.fract() == 0.0, "{side}: {ours} is not {theirs}");
        }
        assert!(cosine(&vector(&ours["embedding"]), &vector(&theirs["embedding"])) >= 0.999);
    }

    for (text, theirs) in reference["texts"].as_object().unwrap() {
        let entries = r#"{"clip":{"textual":{"modelName":"ViT-B-32__openai"}}}"#;
        let parts = [Part::Text("entries", entries), Part::Text("text", text)];
        let (status, ours) = server.form("/predict", &[], &parts).await.outcome();
        assert_eq!(status, 200, "{ours}");
        close(&vector(&ours["clip"]), &vector(&theirs["clip"]), 1e-4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mt_photos_routes_are_answered() {
    let server = server().await;
    let key = ["api-key: secret"];
    let picture = fixture("ocr/ch_en_num.jpg");
    let file = [Part::File("file", &picture)];
    let (status, text) = server.form("/ocr", &key, &file).await.outcome();
    let golden: Value = serde_json::from_slice(&fixture("ocr/golden.json")).unwrap();
    assert_eq!(status, 200);
    let texts: Vec<_> = text["result"]["texts"].as_array().unwrap().iter().collect();
    assert!(!texts.is_empty());
    for text in &texts {
        assert!(golden.to_string().contains(text.as_str().unwrap()), "RapidOCR did not read {text}");
    }
    let (status, image) = server.form("/clip/img", &key, &file).await.outcome();
    assert_eq!((status, image["result"].as_array().unwrap().len()), (200, 32));
    let (status, text) = server.post("/clip/txt", &key, r#"{"text":"一只猫"}"#.as_bytes()).await.outcome();
    assert_eq!((status, text["result"].as_array().unwrap().len()), (200, 32));
    assert_eq!(server.post("/restart", &key, b"").await.outcome(), (200, json!({"result": "pass"})));
    assert_eq!(server.form("/ocr", &key, &file).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_too_large_for_mt_photos_are_refused_on_their_header() {
    let server = server().await;
    // A PNG that ends with its header: whoever looks for pixels finds it broken.
    let header = |width: u32| {
        [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", &width.to_be_bytes()[..], b"\0\0\0\x01\x08\x02\0\0\0"].concat()
    };
    for (path, width, too_large) in
        [("/ocr", 10_001, true), ("/ocr", 10_000, false), ("/clip/img", 10_001, false)]
    {
        let header = header(width);
        let response = server.form(path, &["api-key: secret"], &[Part::File("file", &header)]).await;
        let (status, answer) = response.outcome();
        assert_eq!(status, 200);
        assert_eq!(answer["msg"] == "height or width out of range", too_large, "{path} {width}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_no_success() {
    let server = server().await;
    let visual = |model: &str| json!({"clip": {"visual": {"modelName": model}}});
    let known = visual("ViT-B-32__openai");
    let jpeg = fixture("faces/portrait.jpg");
    for (entries, image, status) in [
        (&known, &b"no picture"[..], 422),
        (&known, b"", 400),
        (&known, &jpeg[..20], 422),
        (&visual("nobody-knows"), &jpeg, 404),
        (&visual(OCR), &jpeg, 400),
    ] {
        let response = server.predict(entries, image).await;
        assert_eq!(response.status, status, "{entries}: {}", response.text());
        assert!(response.json()["detail"].is_string());
    }
    let (status, answer) =
        server.form("/ocr", &["api-key: secret"], &[Part::File("file", b"no picture")]).await.outcome();
    assert_eq!((status, &answer["result"]), (200, &json!([])));
    assert!(!answer["msg"].as_str().unwrap().is_empty());
}

#[test]
fn the_default_models_are_in_the_catalogue() {
    let models = config().models;
    for name in [models.ocr, models.clip, models.faces] {
        assert!(engine().store().catalogue().find(&name).is_some(), "{name}");
    }
}
