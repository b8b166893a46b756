//! Searches by a picture that is sent along.
use std::sync::Arc;

use serde_json::json;
use viewfinder_catalog::AnalysisKind;
use viewfinder_core::{ErrorCode, PictureTask};
use viewfinder_image::{Limits, RgbImage, encode};

use crate::{
    Setup, World,
    library::{backend, names},
    picture,
};

const ROUTE: &str = "POST /api/v1/search/picture";

/// A picture that shows what a picture of the library with this width does.
fn like(width: usize) -> Vec<u8> {
    encode::png(&RgbImage::filled(width, 30, [1, 2, 3]))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_like_a_picture_is_found_and_the_picture_is_not_kept() {
    let fake = Arc::new(backend());
    let world = World::of_pictures(Arc::clone(&fake)).await;
    world.ended(1).await;
    let before = world.json("/api/v1/status").await["revision"].clone();
    fake.pictures.lock().unwrap().clear();
    let answer = world.send_bytes(ROUTE, "image/png", &like(42)).await;
    let found = answer.json();
    assert_eq!(answer.status, 200, "{found}");
    assert_eq!(names(&found)[..2], ["sunset.png", "receipt.png"]);
    assert_eq!((names(&found).len(), &found["next"], &found["notes"]), (5, &json!(null), &json!([])));
    let hit = &found["hits"][0];
    assert!((hit["similarity"].as_f64().unwrap() - 1.0).abs() < 1e-5 && hit["reason"] == "meaning", "{hit}");
    // As the pictures of the catalogue are looked at.
    let asked = fake.last_picture();
    assert!(asked.decode.orient && matches!(&asked.tasks[..], [PictureTask::Embed { .. }]), "{asked:?}");

    let search = async |query: &str| {
        let route = format!("{ROUTE}?{query}");
        world.send_bytes(&route, "application/octet-stream", &like(42)).await.json()
    };
    assert_eq!(names(&search("limit=1").await), ["sunset.png"]);
    assert_eq!(names(&search("q=path:city").await)[0], "sign.png");
    assert_eq!(search("q=path:city").await["found"], 3);
    let with_words = search("q=path:city%20soup").await;
    assert_eq!(
        (&with_words["found"], &with_words["notes"][0]["code"]),
        (&json!(3), &json!("words_left_out"))
    );
    let nobody = search("q=person:Ana").await;
    assert_eq!((&nobody["found"], &nobody["notes"][0]["code"]), (&json!(0), &json!("nobody")));
    assert_eq!(world.json("/api/v1/status").await["revision"], before);
    assert_eq!(world.json("/api/v1/status").await["counts"]["assets"], 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_picture_or_too_much_of_one_is_refused() {
    let setup = Setup {
        backend: Arc::new(backend()),
        kinds: vec![AnalysisKind::Clip],
        limits: Limits { max_bytes: 1000, ..Limits::default() },
        ..Setup::default()
    };
    let world = World::new(&[("a.png", &picture())], setup).await;
    world.ended(1).await;
    for (kind, body, status, code) in [
        ("image/jpeg", b"no picture".to_vec(), 422, "image_undecodable"),
        ("image/jpeg", vec![7; 1001], 413, "image_too_many_bytes"),
        ("text/plain", like(42), 415, "body_invalid"),
        ("multipart/form-data; boundary=a", like(42), 415, "body_invalid"),
    ] {
        let answer = world.send_bytes(ROUTE, kind, &body).await;
        assert_eq!(answer.problem(), (status, code.to_owned()), "{kind}");
    }
    let answer = world.send_bytes(&format!("{ROUTE}?q=%22a"), "image/png", &like(42)).await;
    assert_eq!(
        (answer.problem(), &answer.json()["character"]),
        ((400, "query_invalid".to_owned()), &json!(0))
    );
    // Nobody said beforehand how much it would be.
    let mut chunks = b"400\r\n".to_vec();
    chunks.extend([7; 0x400]);
    chunks.extend(b"\r\n0\r\n\r\n");
    let head = format!(
        "{ROUTE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer token\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked"
    );
    let answer = world.exchange_raw(&head, &chunks).await;
    assert_eq!(answer.problem(), (413, "image_too_many_bytes".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_clip_it_is_said_what_is_missing() {
    let setup = Setup { backend: Arc::new(backend()), kinds: vec![AnalysisKind::Ocr], ..Setup::default() };
    let world = World::new(&[("a.png", &picture())], setup).await;
    let answer = world.send_bytes(ROUTE, "image/png", &like(42)).await;
    assert_eq!(answer.problem(), (404, "clip_off".to_owned()));

    let fake = Arc::new(backend());
    let world = World::of_pictures(Arc::clone(&fake)).await;
    world.ended(1).await;
    fake.fail(ErrorCode::ModelMissingOffline);
    let answer = world.send_bytes(ROUTE, "image/png", &like(42)).await;
    assert_eq!(answer.problem(), (503, "model_missing_offline".to_owned()));
    fake.fail(ErrorCode::Busy);
    let answer = world.send_bytes(ROUTE, "image/png", &like(42)).await;
    assert_eq!((answer.problem(), answer.header("retry-after")), ((503, "busy".to_owned()), Some("5")));
}
