//! The ledger of what failed for good.

use std::sync::Arc;

use serde_json::{Value, json};
use viewfinder_core::{ErrorCode, TaskError};
use viewfinder_server::ledger::LedgerConfig;

use crate::support::{Part, Running, backend, config, lack};

async fn failures(server: &Running) -> Vec<Value> {
    let (status, answer) = server.get("/api/failures").await.outcome();
    assert_eq!(status, 200);
    answer["failures"].as_array().unwrap().clone()
}

fn visual() -> Value {
    json!({"clip": {"visual": {"modelName": "ViT-B-32__openai"}}})
}

#[tokio::test]
async fn every_protocols_pictures_are_in_it() {
    let (server, fake) = Running::fake().await;
    assert_eq!(failures(&server).await, [] as [Value; 0]);
    fake.fail(ErrorCode::ImageUndecodable);
    server.predict(&visual(), b"one").await;
    server.form("/ocr", &["api-key: secret"], &[Part::File("file", b"two")]).await;
    server.form("/api/analyze", &[], &[Part::File("image", b"three")]).await;
    let failures = failures(&server).await;
    let told: Vec<_> = failures
        .iter()
        .map(|entry| (entry["task"].as_str().unwrap(), entry["bytes"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("facial-recognition", 5), ("ocr", 5), ("ocr", 3), ("clip.visual", 3)]);
    let entry = failures.last().unwrap();
    // Of `one`, as sha256sum prints it.
    assert_eq!(entry["sha256"], "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed");
    assert_eq!(entry["model"], "ViT-B-32__openai");
    assert_eq!((&entry["code"], &entry["engine"]), (&json!("image_undecodable"), &json!("local")));
    assert_eq!(entry["message"], "it is image_undecodable");
    assert_eq!(entry["first"], entry["last"]);
}

#[tokio::test]
async fn only_what_asking_again_cannot_help() {
    let (server, fake) = Running::fake().await;
    for code in ErrorCode::ALL {
        fake.fail(*code);
        server.predict(&visual(), b"jpeg").await;
    }
    let mut codes: Vec<_> =
        failures(&server).await.iter().map(|entry| entry["code"].as_str().unwrap().to_owned()).collect();
    codes.reverse();
    let expected: Vec<_> =
        ErrorCode::ALL.iter().filter(|code| !code.retryable()).map(|code| code.as_str()).collect();
    assert_eq!(codes, expected);
}

#[tokio::test]
async fn requests_without_a_picture_and_sentences_are_not_in_it() {
    let (server, fake) = Running::fake().await;
    fake.fail(ErrorCode::ModelUnknown);
    let entries = r#"{"clip":{"textual":{"modelName":"m"}}}"#;
    for parts in [
        &[Part::Text("entries", "{}")][..],
        &[Part::Text("entries", entries), Part::File("image", b"jpeg")],
        &[Part::Text("entries", entries), Part::Text("text", "a cat")],
        &[Part::Text("entries", "nonsense"), Part::File("image", b"jpeg")],
    ] {
        assert!(server.form("/predict", &[], parts).await.status >= 400);
    }
    assert_eq!(failures(&server).await, [] as [Value; 0]);
}

#[tokio::test]
async fn repeats_are_counted_and_one_failed_task_of_several_is_told() {
    let (server, fake) = Running::fake().await;
    let models = config().models;
    lack(&fake, &models.faces, ErrorCode::ModelUnavailable);
    // Its code can be helped by asking again, so it is not for the ledger.
    server.form("/api/analyze", &[], &[Part::File("image", b"jpeg")]).await;
    assert_eq!(failures(&server).await, [] as [Value; 0]);
    lack(&fake, &models.faces, ErrorCode::ModelBroken);
    for _ in 0..3 {
        server.form("/api/analyze", &[], &[Part::File("image", b"jpeg")]).await;
    }
    let [entry] = &failures(&server).await[..] else { panic!("one entry") };
    assert_eq!((&entry["task"], &entry["count"]), (&json!("facial-recognition"), &json!(3)));
    assert_eq!(entry["model"], models.faces);

    server.form("/api/analyze", &[], &[Part::File("image", b"another")]).await;
    let (status, answer) = server.get("/api/failures?limit=1").await.outcome();
    assert_eq!((status, &answer["entries"], &answer["capacity"]), (200, &json!(2), &json!(1000)));
    assert_eq!(answer["failures"].as_array().unwrap().len(), 1);
    assert_eq!(answer["failures"][0]["bytes"], 7);
    let refused = server.get("/api/failures?limit=many").await.outcome();
    assert_eq!((refused.0, &refused.1["error"]["code"]), (400, &json!("request_malformed")));
}

#[tokio::test]
async fn it_outlives_the_server_and_names_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let file = Some(folder.path().join("failures.jsonl"));
    let mut config = config();
    config.failures = LedgerConfig { capacity: 2, file };
    let fake = Arc::new(backend());
    let mut server = Running::start(config.clone(), fake.clone()).await;
    fake.fail_with(TaskError {
        node: Some("attic".into()),
        ..TaskError::new(ErrorCode::NodeRefused, "no\nway")
    });
    for picture in [b"one", b"two", b"six"] {
        server.predict(&visual(), picture).await;
    }
    let before = failures(&server).await;
    assert_eq!((before.len(), &before[0]["engine"]), (2, &json!("attic")));
    assert_eq!(before[0]["message"], "no way");
    server.ask_to_stop();
    assert!(server.stopped().await);
    let again = Running::start(config, fake).await;
    assert_eq!(failures(&again).await, before);
    // Counters are the process's, which other tests share.
    let metrics = again.get("/metrics").await;
    let start = r#"viewfinder_failures_total{task="clip.visual",code="node_refused"} "#;
    let count = metrics.text().lines().find_map(|line| line.strip_prefix(start)).unwrap();
    assert!(count.parse::<f64>().unwrap() >= 3.0, "{count}");
}
