//! What apps are told of the server, and what passes as it is.

use serde_json::json;

use crate::companion::{immich::captured, support::Running};

#[tokio::test]
async fn features_are_those_with_the_companion() {
    let running = Running::start().await;
    running.immich.forget("ocr");
    let conditional = ["If-None-Match: \"immich\"", "Accept-Encoding: gzip"];
    let answer = running.get("/api/server/features", &conditional).await;
    // All are as captured: text was off, and is on with the companion.
    assert_eq!((answer.status, answer.json()), (200, captured("server-features")));
    assert_eq!(answer.header("etag"), None);
    assert_eq!(answer.header("x-immich-cid"), Some("c"));
    let asked = running.immich.asked().pop().unwrap();
    assert!(!asked.headers.contains_key("if-none-match"));

    // Before there is any text, nothing is promised.
    running.shelf.is_blank.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(running.get("/api/server/features", &[]).await.json()["ocr"], false);

    let running = Running::with(false, true).await;
    running.immich.forget("ocr");
    let answer = running.get("/api/server/features", &[]).await;
    assert_eq!(answer.json()["ocr"], false);
    assert_eq!(answer.header("etag"), Some("\"immich\""));
}

#[tokio::test]
async fn everything_else_passes() {
    let running = Running::start().await;
    let answer = running.get("/api/plain", &["Accept: text/html", "If-None-Match: \"x\""]).await;
    assert_eq!(answer.json(), json!({"plain": true}));
    assert_eq!(answer.header("etag"), Some("\"immich\""));
    let asked = running.immich.asked().pop().unwrap();
    assert_eq!(asked.headers["if-none-match"], "\"x\"");
    assert_eq!(asked.headers["x-forwarded-for"], "127.0.0.1");
}
