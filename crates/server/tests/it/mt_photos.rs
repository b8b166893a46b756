//! MT Photos' protocol: the table of answers, the formats, the key.

use std::sync::atomic::Ordering;
use viewfinder_core::{ErrorCode, PictureTask, ocr};

use serde_json::{Value, json};

use crate::support::{FORM, Part, Response, Running, config};

const KEY: &str = "api-key: secret";

const KEYED: [&str; 7] =
    ["/check", "/ocr", "/clip/img", "/clip/txt", "/represent", "/restart", "/restart_v2"];
const PICTURES: [&str; 3] = ["/ocr", "/clip/img", "/represent"];

async fn picture(server: &Running, path: &str) -> Response {
    server.form(path, &[KEY], &[Part::File("file", b"jpeg")]).await
}

#[tokio::test]
async fn the_key_is_asked_for_everywhere() {
    let (server, fake) = Running::fake().await;
    let missing = json!({"detail": [
        {"type": "missing", "loc": ["header", "api-key"], "msg": "Field required", "input": null}]});
    for path in KEYED {
        let parts = [Part::File("file", b"jpeg")];
        assert_eq!(server.form(path, &[], &parts).await.outcome(), (422, missing.clone()), "{path}");
        let underscore = server.form(path, &["api_key: secret"], &parts).await;
        assert_eq!(underscore.status, 422, "{path}");
        for wrong in ["api-key: Secret", "api-key: secre", "api-key: secrets", "api-key: "] {
            let response = server.form(path, &[wrong], &parts).await;
            assert_eq!(response.outcome(), (401, json!({"detail": "Invalid API key"})), "{path} {wrong}");
        }
        // The wrong key wins over a missing file.
        assert_eq!(server.post(path, &["api-key: no"], b"").await.status, 401);
    }
    assert!(fake.pictures.lock().unwrap().is_empty());
    assert_eq!(fake.unloads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn whoever_guesses_the_key_is_told_to_wait_and_the_right_one_goes_on() {
    let (server, _) = Running::fake().await;
    let show = async |key: &str| server.post("/check", &[&format!("api-key: {key}")], b"").await;
    for guess in 0..10 {
        assert_eq!(show(&guess.to_string()).await.status, 401);
    }
    let told = show("another").await;
    assert_eq!((told.status, told.header("x-viewfinder-code")), (429, Some("too_many_tries")));
    assert_eq!(show("secret").await.status, 200);
}

#[tokio::test]
async fn check_and_restart() {
    let (server, fake) = Running::fake().await;
    let check = server.post("/check", &[KEY], b"").await;
    assert_eq!(
        check.text(),
        r#"{"result":"pass","title":"mt-photos-ai服务","help":"https://mtmt.tech/docs/advanced/ocr_api","env_use_dml":false}"#
    );
    for path in ["/restart", "/restart_v2"] {
        assert_eq!(server.post(path, &[KEY], b"").await.outcome(), (200, json!({"result": "pass"})));
    }
    assert_eq!(fake.unloads.load(Ordering::SeqCst), 2);
    assert_eq!(picture(&server, "/ocr").await.status, 200, "it keeps serving");
    let (status, face) = server.get("/face/check").await.outcome();
    assert_eq!(
        (status, &face["detector_backend"], &face["recognition_model"]),
        (200, &json!("insightface"), &json!("buffalo_l"))
    );
}

#[tokio::test]
async fn text() {
    let (server, fake) = Running::fake().await;
    let response = picture(&server, "/ocr").await;
    let text_box = r#"{"x":"12.35","y":"10.0","width":"100.15","height":"38.25"}"#;
    assert_eq!(
        response.text(),
        format!(
            r#"{{"result":{{"texts":["发票","TOTAL <b>9.90</b>"],"scores":["0.99","1.00"],"boxes":[{text_box},{text_box}]}}}}"#
        )
    );
    let request = fake.last_picture();
    assert!(request.decode.orient);
    let model = config().models.ocr;
    assert_eq!(
        request.tasks,
        [PictureTask::Text {
            detection: model.clone(),
            recognition: model,
            options: ocr::Options::rapidocr()
        }]
    );
}

#[tokio::test]
async fn vectors() {
    let (server, fake) = Running::fake().await;
    fake.contents.lock().unwrap().vector = vec![0.330_591_92, -1.5];
    let expected = json!({"result": ["0.3305919170379639", "-1.5000000000000000"]});
    assert_eq!(picture(&server, "/clip/img").await.outcome(), (200, expected.clone()));
    let body = json!({"text": "一只猫"}).to_string();
    for headers in [&[KEY, "content-type: application/json"][..], &[KEY]] {
        assert_eq!(
            server.post("/clip/txt", headers, body.as_bytes()).await.outcome(),
            (200, expected.clone())
        );
    }
    let sentences = fake.sentences.lock().unwrap();
    assert_eq!((&sentences[0].text[..], &sentences[0].model), ("一只猫", &config().models.clip));
}

#[tokio::test]
async fn faces() {
    let (server, fake) = Running::fake().await;
    fake.contents.lock().unwrap().vector = vec![3.0, 4.0];
    assert_eq!(
        picture(&server, "/represent").await.text(),
        concat!(
            r#"{"detector_backend":"insightface","recognition_model":"buffalo_l","result":[{"embedding":"#,
            r#"[0.6000000238418579,0.800000011920929],"facial_area":{"x":-3,"y":10,"w":64,"h":89},"face_confidence":0.875}]}"#
        )
    );
    let pack = "buffalo_l".to_owned();
    assert_eq!(
        fake.last_picture().tasks,
        [PictureTask::Faces { detection: pack.clone(), recognition: pack, min_score: 0.65 }]
    );
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let (server, _) = Running::fake().await;
    let detail = |kind: &str, place: Value, message: &str, input: Value| json!({"detail": [{"type": kind, "loc": place, "msg": message, "input": input}]});
    let no_file = detail("missing", json!(["body", "file"]), "Field required", Value::Null);
    for path in PICTURES {
        let other = [Part::File("image", b"jpeg")];
        assert_eq!(server.form(path, &[KEY], &other).await.outcome(), (422, no_file.clone()));
        assert_eq!(server.post(path, &[KEY], b"").await.outcome(), (422, no_file.clone()));
        let text = server.form(path, &[KEY], &[Part::Text("file", "jpeg")]).await;
        assert_eq!((text.status, &text.json()["detail"][0]["loc"]), (422, &json!(["body", "file"])));
        assert_eq!(server.post(path, &[KEY, FORM], b"garbage").await.status, 400);
    }
    let cases = [
        ("", detail("missing", json!(["body"]), "Field required", Value::Null)),
        (
            "[1]",
            detail(
                "model_attributes_type",
                json!(["body"]),
                "Input should be a valid dictionary or object to extract fields from",
                json!([1]),
            ),
        ),
        (r#"{"txt":1}"#, detail("missing", json!(["body", "text"]), "Field required", json!({"txt": 1}))),
        (
            r#"{"text":5}"#,
            detail("string_type", json!(["body", "text"]), "Input should be a valid string", json!(5)),
        ),
        (
            r#"{"text":null}"#,
            detail("string_type", json!(["body", "text"]), "Input should be a valid string", Value::Null),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(
            server.post("/clip/txt", &[KEY], body.as_bytes()).await.outcome(),
            (422, expected),
            "{body}"
        );
    }
    let (status, broken) = server.post("/clip/txt", &[KEY], "{\n\"猫\": x}".as_bytes()).await.outcome();
    assert_eq!((status, &broken["detail"][0]["type"]), (422, &json!("json_invalid")));
    assert_eq!(broken["detail"][0]["loc"], json!(["body", 7]));
}

#[tokio::test]
async fn what_is_sent_too_long_is_neither_read_nor_told_in_full() {
    let (server, _) = Running::fake().await;
    let book = json!({"text": "x".repeat(64 << 10)}).to_string();
    assert_eq!(server.post("/clip/txt", &[KEY], book.as_bytes()).await.status, 413);
    let told = server.form("/ocr", &[KEY], &[Part::Text("file", &"猫".repeat(1000))]).await;
    assert_eq!((told.status, told.json()["detail"][0]["input"].clone()), (422, json!("猫".repeat(256))));
}

#[tokio::test]
async fn pictures_at_fault_are_told_with_200_and_our_own_trouble_is_not() {
    let (server, fake) = Running::fake().await;
    for code in ErrorCode::ALL {
        fake.fail(*code);
        for path in PICTURES {
            let response = picture(&server, path).await;
            match code {
                ErrorCode::ImageTooLarge => {
                    let body = json!({"result": [], "msg": "height or width out of range"});
                    assert_eq!(response.outcome(), (200, body));
                }
                ErrorCode::ImageEmpty
                | ErrorCode::ImageUndecodable
                | ErrorCode::ImageZeroSize
                | ErrorCode::DecoderMissing => {
                    let body = json!({"result": [], "msg": format!("it is {}", code.as_str())});
                    assert_eq!(response.outcome(), (200, body));
                }
                _ => crash(&response, *code),
            }
        }
        crash(&server.post("/clip/txt", &[KEY], br#"{"text":"x"}"#).await, *code);
    }
}

#[track_caller]
fn crash(response: &Response, code: ErrorCode) {
    let status = code.http_status();
    if matches!(status, 413 | 503) {
        assert_eq!(response.outcome(), (status, json!({"detail": format!("it is {}", code.as_str())})));
        assert_eq!(response.header("retry-after").is_some(), status == 503);
    } else {
        assert_eq!((response.status, response.text()), (500, "Internal Server Error"), "{code:?}");
        assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    }
}

#[tokio::test]
async fn pictures_beyond_ten_thousand_pixels_a_side() {
    let (server, fake) = Running::fake().await;
    fake.contents.lock().unwrap().size = [10_001, 40];
    let refused = (200, json!({"result": [], "msg": "height or width out of range"}));
    assert_eq!(picture(&server, "/ocr").await.outcome(), refused);
    assert_eq!(picture(&server, "/represent").await.outcome(), refused);
    assert_ne!(picture(&server, "/clip/img").await.outcome(), refused);
    fake.contents.lock().unwrap().size = [10_000, 10_000];
    assert_ne!(picture(&server, "/ocr").await.outcome(), refused);
}
