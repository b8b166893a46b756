use std::time::{Duration, Instant};

use viewfinder_core::{ErrorCode, PictureTask, SentenceRequest};
use viewfinder_engine::Engine;
use viewfinder_models::Role;
use viewfinder_test_support::{Response, TestServer};

use crate::support::{bytes, config, engine, request, text};

/// Waits for something that happens in the background.
fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !happened() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn idle_models_are_dropped_and_come_back() {
    let mut config = config();
    config.model_ttl = Some(Duration::from_millis(100));
    let engine = Engine::new(config).unwrap();
    let embed = || PictureTask::Embed { model: "tiny".into() };
    engine.picture_blocking(request(bytes("ocr/short.png"), vec![embed()])).unwrap();
    eventually("dropping the idle model", || engine.status().models.is_empty());
    engine.picture_blocking(request(bytes("ocr/short.png"), vec![embed()])).unwrap();
    assert_eq!(engine.status().provider, "cpu");
}

#[tokio::test(flavor = "multi_thread")]
async fn preloaded_models_are_listed_and_unloaded() {
    let engine = engine();
    engine.preload(&[("tiny".into(), Role::Visual), ("tiny".into(), Role::Textual)]).await.unwrap();
    let loaded: Vec<_> = engine.status().models.into_iter().map(|model| (model.name, model.role)).collect();
    assert_eq!(loaded, [("tiny".into(), "textual".into()), ("tiny".into(), "visual".into())]);
    engine.unload();
    assert!(engine.status().models.is_empty());
    let asked = SentenceRequest { model: "tiny".into(), text: "still here".into(), language: None };
    engine.sentence(asked).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_a_stopped_engine_says_so() {
    let mut config = config();
    config.queue = 2;
    let engine = Engine::new(config).unwrap();
    let job = || {
        let engine = engine.clone();
        tokio::spawn(async move { engine.picture(request(bytes("ocr/ch_en_num.jpg"), vec![text()])).await })
    };
    let jobs: Vec<_> = (0..8).map(|_| job()).collect();
    let mut refused = 0;
    for job in jobs {
        match job.await.unwrap() {
            Ok(_) => {}
            Err(error) if error.code == ErrorCode::Busy => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!((1..8).contains(&refused), "{refused} of 8 refused");

    assert!(engine.stop(Duration::from_secs(60)));
    let error = engine.picture(request(bytes("ocr/short.png"), vec![text()])).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Stopping);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_whose_asker_has_gone_is_dropped() {
    let mut config = config();
    config.workers = Some(1);
    let engine = Engine::new(config).unwrap();
    let first = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.picture(request(bytes("ocr/ch_en_num.jpg"), vec![text()])).await })
    };
    eventually("the first job starting", || engine.status().running > 0 || first.is_finished());
    for _ in 0..20 {
        let gone = engine.picture(request(bytes("ocr/ch_en_num.jpg"), vec![text()]));
        drop(tokio::time::timeout(Duration::from_millis(1), gone).await);
    }
    first.await.unwrap().unwrap();
    eventually("emptying the queue", || engine.status().queued_pictures == 0 && engine.status().running == 0);
}

#[test]
fn a_broken_library_is_reported_and_not_fatal() {
    let mut config = config();
    config.library = Some("/nonexistent/libonnxruntime.so".into());
    let engine = Engine::new(config).unwrap();
    assert!(engine.status().ready.is_ok());
    let error = engine.picture_blocking(request(bytes("ocr/short.png"), vec![text()])).unwrap_err();
    assert_eq!(error.code, ErrorCode::RuntimeUnavailable);
    assert!(engine.status().ready.unwrap_err().contains("libonnxruntime.so"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_that_failed_are_left_alone_for_a_while() {
    let hub = TestServer::saying(Response::status(404));
    let mut config = config();
    config.models.offline = false;
    config.models.hf_endpoint = Some(hub.url());
    let engine = Engine::new(config).unwrap();
    let sentence = || SentenceRequest { model: "ViT-B-16__openai".into(), text: "x".into(), language: None };
    let first = engine.sentence(sentence()).await.unwrap_err();
    assert_eq!(first.code, ErrorCode::ModelUnavailable);
    assert!(!first.message.contains('\n'), "{first}");
    let tries = hub.requests().len();
    assert!(tries > 0);
    let second = engine.sentence(sentence()).await.unwrap_err();
    assert_eq!(second.message, first.message);
    assert_eq!(hub.requests().len(), tries);
}
