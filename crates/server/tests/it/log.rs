//! What the log says of requests that failed.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::json;
use tracing::Level;

use viewfinder_core::ErrorCode;
use viewfinder_server::{GatewayConfig, Key, Listen};

use crate::support::{Part, Running, backend, config, lack};

/// The log of this thread, where `tokio::test` runs the server too, down to a level.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn start(level: Level) -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines about failed requests.
    fn failures(&self) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(": failed ")).map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_failure_says_what_was_asked() {
    let (log, _guard) = Log::start(Level::INFO);
    let (server, fake) = Running::fake().await;
    fake.fail(ErrorCode::ImageUndecodable);
    let entries = json!({
        "clip": {"visual": {"modelName": "ViT-B-32__openai"}},
        "ocr": {"detection": {"modelName": "PP-OCRv5_mobile"}, "recognition": {"modelName": "PP-OCRv5_mobile"}},
    });
    assert_eq!(server.predict(&entries, b"no picture").await.status, 422);
    let textual = json!({"clip": {"textual": {"modelName": "x".repeat(250)}}}).to_string();
    server.form("/predict", &[], &[Part::Text("entries", &textual), Part::Text("text", "cat")]).await;
    let [picture, sentence] = log.failures().try_into().unwrap();
    for part in
        ["INFO", "clip.visual ViT-B-32__openai", "ocr PP-OCRv5_mobile", "bytes=10", "image_undecodable"]
    {
        assert!(picture.contains(part), "{part} in {picture}");
    }
    for part in [format!("clip.textual {}\"", "x".repeat(64)), "bytes=3".to_owned()] {
        assert!(sentence.contains(&part), "{part} in {sentence}");
    }
}

#[tokio::test]
async fn what_is_not_the_callers_fault_is_a_warning() {
    let (log, _guard) = Log::start(Level::WARN);
    let (server, fake) = Running::fake().await;
    let entries = json!({"clip": {"visual": {"modelName": "ViT-B-32__openai"}}});
    for (code, warns) in [
        (ErrorCode::ImageEmpty, false),
        (ErrorCode::ModelUnknown, false),
        (ErrorCode::ModelUnavailable, true),
        (ErrorCode::InferenceFailed, true),
        (ErrorCode::Busy, true),
    ] {
        fake.fail(code);
        let before = log.failures().len();
        server.predict(&entries, b"jpeg").await;
        let failures = log.failures();
        assert_eq!(failures.len() - before, usize::from(warns), "{code:?}: {failures:?}");
        assert!(failures.last().is_none_or(|line| line.contains("WARN")), "{failures:?}");
    }
}

#[tokio::test]
async fn a_crowd_without_the_key_is_one_line_which_holds_no_key() {
    let (log, _guard) = Log::start(Level::INFO);
    let key = Some(Key::new("the-right-key").unwrap());
    let listen = vec![Listen { key, ..config().listen[0].clone() }];
    let server = Running::start(GatewayConfig { listen, ..config() }, Arc::new(backend())).await;
    for _ in 0..20 {
        assert_eq!(server.post("/check", &["api-key: a-wrong-key"], b"").await.status, 401);
        assert_eq!(server.post("/check", &["api-key: the-right-key"], b"").await.status, 200);
    }
    let text = log.text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("without the right key")).collect();
    assert!(
        matches!(lines[..], [line] if line.contains("127.0.0.1") && line.contains("key_wrong")),
        "{text}"
    );
    assert_eq!(log.failures(), [""; 0]);
    assert!(!text.contains("a-wrong-key") && !text.contains("the-right-key"), "{text}");
}

#[tokio::test]
async fn lines_of_one_request_have_its_id_and_trace() {
    let (log, _guard) = Log::start(Level::INFO);
    let (server, fake) = Running::fake().await;
    fake.fail(ErrorCode::ImageUndecodable);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let headers = ["x-request-id: job-17", &format!("traceparent: 00-{trace}-00f067aa0ba902b7-01")];
    let parts =
        [Part::Text("entries", r#"{"clip":{"visual":{"modelName":"m"}}}"#), Part::File("image", b"x")];
    let answer = server.form("/predict", &headers, &parts).await;
    assert_eq!((answer.status, answer.header("x-request-id")), (422, Some("job-17")));
    let [line] = log.failures().try_into().unwrap();
    assert!(line.contains("id=\"job-17\"") && line.contains(&format!("trace=\"{trace}\"")), "{line}");
}

#[tokio::test]
async fn no_number_of_bad_requests_fills_the_log() {
    let (log, _guard) = Log::start(Level::INFO);
    let (server, fake) = Running::fake().await;
    lack(&fake, &"x".repeat(256), ErrorCode::ModelUnavailable);
    let entries = json!({"clip": {"visual": {"modelName": "x".repeat(256)}}});
    for _ in 0..100 {
        assert_eq!(server.predict(&entries, b"jpeg").await.status, 503);
        assert_eq!(server.get(&format!("/{}", "nowhere".repeat(1000))).await.status, 404);
    }
    let text = log.text();
    assert!(text.len() < 150_000, "{} bytes", text.len());
    assert_eq!(text.lines().filter(|line| line.contains("model_unavailable")).count(), 60);
}
