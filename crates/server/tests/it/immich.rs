//! Immich's protocol: every error, every combination.

use serde_json::{Value, json};
use viewfinder_core::{ErrorCode, PictureTask, ocr};
use viewfinder_server::GatewayConfig;

use crate::support::{FORM, Part, Running, backend, config, form_body, post, read};

fn visual() -> Value {
    json!({"clip": {"visual": {"modelName": "m"}}})
}

#[tokio::test]
async fn greeting_and_ping() {
    let (server, _) = Running::fake().await;
    assert_eq!(server.get("/").await.outcome(), (200, json!({"message": "Immich ML"})));
    let ping = server.get("/ping").await;
    assert_eq!((ping.status, ping.text()), (200, "pong"));
    assert_eq!(ping.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn every_error_has_its_status() {
    let (server, _) = Running::fake().await;
    let entries = visual().to_string();
    let image = Part::File("image", b"jpeg");
    let missing = json!({"detail": [
        {"type": "missing", "loc": ["body", "entries"], "msg": "Field required", "input": null}]});
    let invalid = json!({"detail": "Invalid request format."});

    let cases: &[(&[Part<'_>], u16, Value)] = &[
        (&[Part::File("image", b"jpeg")], 422, missing.clone()),
        (&[Part::Text("entries", ""), image], 422, missing.clone()),
        (&[], 422, missing.clone()),
        (&[Part::Text("entries", "{"), Part::File("image", b"jpeg")], 422, invalid.clone()),
        (&[Part::Text("entries", "[]"), Part::Text("text", "x")], 422, invalid.clone()),
        (
            &[Part::Text("entries", r#"{"clip":{"visual":{}}}"#), Part::File("image", b"jpeg")],
            422,
            invalid.clone(),
        ),
        (
            &[
                Part::Text("entries", r#"{"clip":{"visual":{"modelName":"m","options":null}}}"#),
                Part::File("image", b"jpeg"),
            ],
            422,
            invalid,
        ),
        (&[Part::Text("entries", &entries)], 400, json!({"detail": "Either image or text must be provided"})),
        (
            &[Part::Text("entries", &entries), Part::Text("text", "")],
            400,
            json!({"detail": "Either image or text must be provided"}),
        ),
        (
            &[
                Part::Text("entries", r#"{"ocr":{"recognition":{"modelName":"PP-OCRv5_mobile"}}}"#),
                Part::File("image", b"jpeg"),
            ],
            400,
            json!({"detail": "Task ocr of type recognition depends on output of (detection, ocr)"}),
        ),
        (
            &[
                Part::Text("entries", r#"{"clip":{"detection":{"modelName":"m"}}}"#),
                Part::File("image", b"jpeg"),
            ],
            400,
            json!({"detail": "Task clip of type detection is not supported"}),
        ),
        (
            &[Part::Text("entries", &entries), Part::Text("text", "cat")],
            400,
            json!({"detail": "The request asks about an image but carries only text"}),
        ),
        (
            &[
                Part::Text("entries", r#"{"clip":{"textual":{"modelName":"m"}}}"#),
                Part::File("image", b"jpeg"),
            ],
            400,
            json!({"detail": "The request asks about a text but carries an image"}),
        ),
    ];
    for (parts, status, body) in cases {
        assert_eq!(server.form("/predict", &[], parts).await.outcome(), (*status, body.clone()));
    }
}

#[tokio::test]
async fn engine_errors_keep_their_status_and_503_says_when_to_return() {
    let (server, fake) = Running::fake().await;
    for code in ErrorCode::ALL {
        fake.fail(*code);
        let response = server.predict(&visual(), b"jpeg").await;
        let expected = json!({"detail": format!("it is {}", code.as_str())});
        assert_eq!(response.outcome(), (code.http_status(), expected), "{code:?}");
        assert_eq!(response.header("retry-after").is_some(), code.http_status() == 503, "{code:?}");
        let textual = r#"{"clip":{"textual":{"modelName":"m"}}}"#;
        let parts = [Part::Text("entries", textual), Part::Text("text", "cat")];
        assert_eq!(server.form("/predict", &[], &parts).await.status, code.http_status());
    }
}

#[tokio::test]
async fn vectors_that_the_database_would_refuse_are_errors() {
    let (server, fake) = Running::fake().await;
    fake.contents.lock().unwrap().vector = vec![f32::NAN; 512];
    assert_eq!(server.predict(&visual(), b"jpeg").await.status, 500);
    let faces =
        json!({"facial-recognition": {"detection": {"modelName": "m"}, "recognition": {"modelName": "m"}}});
    assert_eq!(server.predict(&faces, b"jpeg").await.status, 500);
}

#[tokio::test]
async fn several_tasks_over_one_picture() {
    let (server, fake) = Running::fake().await;
    let entries = json!({
        "clip": {"visual": {"modelName": "c"}},
        "facial-recognition": {"detection": {"modelName": "f"}, "recognition": {"modelName": "g"}},
        "ocr": {"detection": {"modelName": "o", "options": {"scoreMode": "slow", "maxResolution": 99}},
                "recognition": {"modelName": "p", "options": {"minScore": 0.25}}},
    });
    let (status, answer) = server.predict(&entries, b"jpeg").await.outcome();
    assert_eq!(status, 200);
    let keys: Vec<_> = answer.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["clip", "facial-recognition", "imageHeight", "imageWidth", "ocr"]);
    assert_eq!((&answer["imageWidth"], &answer["imageHeight"]), (&json!(640), &json!(480)));
    assert_eq!(fake.pictures.lock().unwrap().len(), 1, "decoded once");
    let options = ocr::Options { score_mode: ocr::ScoreMode::Slow, ..ocr::Options::immich(0.5, 0.25, 99) };
    assert_eq!(
        fake.last_picture().tasks,
        [
            PictureTask::Embed { model: "c".into() },
            PictureTask::Faces { detection: "f".into(), recognition: "g".into(), min_score: 0.7 },
            PictureTask::Text { detection: "o".into(), recognition: "p".into(), options },
        ]
    );
    assert_eq!(&fake.last_picture().bytes[..], b"jpeg");
}

#[tokio::test]
async fn detection_alone() {
    let (server, fake) = Running::fake().await;
    let (status, answer) = server
        .predict(
            &json!({"facial-recognition": {"detection": {"modelName": "f", "options": {"minScore": 0.3}}},
                    "ocr": {"detection": {"modelName": "o"}}}),
            b"jpeg",
        )
        .await
        .outcome();
    assert_eq!(status, 200);
    assert_eq!(answer["facial-recognition"]["boxes"], json!([[-4.0, 10.0, 61.0, 100.0]]));
    assert_eq!(answer["facial-recognition"]["scores"], json!([0.875]));
    assert_eq!(answer["facial-recognition"]["landmarks"][0].as_array().unwrap().len(), 5);
    assert_eq!(answer["ocr"]["boxes"][0][1], json!([110.0, 10.0]));
    assert_eq!(answer["ocr"]["scores"], json!([0.75]));
    assert_eq!(
        fake.last_picture().tasks,
        [
            PictureTask::FaceRegions { detection: "f".into(), min_score: 0.3 },
            PictureTask::TextRegions {
                detection: "o".into(),
                options: ocr::Options { recognition_min_score: 0.8, ..ocr::Options::immich(0.5, 0.8, 736) }
            },
        ]
    );
}

#[tokio::test]
async fn image_wins_over_text_and_the_fitting_clip_half_answers() {
    let (server, fake) = Running::fake().await;
    let both = json!({"clip": {"visual": {"modelName": "v"}, "textual": {"modelName": "t"}}}).to_string();
    let parts = [Part::Text("text", "cat"), Part::File("image", b"jpeg"), Part::Text("entries", &both)];
    let (status, answer) = server.form("/predict", &[], &parts).await.outcome();
    assert_eq!((status, &answer["imageWidth"]), (200, &json!(640)));
    assert!(fake.sentences.lock().unwrap().is_empty());
    let parts = [Part::Text("entries", &both), Part::Text("text", "cat")];
    let (status, answer) = server.form("/predict", &[], &parts).await.outcome();
    assert_eq!((status, answer.as_object().unwrap().len()), (200, 1));
    assert_eq!(fake.sentences.lock().unwrap()[0].model, "t");
}

#[tokio::test]
async fn a_request_for_nothing_tells_the_size() {
    let (server, _) = Running::fake().await;
    assert_eq!(
        server.predict(&json!({}), b"jpeg").await.outcome(),
        (200, json!({"imageHeight": 480, "imageWidth": 640}))
    );
}

#[tokio::test]
async fn the_forked_immichs_request_has_the_forked_immichs_answer() {
    let (server, fake) = Running::fake().await;
    let answer =
        server.predict(&json!({"ocr": {"recognition": {"modelName": "ocr"}}}), b"jpeg").await.outcome();
    let corners = json!({"x1": 12.35, "y1": 10.0, "x2": 112.5, "y2": 48.25});
    let expected = json!({
        "ocr": "发票 TOTAL <b>9.90</b>",
        "result": {
            "texts": ["发票", "TOTAL <b>9.90</b>"],
            "scores": ["0.99", "1.00"],
            "boxes": [corners.clone(), corners],
        },
        "imageHeight": 480, "imageWidth": 640,
    });
    assert_eq!(answer, (200, expected));
    let model = config().models.ocr;
    assert_eq!(
        fake.last_picture().tasks,
        [PictureTask::Text {
            detection: model.clone(),
            recognition: model,
            options: ocr::Options::rapidocr()
        }]
    );
}

#[tokio::test]
async fn the_ocr_profile_is_configurable_and_thresholds_stay_the_requests() {
    let mut config: GatewayConfig = config();
    config.profiles.immich = ocr::Profile::Viewfinder;
    let fake = std::sync::Arc::new(backend());
    let server = Running::start(config, fake.clone()).await;
    let entries = json!({"ocr": {"detection": {"modelName": "o", "options": {"minScore": 0.4}},
                                 "recognition": {"modelName": "o", "options": {"minScore": 0.3}}}});
    assert_eq!(server.predict(&entries, b"jpeg").await.status, 200);
    let options = ocr::Options {
        detection_min_score: 0.4,
        recognition_min_score: 0.3,
        max_resolution: 736,
        ..ocr::Options::viewfinder()
    };
    assert_eq!(
        fake.last_picture().tasks,
        [PictureTask::Text { detection: "o".into(), recognition: "o".into(), options }]
    );
}

#[tokio::test]
async fn forms_in_every_state() {
    let (server, fake) = Running::fake().await;
    let entries = visual().to_string();
    let parts = [Part::Text("entries", &entries), Part::File("image", b"")];
    // An empty file is a picture that cannot be read, not an absent one.
    assert_eq!(server.form("/predict", &[], &parts).await.status, 200);
    assert!(fake.last_picture().bytes.is_empty());

    let good = form_body(&[Part::Text("entries", &entries), Part::File("image", b"jpeg")]);
    let unparseable = (400, json!({"detail": "There was an error parsing the body"}));
    for length in [0, 1, 30, good.len() / 2, good.len() - 5] {
        assert_eq!(server.post("/predict", &[FORM], &good[..length]).await.outcome(), unparseable);
    }
    let no_boundary = server.post("/predict", &["content-type: multipart/form-data"], &good).await;
    assert_eq!(no_boundary.outcome(), (400, json!({"detail": "Missing boundary in multipart."})));
    for headers in
        [&[][..], &["content-type: application/json"], &["content-type: application/x-www-form-urlencoded"]]
    {
        assert_eq!(server.post("/predict", headers, &good).await.status, 422);
    }
    let huge = "x".repeat((1 << 20) + 1);
    let parts = [Part::Text("entries", &huge), Part::File("image", b"jpeg")];
    assert_eq!(
        server.form("/predict", &[], &parts).await.outcome(),
        (400, json!({"detail": "Part exceeded maximum size of 1024KB."}))
    );
    let body = [
        &b"------b0undary\r\nContent-Disposition: form-data; name=\"entries\"\r\n\r\n\xff\xfe\r\n"[..],
        b"------b0undary--",
    ]
    .concat();
    assert_eq!(server.post("/predict", &[FORM], &body).await.status, 422);
    assert_eq!(fake.pictures.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn chunked_bodies() {
    use tokio::io::AsyncWriteExt;
    let (server, fake) = Running::fake().await;
    let image = vec![7_u8; 300_000];
    let body = form_body(&[Part::File("image", &image), Part::Text("entries", &visual().to_string())]);
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /predict HTTP/1.1\r\nhost: x\r\n{FORM}\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for chunk in body.chunks(70_001) {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.unwrap();
        stream.write_all(chunk).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(read(&mut stream).await.status, 200);
    assert_eq!(fake.last_picture().bytes, image);
}

#[tokio::test]
async fn methods_and_paths() {
    let (server, _) = Running::fake().await;
    let get = server.get("/predict").await;
    assert_eq!(get.outcome(), (405, json!({"detail": "Method Not Allowed"})));
    assert_eq!(get.header("allow"), Some("POST"));
    assert_eq!(server.get("/nothing").await.outcome(), (404, json!({"detail": "Not Found"})));
    assert_eq!(server.get("//evil.example/").await.status, 404);
    for (path, location) in
        [("/ping/", "/ping"), ("/predict/?a=b", "/predict?a=b"), ("/clip/img/", "/clip/img")]
    {
        let response = server.send(&post(path, &[], b"")).await;
        assert_eq!((response.status, response.header("location")), (307, Some(location)));
    }
}

#[tokio::test]
async fn a_file_of_entries_is_no_longer_than_a_field() {
    let (server, fake) = Running::fake().await;
    let wide = format!("{{\"clip\":{{\"visual\":{{\"modelName\":\"m\"{}}}}}}}", ",\"a\":{}".repeat(200_000));
    for part in [Part::Text("entries", &wide), Part::File("entries", wide.as_bytes())] {
        let answer = server.form("/predict", &[], &[part, Part::File("image", b"jpeg")]).await;
        assert_eq!(
            (answer.status, answer.json()),
            (400, json!({"detail": "Part exceeded maximum size of 1024KB."}))
        );
    }
    assert!(fake.pictures.lock().unwrap().is_empty());
}
