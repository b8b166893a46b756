//! Analyses done again.
use std::sync::Arc;

use serde_json::{Value, json};
use viewfinder_catalog::AnalysisKind;
use viewfinder_core::{ErrorCode, PictureTask};

use crate::{Setup, World, library::backend, picture};

/// Adds a job; its number, and how many pictures it is about.
async fn queued(world: &World, request: &str, body: &Value) -> (u64, u64) {
    let answer = world.send(request, body).await;
    assert_eq!(answer.status, 202, "{request} {body}: {}", answer.body.escape_ascii());
    let queued = answer.json();
    (queued["job"].as_u64().unwrap(), queued["assets"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_done_is_done_at_the_start() {
    let fake = Arc::new(backend());
    let world = World::of_pictures(Arc::clone(&fake)).await;
    let job = world.ended(1).await;
    assert_eq!(
        (&job["state"], &job["kinds"], &job["assets"]),
        (&json!("done"), &json!(["ocr", "clip", "faces"]), &json!(null))
    );
    assert_eq!((&job["done"], &job["failed"]), (&json!(6), &json!(1)));
    let message = job["message"].as_str().unwrap();
    assert!(message.ends_with("/city/broken.jpg: it is no picture"), "{message}");
    assert!(job["queued"].as_str() <= job["ended"].as_str(), "{job}");
    assert_eq!(fake.pictures.lock().unwrap().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_picture_is_asked_about_again_and_only_what_was_named() {
    let fake = Arc::new(backend());
    let world = World::of_pictures(Arc::clone(&fake)).await;
    world.ended(1).await;
    let id = world.id("receipt.png").await;
    fake.pictures.lock().unwrap().clear();
    // Once each, however often it was named, and in an order of ours.
    let body = json!({"kinds": ["clip", "ocr", "clip"]});
    let (job, assets) = queued(&world, &format!("POST /api/v1/assets/{id}/rerun"), &body).await;
    let ended = world.ended(job).await;
    assert_eq!((assets, &ended["kinds"], &ended["assets"]), (1, &json!(["ocr", "clip"]), &json!(1)));
    assert_eq!((&ended["state"], &ended["done"], &ended["failed"]), (&json!("done"), &json!(1), &json!(0)));
    let asked =
        fake.pictures.lock().unwrap().iter().flat_map(|request| request.tasks.clone()).collect::<Vec<_>>();
    assert!(matches!(&asked[..], [PictureTask::Text { .. }, PictureTask::Embed { .. }]), "{asked:?}");
    let jobs = world.json("/api/v1/jobs").await;
    let ids: Vec<_> = jobs["jobs"].as_array().unwrap().iter().map(|job| &job["id"]).collect();
    assert_eq!(ids, [job, 1], "newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_search_finds_is_asked_about_again() {
    let fake = Arc::new(backend());
    let world = World::of_pictures(Arc::clone(&fake)).await;
    world.ended(1).await;
    for (query, count) in [("ocr:paper", 4), ("path:beach", 2), ("", 6), ("ocr:nothing", 0)] {
        fake.pictures.lock().unwrap().clear();
        let body = json!({"kinds": ["ocr"], "query": query});
        let (job, assets) = queued(&world, "POST /api/v1/rerun", &body).await;
        assert_eq!(assets, count as u64, "{query}");
        let ended = world.ended(job).await;
        assert_eq!((&ended["state"], &ended["done"]), (&json!("done"), &json!(count)), "{query}");
        assert_eq!(fake.pictures.lock().unwrap().len(), count, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn corrections_stay_unless_they_are_to_go() {
    let world = World::analysed().await;
    let id = world.id("menu.png").await;
    let text = async || world.json(&format!("/api/v1/assets/{id}")).await["lines"][0]["text"].clone();
    let corrected =
        world.send(&format!("PATCH /api/v1/assets/{id}/lines/0"), &json!({"text": "paper soap"})).await;
    assert_eq!(corrected.status, 200);
    for (replace, expected) in [(false, "paper soap"), (true, "paper soup")] {
        let body = json!({"kinds": ["ocr"], "replace_corrections": replace});
        let (job, _) = queued(&world, &format!("POST /api/v1/assets/{id}/rerun"), &body).await;
        world.ended(job).await;
        assert_eq!(text().await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_name_nothing_to_do_are_refused() {
    let setup = Setup {
        backend: Arc::new(backend()),
        kinds: vec![AnalysisKind::Ocr, AnalysisKind::Clip],
        ..Setup::default()
    };
    let world = World::new(&[("a.png", &picture())], setup).await;
    for (body, status, code) in [
        (json!({"kinds": [], "query": ""}), 400, "kind_unknown"),
        (json!({"kinds": ["smell"], "query": ""}), 400, "kind_unknown"),
        (json!({"kinds": ["ocr", "smell"], "query": ""}), 400, "kind_unknown"),
        (json!({"kinds": ["OCR"], "query": ""}), 400, "kind_unknown"),
        // Not done here.
        (json!({"kinds": ["faces"], "query": ""}), 400, "kind_unknown"),
        (json!({"kinds": "ocr", "query": ""}), 422, "body_invalid"),
        (json!({"query": ""}), 422, "body_invalid"),
    ] {
        for route in ["POST /api/v1/rerun", "POST /api/v1/assets/1/rerun"] {
            let answer = world.send(route, &body).await;
            assert_eq!(answer.problem(), (status, code.to_owned()), "{route} {body}");
        }
    }
    for (body, status, code) in [
        (json!({"kinds": ["ocr"]}), 422, "body_invalid"),
        (json!({"kinds": ["ocr"], "query": "\"a"}), 400, "query_invalid"),
    ] {
        assert_eq!(
            world.send("POST /api/v1/rerun", &body).await.problem(),
            (status, code.to_owned()),
            "{body}"
        );
    }
    let answer = world.send("POST /api/v1/rerun", &json!({"kinds": ["faces"], "query": ""})).await;
    assert!(answer.json()["detail"].as_str().unwrap().ends_with("some of ocr, clip"));
    assert_eq!(world.json("/api/v1/jobs").await["jobs"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_failed_says_why_and_the_next_one_is_done() {
    let fake = Arc::new(backend());
    let world = World::of_pictures(Arc::clone(&fake)).await;
    world.ended(1).await;
    let id = world.id("receipt.png").await;
    let again = async |kind: &str| {
        let (job, _) =
            queued(&world, &format!("POST /api/v1/assets/{id}/rerun"), &json!({"kinds": [kind]})).await;
        world.ended(job).await
    };
    // No picture can be asked about on this machine.
    fake.fail(ErrorCode::RuntimeUnavailable);
    let ended = again("ocr").await;
    assert_eq!((&ended["state"], &ended["message"]), (&json!("failed"), &json!("it is runtime_unavailable")));
    // This one cannot be answered.
    fake.fail(ErrorCode::ImageUndecodable);
    let ended = again("ocr").await;
    assert_eq!((&ended["state"], &ended["done"], &ended["failed"]), (&json!("done"), &json!(1), &json!(1)));
    // A model is missing: the kind is left out and waits.
    fake.fail(ErrorCode::ModelMissingOffline);
    let ended = again("ocr").await;
    assert_eq!((&ended["state"], &ended["failed"]), (&json!("failed"), &json!(0)));
    assert_eq!(ended["message"], json!("ocr: it is model_missing_offline"));
    let asset = world.json(&format!("/api/v1/assets/{id}")).await;
    assert_eq!(asset["analysis"]["ocr"], json!({"state": "never"}));
    fake.fail_times(0, ErrorCode::Busy);
    let ended = again("ocr").await;
    assert_eq!(
        (&ended["state"], &ended["failed"], &ended["message"]),
        (&json!("done"), &json!(0), &json!(null))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_jobs_wait() {
    let fake = Arc::new(backend().closed());
    let setup = Setup { backend: Arc::clone(&fake) as _, kinds: vec![AnalysisKind::Ocr], ..Setup::default() };
    let world = World::new(&[("a.png", &picture())], setup).await;
    // The one from the start is at work and takes no place.
    fake.arrived.acquire().await.unwrap().forget();
    let body = json!({"kinds": ["ocr"]});
    for job in 2..=1001 {
        assert_eq!(queued(&world, "POST /api/v1/assets/1/rerun", &body).await, (job, 1));
    }
    let answer = world.send("POST /api/v1/assets/1/rerun", &body).await;
    assert_eq!(answer.problem(), (503, "busy".to_owned()));
    assert_eq!(answer.header("retry-after"), Some("5"));
    let jobs = world.json("/api/v1/jobs").await;
    let states: Vec<_> =
        jobs["jobs"].as_array().unwrap().iter().map(|job| job["state"].as_str().unwrap()).collect();
    assert_eq!((states.len(), states[0], states[1000]), (1001, "queued", "running"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_jobs_are_remembered() {
    let setup = Setup { backend: Arc::new(backend()), kinds: vec![AnalysisKind::Ocr], ..Setup::default() };
    let world = World::new(&[("a.png", &picture())], setup).await;
    for _ in 0..105 {
        let (job, _) = queued(&world, "POST /api/v1/assets/1/rerun", &json!({"kinds": ["ocr"]})).await;
        world.ended(job).await;
    }
    let jobs = world.json("/api/v1/jobs").await;
    let ids: Vec<_> =
        jobs["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (7..=106).rev().collect::<Vec<_>>());
}
