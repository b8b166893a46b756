//! Jobs for single assets.

use serde_json::{Value, json};
use viewfinder_immich::library::{LibraryError, RerunKind};

use crate::companion::{
    immich::{ALL, NO_JOBS, NO_USER, SESSION},
    support::{OWN, Running, USER},
};

const PATH: &str = "/api/assets/jobs";

fn job(name: &str, assets: &[&str]) -> Value {
    json!({"assetIds": assets, "name": name})
}

#[tokio::test]
async fn ones_own_assets_are_done_again() {
    let running = Running::start().await;
    for (name, kind) in [("refresh-ocr", RerunKind::Ocr), ("refresh-smart-search", RerunKind::Clip)] {
        let answer = running.post(PATH, job(name, &[OWN])).await;
        assert_eq!((answer.status, answer.text().as_str()), (204, ""));
        let (caller, done, assets) = running.shelf.reruns.lock().unwrap().pop().unwrap();
        assert_eq!((caller.user.to_string().as_str(), done), (USER, kind));
        assert_eq!(assets, [OWN.parse::<uuid::Uuid>().unwrap()]);
        // Immich was asked for nothing that has an effect.
        for asked in running.immich.asked() {
            if asked.path == PATH {
                assert_eq!(asked.body, job("refresh-faces", &[]));
            }
        }
    }
}

#[tokio::test]
async fn whoever_may_not_is_refused() {
    let running = Running::start().await;
    for (header, status, words) in [
        ("x-other: 1".to_owned(), 401, "Authentication required"),
        (format!("x-api-key: {NO_JOBS}"), 403, "Missing required permission: job.create"),
        (format!("x-api-key: {NO_USER}"), 403, "Missing required permission: user.read"),
    ] {
        let answer = running.post_as(&header, PATH, job("refresh-ocr", &[OWN])).await;
        assert_eq!((answer.status, &answer.json()["message"]), (status, &json!(words)), "{header}");
    }
    let key = format!("x-api-key: {ALL}");
    let answer = running.post_as(&key, PATH, job("refresh-ocr", &[OWN, USER])).await;
    assert_eq!(
        (answer.status, &answer.json()["message"]),
        (400, &json!("Not found or no asset.update access"))
    );
    let answer = running.post_as(&key, PATH, job("refresh-ocr", &["not an id"])).await;
    assert_eq!(answer.status, 400);
    assert!(running.shelf.reruns.lock().unwrap().is_empty());
}

#[tokio::test]
async fn immichs_own_jobs_and_those_of_shared_links_are_immichs() {
    let running = Running::start().await;
    let body = job("refresh-faces", &[OWN]);
    assert_eq!(running.post(PATH, body.clone()).await.status, 204);
    let asked = running.immich.asked();
    assert_eq!((asked.len(), &asked[0].body), (1, &body));
    running.post(&format!("{PATH}?key=shared"), job("refresh-ocr", &[OWN])).await;
    assert_eq!(running.routes(), [format!("POST {PATH}")]);

    let running = Running::with(false, true).await;
    assert_eq!(running.post(PATH, job("refresh-ocr", &[OWN])).await.status, 400);
    assert_eq!(running.routes(), [format!("POST {PATH}")]);
}

#[tokio::test]
async fn jobs_that_were_only_listened_to_are_not_done() {
    let running = Running::start().await;
    let cookie = format!("Cookie: immich_access_token={SESSION}; viewfinder_listening=1");
    let answer = running.post_as(&cookie, PATH, job("regenerate-thumbnail", &[OWN])).await;
    assert_eq!((answer.status, &answer.json()["message"]), (400, &json!("this job is not meant to be done")));
    let long = json!({"assetIds": vec![OWN; 40_000], "name": "regenerate-thumbnail"});
    assert_eq!(running.post_as(&cookie, PATH, long).await.status, 400);
    assert!(running.immich.asked().is_empty());
    // Ours are meant.
    assert_eq!(running.post_as(&cookie, PATH, job("refresh-ocr", &[OWN])).await.status, 204);
    assert_eq!(running.shelf.reruns.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_failure_is_told() {
    let running = Running::start().await;
    let trouble = LibraryError::Picture { code: "preview", message: "the preview cannot be read".into() };
    *running.shelf.trouble.lock().unwrap() = Some(trouble);
    let answer = running.post(PATH, job("refresh-ocr", &[OWN])).await;
    assert_eq!((answer.status, &answer.json()["message"]), (503, &json!("the preview cannot be read")));
}

#[tokio::test]
async fn what_takes_longer_is_accepted_and_goes_on() {
    let running = Running::start().await;
    running.shelf.work.close();
    assert_eq!(running.post(PATH, job("refresh-ocr", &[OWN])).await.status, 204);
    assert!(running.shelf.reruns.lock().unwrap().is_empty());
    running.shelf.work.open();
    while running.shelf.reruns.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}
