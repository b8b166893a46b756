//! Our own routes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use viewfinder_core::ErrorCode;
use viewfinder_server::ROUTES;

use crate::support::{Part, Running, config, lack};

#[tokio::test]
async fn health_says_ready_or_why_not() {
    let (server, fake) = Running::fake().await;
    let (status, health) = server.get("/health").await.outcome();
    assert_eq!((status, &health["ready"], &health["why"]), (200, &json!(true), &Value::Null));
    assert_eq!(health["queues"], json!({"pictures": 3, "sentences": 1}));
    assert_eq!(health["models"][0]["name"], "PP-OCRv6_small");
    assert_eq!(health["provider"], "cpu");
    fake.status.lock().unwrap().ready = Err("libonnxruntime is missing".into());
    let response = server.get("/health").await;
    assert!(response.header("retry-after").is_some());
    let (status, health) = response.outcome();
    assert_eq!((status, &health["ready"]), (503, &json!(false)));
    assert_eq!(health["why"], "libonnxruntime is missing");
}

#[tokio::test]
async fn metrics_count_what_happens() {
    let (server, fake) = Running::fake().await;
    // Counters are the process's, which other tests share; these labels are this test's own.
    fake.fail(ErrorCode::ModelBroken);
    for _ in 0..3 {
        server.form("/represent", &["api-key: secret"], &[Part::File("file", b"jpeg")]).await;
    }
    let response = server.get("/metrics").await;
    assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = response.text();
    let value = |start: &str| -> f64 {
        let line = text
            .lines()
            .find(|line| line.starts_with(start))
            .unwrap_or_else(|| panic!("no {start} in\n{text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(
        value(
            r#"viewfinder_tasks_total{protocol="mt-photos",task="facial-recognition",outcome="model_broken"}"#
        ) >= 3.0
    );
    assert!(value(r#"viewfinder_task_seconds_count{protocol="mt-photos",task="facial-recognition"}"#) >= 3.0);
    assert!(
        value(r#"viewfinder_task_seconds_bucket{protocol="mt-photos",task="facial-recognition",le="+Inf"}"#)
            >= 3.0
    );
    assert!(value(r#"viewfinder_http_requests_total{route="/represent",status="500"}"#) >= 3.0);
    assert_eq!(value(r#"viewfinder_queued_jobs{kind="picture"}"#), 3.0);
    assert_eq!(value("viewfinder_running_jobs "), 2.0);
    assert_eq!(value("viewfinder_loaded_networks "), 1.0);
    assert!(value("viewfinder_http_requests_in_flight ") >= 1.0);
    assert!(value("viewfinder_received_bytes_total ") > 100.0);
    #[cfg(target_os = "linux")]
    assert!(value("process_resident_memory_bytes ") > 1e6);
}

#[tokio::test]
async fn the_interface_description_and_the_routes_agree() {
    let (server, _) = Running::fake().await;
    let (_, document) = server.get("/api/openapi.json").await.outcome();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    let routed: BTreeSet<_> =
        ROUTES.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(described, routed);
    for (method, path) in ROUTES.iter() {
        let other = if *method == "GET" { "DELETE" } else { "GET" };
        let request =
            |method: &str| format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
        let answer = server.send(request(method).as_bytes()).await;
        assert!(!matches!(answer.status, 404 | 405), "{method} {path}: {}", answer.status);
        assert!(
            !document["paths"][path][method.to_lowercase()]["responses"][answer.status.to_string()].is_null(),
            "{method} {path} answers {}, which is not described",
            answer.status
        );
        assert_eq!(server.send(request(other).as_bytes()).await.status, 405, "{other} {path}");
    }
    let codes: BTreeSet<_> = document["components"]["schemas"]["Code"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    for code in ErrorCode::ALL {
        assert!(codes.contains(code.as_str()), "{code:?} is not described");
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_interface_description_says_all_that_it_ever_said() {
    let (server, _) = Running::fake().await;
    let (_, document) = server.get("/api/openapi.json").await.outcome();
    let golden: Value = serde_json::from_str(include_str!("../golden/openapi.json")).unwrap();
    let unsaid = viewfinder_test_support::openapi::unsaid(&golden, &document);
    assert!(unsaid.is_empty(), "{}", unsaid.join("\n"));
}

#[tokio::test]
async fn browsers_get_a_page_that_may_run_nothing_foreign() {
    let (server, _) = Running::fake().await;
    let page = server
        .send(b"GET / HTTP/1.1\r\nhost: x\r\naccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\r\n")
        .await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("vary"), Some("accept"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none';") && !policy.contains("unsafe") && !policy.contains("http")
    );
    for (path, kind) in
        [("/ui/style.css", "text/css; charset=utf-8"), ("/ui/script.js", "text/javascript; charset=utf-8")]
    {
        assert!(page.text().contains(path));
        let asset = server.get(path).await;
        assert_eq!((asset.status, asset.header("content-type")), (200, Some(kind)));
        assert!(!asset.text().contains("innerHTML"));
    }
}

#[tokio::test]
async fn analysis() {
    let (server, fake) = Running::fake().await;
    let parts = [
        Part::File("image", b"jpeg"),
        Part::Text("sentence", "a cat"),
        Part::Text("sentence", " "),
        Part::Text("sentence", "猫"),
    ];
    let (status, answer) = server.form("/api/analyze", &[], &parts).await.outcome();
    assert_eq!(status, 200);
    assert_eq!((&answer["width"], &answer["height"]), (&json!(640), &json!(480)));
    assert_eq!(answer["lines"][0]["text"], "发票");
    assert_eq!(answer["lines"][0]["box"][1], json!([110.0, 10.0]));
    assert_eq!(answer["faces"][0]["box"], json!([-3.5, 10.25, 60.75, 99.5]));
    assert_eq!(answer["similarities"][1]["text"], "猫");
    assert!((answer["similarities"][0]["score"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert_eq!(answer["problems"], json!({}));
    assert!(fake.last_picture().decode.orient);
    assert_eq!(fake.pictures.lock().unwrap().len(), 1, "the picture is decoded once");

    let without = server.form("/api/analyze", &[], &[Part::File("image", b"jpeg")]).await.outcome();
    assert_eq!((without.0, &without.1["similarities"]), (200, &json!([])));
    assert_eq!(fake.sentences.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn an_analysis_without_a_model_keeps_the_other_parts() {
    let (server, fake) = Running::fake().await;
    let parts = [Part::File("image", b"jpeg"), Part::Text("sentence", "a cat")];
    let models = config().models;
    for (missing, part, others) in [
        (models.faces, "faces", ["lines", "similarities"]),
        (models.clip, "similarities", ["lines", "faces"]),
    ] {
        lack(&fake, &missing, ErrorCode::ModelUnavailable);
        let (status, answer) = server.form("/api/analyze", &[], &parts).await.outcome();
        assert_eq!((status, &answer["width"], &answer[part]), (200, &json!(640), &json!([])));
        let problems: Vec<&str> =
            answer["problems"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((problems, &answer["problems"][part]["code"]), (vec![part], &json!("model_unavailable")));
        assert!(others.iter().all(|other| !answer[other].as_array().unwrap().is_empty()), "{answer}");
    }
}

#[tokio::test]
async fn analysis_errors_have_our_shape() {
    let (server, fake) = Running::fake().await;
    let missing = server.form("/api/analyze", &[], &[Part::Text("sentence", "x")]).await.outcome();
    assert_eq!(
        missing,
        (
            400,
            json!({"error": {"code": "request_malformed", "message": "part \"image\" is missing", "fault": "caller", "retryable": false}})
        )
    );
    let mut many = vec![Part::File("image", b"jpeg")];
    many.extend((0..17).map(|_| Part::Text("sentence", "x")));
    assert_eq!(server.form("/api/analyze", &[], &many).await.status, 400);
    for code in ErrorCode::ALL {
        fake.fail(*code);
        let response = server.form("/api/analyze", &[], &[Part::File("image", b"jpeg")]).await;
        let expected = json!({"error": {
            "code": code.as_str(),
            "message": format!("it is {}", code.as_str()),
            "fault": code.fault(),
            "retryable": code.retryable(),
        }});
        assert_eq!(response.outcome(), (code.http_status(), expected));
        assert_eq!(response.header("retry-after").is_some(), code.http_status() == 503);
    }
}

#[tokio::test]
async fn requests_have_ids() {
    let (server, _) = Running::fake().await;
    let with = |id: &str| format!("GET /ping HTTP/1.1\r\nhost: x\r\nx-request-id: {id}\r\n\r\n");
    let own = server.send(with("job-17:a").as_bytes()).await;
    assert_eq!(own.header("x-request-id"), Some("job-17:a"));
    let first = server.get("/ping").await;
    let second = server.get("/nothing").await;
    let unfit = server.send(with("<a b>").as_bytes()).await;
    let ids: BTreeSet<_> =
        [&first, &second, &unfit].map(|response| response.header("x-request-id").unwrap().to_owned()).into();
    assert_eq!(ids.len(), 3);
    assert!(!ids.contains("<a b>"));
}
