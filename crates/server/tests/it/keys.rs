//! Addresses that want a key, and those that do not.

use std::{net::SocketAddr, sync::Arc};

use serde_json::json;
use viewfinder_server::{Key, Listen, ROUTES};

use viewfinder_test_support::FakeBackend;

use crate::support::{Part, Response, Running, backend, config, form};

const KEY: &str = "the-right-key";
/// What a browser may have without a key: nothing that this server knows.
const OPEN: [&str; 8] = [
    "/ping",
    "/ui/base.css",
    "/ui/language.js",
    "/ui/errors.js",
    "/ui/style.css",
    "/ui/words.js",
    "/ui/script.js",
    "/ui/key.js",
];

/// A server with an address that wants a key, which `Running` talks to, and one that is open.
async fn start() -> (Running, SocketAddr, Arc<FakeBackend>) {
    let fake = Arc::new(backend());
    let mut config = config();
    let open = config.listen[0].clone();
    config.listen = vec![Listen { key: Some(Key::new(KEY).unwrap()), ..open.clone() }, open];
    let server = Running::start(config, fake.clone()).await;
    let open = server.addresses[1];
    (server, open, fake)
}

async fn ask(server: &Running, method: &str, path: &str, headers: &[&str]) -> Response {
    let headers: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
    server
        .send(format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n{headers}\r\n").as_bytes())
        .await
}

#[tokio::test]
async fn without_the_key_nothing_is_told_or_done() {
    let (server, _, fake) = start().await;
    let elsewhere = [("GET", "/nowhere"), ("DELETE", "/predict"), ("GET", "/ping/")];
    for (method, path) in ROUTES.iter().chain(&elsewhere).filter(|(_, path)| !OPEN.contains(path)) {
        for (headers, code) in [
            (&[][..], "key_missing"),
            (&["authorization: Basic dGhlLXJpZ2h0LWtleQ=="][..], "key_missing"),
            (&["authorization: Bearer the-right-kex"][..], "key_wrong"),
            (&["api-key: secret"][..], "key_wrong"),
            (&["x-api-key: the-right-key-and-more"][..], "key_wrong"),
            (&["x-api-key: "][..], "key_wrong"),
        ] {
            let answer = ask(&server, method, path, headers).await;
            assert_eq!(answer.status, 401, "{method} {path} {headers:?}: {answer:?}");
            assert_eq!(answer.header("x-viewfinder-code"), Some(code), "{method} {path} {headers:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"Viewfinder\""));
            assert!(answer.header("x-request-id").is_some());
            assert!(!answer.text().contains(KEY));
        }
    }
    for path in OPEN {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    assert!(fake.pictures.lock().unwrap().is_empty() && fake.sentences.lock().unwrap().is_empty());
    assert_eq!(fake.unloads.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn each_protocol_says_it_in_its_own_shape() {
    let (server, ..) = start().await;
    for path in ["/predict", "/ocr", "/check", "/represent"] {
        let answer = ask(&server, "POST", path, &["api-key: wrong"]).await;
        assert_eq!(answer.outcome(), (401, json!({"detail": "Invalid API key"})), "{path}");
    }
    for path in ["/health", "/metrics", "/api/openapi.json"] {
        let (status, body) = server.get(path).await.outcome();
        assert_eq!((status, &body["error"]["code"]), (401, &json!("key_missing")), "{path}");
        assert_eq!((&body["error"]["fault"], &body["error"]["retryable"]), (&json!("caller"), &json!(false)));
    }
    assert_eq!(server.get("/").await.status, 401);
}

#[tokio::test]
async fn a_browser_is_told_what_to_do_in_its_language() {
    let (mut server, open, _) = start().await;
    let accept = "accept: text/html,*/*;q=0.8";
    for path in ["/", "/health", "/nowhere"] {
        for (language, title) in [
            ("de", "A key opens this page"),
            ("zh-CN,zh;q=0.9", "打开此页面需要密钥"),
            ("es-MX", "Esta página se abre con una clave"),
        ] {
            let page = ask(&server, "GET", path, &[accept, &format!("accept-language: {language}")]).await;
            assert_eq!((page.status, page.header("content-type")), (401, Some("text/html; charset=utf-8")));
            assert!(page.text().contains(&format!("<h1>{title}</h1>")), "{path} {language}: {}", page.text());
            assert_eq!(page.header("x-viewfinder-code"), Some("key_missing"));
        }
    }
    server.address = open;
    let page = ask(&server, "GET", "/nowhere", &[accept]).await;
    assert!(page.status == 404 && page.text().contains("<a href=\"/photos\">Photos</a>"), "{}", page.text());
    let page = ask(&server, "GET", "/predict", &[accept]).await;
    assert!(page.status == 405 && page.text().contains("for programs"), "{}", page.text());
    // By a name that nobody gave it.
    let head = "GET /health HTTP/1.1\r\nhost: evil.example:1\r\nuser-agent: Mozilla/5.0\r\n";
    let page = server.send(format!("{head}{accept}\r\n\r\n").as_bytes()).await;
    assert!(page.status == 421 && page.text().contains("hosts = [\"evil.example\"]"), "{}", page.text());
    let program = server.send(format!("{head}\r\n").as_bytes()).await;
    assert_eq!((program.status, &program.json()["error"]["code"]), (421, &json!("host_unknown")));
    assert_eq!(server.get("/nowhere").await.outcome(), (404, json!({"detail": "Not Found"})));
}

#[tokio::test]
async fn the_key_opens_every_protocol() {
    let (server, _, fake) = start().await;
    for header in [
        "authorization: Bearer the-right-key",
        "Authorization: bearer  the-right-key",
        "api-key: the-right-key",
        "x-api-key: the-right-key",
    ] {
        assert_eq!(ask(&server, "GET", "/health", &[header]).await.status, 200, "{header}");
        assert_eq!(ask(&server, "GET", "/metrics", &[header]).await.status, 200, "{header}");
        // The key of the address stands for that of MT Photos.
        assert_eq!(ask(&server, "POST", "/check", &[header]).await.status, 200, "{header}");
        let request = form("/ocr", &[header], &[Part::File("file", b"jpeg")]);
        assert_eq!(server.send(&request).await.status, 200, "{header}");
    }
    assert_eq!(fake.pictures.lock().unwrap().len(), 4);
    // One that is right is enough, whatever a proxy adds.
    let both = ["authorization: Bearer of-the-proxy", "x-api-key: the-right-key"];
    assert_eq!(ask(&server, "GET", "/health", &both).await.status, 200);
}

#[tokio::test]
async fn the_other_address_stays_open_and_keeps_mt_photos_key() {
    let (mut server, open, _) = start().await;
    server.address = open;
    assert_eq!(server.get("/health").await.status, 200);
    assert_eq!(ask(&server, "POST", "/check", &["api-key: secret"]).await.status, 200);
    assert_eq!(ask(&server, "POST", "/check", &["api-key: the-right-key"]).await.status, 401);
    assert_eq!(ask(&server, "POST", "/check", &[]).await.status, 422);
    let wrong = ask(&server, "GET", "/health", &["authorization: Bearer wrong"]).await;
    assert_eq!(wrong.status, 200, "nobody asked for a key");
}

#[tokio::test]
async fn a_picture_without_the_key_is_not_kept_and_its_sender_reads_the_refusal() {
    let (server, _, fake) = start().await;
    let request =
        form("/predict", &[], &[Part::Text("entries", "{}"), Part::File("image", &vec![0; 3_000_000])]);
    for _ in 0..5 {
        assert_eq!(server.send(&request).await.status, 401);
    }
    assert!(fake.pictures.lock().unwrap().is_empty());
}
