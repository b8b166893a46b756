//! Which models strangers may have fetched.
use serde_json::{Value, json};

use crate::serve::{Server, exchange};
use crate::support::Run;

/// Immich's question for the vector of a sentence.
fn predict(server: &Server, model: &str) -> (u16, Value) {
    let entries = json!({"clip": {"textual": {"modelName": model}}});
    let mut body = String::new();
    for (name, text) in [("entries", entries.to_string().as_str()), ("text", "a dog")] {
        body.push_str(&format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n"));
    }
    body.push_str("--x--\r\n");
    let head = "POST /predict HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\n";
    let (status, answer) = exchange(server.address, head, body.as_bytes());
    (status, serde_json::from_slice(&answer).unwrap())
}

#[test]
fn an_unknown_model_is_not_fetched_for_a_request_and_the_owner_learns_how() {
    let run = Run::with_models()
        .env("VIEWFINDER_OFFLINE", "false")
        // Nobody is there; and nothing is asked for.
        .env("VIEWFINDER_HF_ENDPOINT", "http://127.0.0.1:9");
    let server = Server::start(run, &[]);
    // Asked for twice, as Immich does for each photo.
    for name in ["RN101::openai", "RN101__openai"] {
        let (status, answer) = predict(&server, name);
        assert_eq!(status, 404, "{answer}");
        let told = answer.to_string();
        assert!(
            told.contains("engine.preload = [\\\"RN101__openai\\\"] (VIEWFINDER_PRELOAD=RN101__openai)"),
            "{told}"
        );
    }
    // What is here answers, whoever named it.
    assert_eq!(predict(&server, "tiny").0, 200);
    assert_eq!(server.json("/health")["refused_models"], json!(["RN101__openai"]));
    server.signal("-TERM");
    let (_, said) = server.end();
    let warned = said
        .lines()
        .filter(|line| line.contains("WARN") && line.contains("VIEWFINDER_PRELOAD=RN101__openai"));
    assert_eq!(warned.count(), 1, "{said}");
    assert!(!said.contains("127.0.0.1:9"), "{said}");
}
