//! Requests that are not what they seem.

use std::sync::Arc;

use serde_json::json;
use viewfinder_core::{ErrorCode, TaskError};
use viewfinder_server::{Key, Listen, ROUTES, ServerConfig};

use crate::support::{Response, Running, backend, config};

async fn ask(server: &Running, line: &str, headers: &[&str]) -> Response {
    let headers: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
    server.send(format!("{line} HTTP/1.1\r\ncontent-length: 0\r\n{headers}\r\n").as_bytes()).await
}

#[tokio::test]
async fn a_head_that_may_be_read_in_two_ways_is_refused() {
    let (server, _) = Running::fake().await;
    for headers in [&[][..], &["host: x", "host: x"], &["host: x", "host: y"]] {
        assert_eq!(ask(&server, "GET /health", headers).await.status, 400, "{headers:?}");
    }
    for coding in ["gzip, chunked", "identity, chunked"] {
        let chunks = "host: x\r\ntransfer-encoding: ";
        let request = format!("POST /predict HTTP/1.1\r\n{chunks}{coding}\r\n\r\n0\r\n\r\n");
        assert_eq!(server.send(request.as_bytes()).await.status, 501, "{coding}");
    }
}

#[tokio::test]
async fn pages_of_other_sites_may_neither_ask_nor_embed() {
    let (server, fake) = Running::fake().await;
    for (method, path) in ROUTES.iter().filter(|(_, path)| *path != "/ping") {
        // As from localhost:2283, which a browser counts as the same site.
        let answer =
            ask(&server, &format!("{method} {path}"), &["host: localhost", "sec-fetch-site: same-site"])
                .await;
        assert_eq!((answer.status, answer.header("x-viewfinder-code")), (403, Some("cross_site")), "{path}");
    }
    assert_eq!(fake.unloads.load(std::sync::atomic::Ordering::SeqCst), 0);
    for path in ["/", "/ping", "/health", "/ui/script.js", "/nowhere"] {
        let policy = server.get(path).await;
        assert_eq!(policy.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
    }
}

#[tokio::test]
async fn a_name_that_nobody_gave_is_no_way_in_for_browsers() {
    let mut config = config();
    config.hosts = vec!["photos.example".to_owned()];
    let server = Running::start(config, Arc::new(backend())).await;
    for (method, path) in ROUTES.iter().filter(|(_, path)| *path != "/ping") {
        let line = format!("{method} {path}");
        let answer =
            ask(&server, &line, &["host: evil.example:3003", "origin: http://evil.example:3003"]).await;
        assert_eq!(
            (answer.status, answer.header("x-viewfinder-code")),
            (421, Some("host_unknown")),
            "{path}"
        );
        assert!(answer.text().contains("server.hosts") && answer.text().contains("evil.example"));
        let named = ask(&server, &line, &["host: photos.example", "origin: http://photos.example"]).await;
        assert_ne!(named.status, 421, "{path}");
    }
    let failures = ask(&server, "GET /api/failures", &["host: ml.example.com"]).await;
    assert_eq!(failures.status, 421);
    assert_eq!(ask(&server, "GET /health", &["host: ml.example.com"]).await.status, 200);
}

#[tokio::test]
async fn whoever_shows_the_key_may_use_any_name() {
    let key = Some(Key::new("the-right-key").unwrap());
    let listen = vec![Listen { key, ..config().listen[0].clone() }];
    let server = Running::start(ServerConfig { listen, ..config() }, Arc::new(backend())).await;
    let headers = ["host: ml.example.com", "api-key: the-right-key"];
    assert_eq!(ask(&server, "GET /api/failures", &headers).await.status, 200);
}

#[tokio::test]
async fn whoever_guesses_keys_is_told_to_wait_and_the_right_key_goes_on() {
    let key = Some(Key::new("the-right-key").unwrap());
    let listen = vec![Listen { key, ..config().listen[0].clone() }];
    let keyed = ServerConfig { listen, ..config() };
    let server = Running::start(keyed.clone(), Arc::new(backend())).await;
    let show = async |key: &str| ask(&server, "GET /health", &["host: x", &format!("api-key: {key}")]).await;
    // The same again is a mistake and no guess.
    for _ in 0..30 {
        assert_eq!(show("wrong").await.status, 401);
    }
    for guess in 0..9 {
        assert_eq!(show(&guess.to_string()).await.status, 401);
    }
    let told = show("another").await;
    assert_eq!((told.status, told.header("x-viewfinder-code")), (429, Some("too_many_tries")));
    let wait: u64 = told.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(show("the-right-key").await.status, 200);
    // Nobody guesses who shows nothing.
    assert_eq!(server.get("/health").await.status, 401);
    // One request that shows many guesses as many.
    let server = Running::start(keyed, Arc::new(backend())).await;
    let many: Vec<String> = (0..11).map(|guess| format!("x-api-key: {guess}")).collect();
    let many: Vec<&str> = ["host: x"].into_iter().chain(many.iter().map(String::as_str)).collect();
    assert_eq!(ask(&server, "GET /health", &many).await.status, 429);
}

#[tokio::test]
async fn what_strangers_say_is_repeated_only_at_its_beginning() {
    let (server, fake) = Running::fake().await;
    let long = TaskError::new(ErrorCode::ModelUnavailable, "x".repeat(1_000_000));
    fake.fail_with(long);
    let entries = json!({"clip": {"visual": {"modelName": "m"}}});
    let answer = server.predict(&entries, b"jpeg").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.len() < 2000, "{} bytes", answer.body.len());
    let failures = server.get("/api/failures").await;
    assert!(failures.body.len() < 5000, "{} bytes", failures.body.len());
}
