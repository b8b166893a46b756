//! Re-runs as jobs of the companion.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use uuid::Uuid;
use viewfinder_immich::library::{LibraryError, RerunKind};

use crate::companion::{
    immich::{ALL, NO_JOBS, NO_USER, NO_VIEW, OTHER, SESSION, UNLOCKED, captured},
    support::{OWN, Running, Setup, USER, page_of_the_shelf, picture},
};

const PATH: &str = "/_viewfinder/jobs";

fn session(name: &str) -> String {
    format!("Authorization: Bearer {name}")
}

fn pictures(numbers: std::ops::Range<u128>) -> Vec<Uuid> {
    numbers.map(picture).collect()
}

/// Starts a job as somebody.
async fn start(running: &Running, who: &str, assets: &[Uuid]) -> Value {
    let body = json!({"name": "refresh-ocr", "assetIds": assets});
    let answer = running.post_as(&session(who), PATH, body).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()
}

async fn told(running: &Running, who: &str, job: &Value) -> Value {
    let path = format!("{PATH}/{}", job["id"].as_str().unwrap());
    running.get(&path, &[&session(who)]).await.json()
}

/// Asks for a job until it is in some state.
async fn until(running: &Running, who: &str, job: &Value, state: &str) -> Value {
    wait(async || Some(told(running, who, job).await).filter(|told| told["state"] == state)).await
}

/// Waits for something that comes, or ends a test that would wait for ever.
async fn wait<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..3000 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came")
}

async fn wait_for_work(running: &Running, pictures: usize) {
    wait(async || (running.shelf.work.waiting() == pictures).then_some(())).await;
}

async fn with_file(file: &Path) -> Running {
    Running::set_up(Setup { jobs: Some(file.to_owned()), ..Setup::default() }).await
}

/// The companion is started anew.
async fn restarted(running: Running, file: &Path) -> Running {
    running.companion.close();
    let setup = Setup { jobs: Some(file.to_owned()), ..Setup::default() };
    Running::before(running.immich, running.shelf, setup).await
}

#[tokio::test]
async fn a_job_is_accepted_told_of_and_done() {
    let running = Running::start().await;
    running.shelf.work.close();
    let job = start(&running, SESSION, &pictures(0..3)).await;
    let expected = json!({
        "id": job["id"], "name": "refresh-ocr", "state": "running", "all": 3, "done": 0, "failed": 0
    });
    assert_eq!(job, expected);
    let body = json!({"name": "refresh-smart-search", "assetIds": [OWN, OWN]});
    let other = running.post_as(&session(SESSION), PATH, body).await.json();
    assert_eq!((&other["name"], &other["all"]), (&json!("refresh-smart-search"), &json!(1)));
    let answer = running.get(PATH, &[&session(SESSION)]).await;
    assert_eq!(
        (answer.json(), answer.header("cache-control")),
        (json!({"jobs": [other, job]}), Some("no-store"))
    );
    running.shelf.work.open();
    let done = until(&running, SESSION, &job, "done").await;
    assert_eq!((&done["all"], &done["done"], &done["failed"]), (&json!(3), &json!(3), &json!(0)));
    until(&running, SESSION, &other, "done").await;
    let mut reruns = running.shelf.reruns.lock().unwrap().clone();
    reruns.sort_by_key(|(_, _, assets)| assets[0]);
    let user: Uuid = USER.parse().unwrap();
    assert!(reruns.iter().all(|(caller, _, _)| caller.user == user && !caller.elevated));
    let done: Vec<_> = reruns.into_iter().map(|(_, kind, assets)| (kind, assets)).collect();
    let ocr = |number| (RerunKind::Ocr, vec![picture(number)]);
    assert_eq!(done, [ocr(0), ocr(1), ocr(2), (RerunKind::Clip, vec![OWN.parse().unwrap()])]);
    for asked in running.immich.asked() {
        if asked.path.ends_with("/thumbnail") {
            assert_eq!(asked.headers["authorization"], format!("Bearer {SESSION}"));
            assert!(!asked.headers.contains_key("content-length"));
        }
    }
}

#[tokio::test]
async fn users_take_turns() {
    let running = Running::start().await;
    running.shelf.work.close();
    let long = start(&running, SESSION, &pictures(0..200)).await;
    wait_for_work(&running, 2).await;
    let short = start(&running, OTHER, &pictures(0..3)).await;
    let shorter = start(&running, SESSION, &pictures(500..501)).await;
    running.shelf.work.open();
    for (who, job) in [(SESSION, &long), (OTHER, &short), (SESSION, &shorter)] {
        until(&running, who, job, "done").await;
    }
    let reruns = running.shelf.reruns.lock().unwrap();
    let others = reruns.iter().rposition(|(caller, _, _)| caller.user.to_string() != USER).unwrap();
    let own = reruns.iter().position(|(_, _, assets)| assets[0] == picture(500)).unwrap();
    assert_eq!(reruns.len(), 204);
    assert!(others < 12 && own < 12, "{others} {own}");
}

#[tokio::test]
async fn searches_are_answered_while_very_much_is_done_again() {
    let running = Arc::new(Running::start().await);
    running.shelf.work.close();
    let mut requests = tokio::task::JoinSet::new();
    for request in 0..18 {
        let running = Arc::clone(&running);
        requests.spawn(async move {
            let assets = pictures(request * 8..(request + 1) * 8);
            running.post("/api/assets/jobs", json!({"name": "refresh-ocr", "assetIds": assets})).await.status
        });
    }
    // All of them are accepted: they wait for what does not come.
    wait(async || {
        let jobs = running.get(PATH, &[&session(SESSION)]).await.json();
        (jobs["jobs"].as_array().unwrap().len() == 18).then_some(())
    })
    .await;
    let answer = running.post_as(&session(OTHER), "/api/search/smart", json!({"query": "ocr:cat"})).await;
    assert_eq!((answer.status, answer.json()), (200, page_of_the_shelf()));
    assert!(requests.join_all().await.iter().all(|status| *status == 204));
    running.shelf.work.open();
    wait(async || (running.shelf.reruns.lock().unwrap().len() == 18 * 8).then_some(())).await;
}

#[tokio::test]
async fn one_users_searches_leave_places_for_others() {
    let setup = Setup { time: Duration::from_secs(30), ..Setup::default() };
    let running = Arc::new(Running::set_up(setup).await);
    running.shelf.searches.close();
    let slow = json!({"query": "slow"});
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (running, slow) = (Arc::clone(&running), slow.clone());
        requests.spawn(async move { running.post("/api/search/smart", slow).await.json() });
    }
    wait(async || (running.shelf.searches.waiting() == 6).then_some(())).await;
    let answer = running.post_as(&session(OTHER), "/api/search/smart", json!({"query": "cat"})).await;
    assert_eq!(answer.json(), page_of_the_shelf());
    assert_eq!(running.shelf.searches.waiting(), 6);
    running.shelf.searches.open();
    assert!(requests.join_all().await.iter().all(|answer| *answer == page_of_the_shelf()));
}

#[tokio::test]
async fn whoever_leaves_does_not_wait_for_a_place() {
    let setup = Setup { time: Duration::from_secs(30), ..Setup::default() };
    let running = Arc::new(Running::set_up(setup).await);
    running.shelf.searches.close();
    let search = |running: &Arc<Running>| {
        let running = Arc::clone(running);
        tokio::spawn(async move { running.post("/api/search/smart", json!({"query": "slow"})).await })
    };
    let requests: Vec<_> = (0..6).map(|_| search(&running)).collect();
    wait(async || (running.shelf.searches.waiting() == 6).then_some(())).await;
    // Each request that is being answered holds the companion.
    let busy = Arc::strong_count(&running.companion);
    running.immich.asked();
    let leaving = search(&running);
    let judged = ["GET /api/auth/status", "GET /api/users/me", "POST /api/search/metadata"];
    let mut seen = Vec::new();
    wait(async || {
        seen.extend(running.routes());
        (seen.len() == judged.len()).then_some(())
    })
    .await;
    leaving.abort();
    wait(async || (Arc::strong_count(&running.companion) == busy).then_some(())).await;
    running.shelf.searches.open();
    for request in requests {
        assert_eq!(request.await.unwrap().json(), page_of_the_shelf());
    }
    running.post("/api/search/smart", json!({"query": "cat"})).await;
    assert_eq!(running.shelf.asked.lock().unwrap().len(), 7);
}

#[tokio::test]
async fn the_search_of_whoever_leaves_or_waited_for_too_long_ends() {
    let running = Arc::new(Running::set_up(Setup { time: Duration::from_secs(5), ..Setup::default() }).await);
    running.shelf.searches.close();
    let leaving = {
        let running = Arc::clone(&running);
        tokio::spawn(async move { running.post("/api/search/smart", json!({"query": "slow"})).await })
    };
    wait(async || (running.shelf.searches.waiting() == 1).then_some(())).await;
    leaving.abort();
    wait(async || (running.shelf.searches.waiting() == 0).then_some(())).await;
    let setup = Setup { time: Duration::from_millis(500), ..Setup::default() };
    let running = Running::set_up(setup).await;
    running.shelf.searches.close();
    let answer = running.post("/api/search/smart", json!({"query": "slow"})).await;
    assert_eq!(answer.json(), captured("search-smart"));
    assert_eq!((running.shelf.searches.waiting(), running.shelf.asked.lock().unwrap().len()), (0, 1));
}

#[tokio::test]
async fn a_job_goes_on_after_a_restart_where_previews_are_at_hand() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("immich/jobs.json");
    let running = with_file(&file).await;
    running.shelf.has_previews.store(true, std::sync::atomic::Ordering::Relaxed);
    // What a library can do is asked when a companion starts.
    let running = restarted(running, &file).await;
    running.shelf.work.close();
    let key = format!("x-api-key: {ALL}");
    let body = json!({"name": "refresh-smart-search", "assetIds": pictures(0..5)});
    let job = running.post_as(&key, PATH, body).await.json();
    wait_for_work(&running, 2).await;
    let text = std::fs::read_to_string(&file).unwrap();
    for secret in [ALL, SESSION, "x-api-key", "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }
    let running = restarted(running, &file).await;
    running.shelf.work.open();
    // Nobody asks.
    wait(async || {
        let reruns = running.shelf.reruns.lock().unwrap();
        let done: std::collections::BTreeSet<_> = reruns.iter().map(|(_, _, assets)| assets[0]).collect();
        (done.len() == 5).then_some(())
    })
    .await;
    let done = until(&running, SESSION, &job, "done").await;
    assert_eq!(
        (&done["name"], &done["all"], &done["done"]),
        (&json!("refresh-smart-search"), &json!(5), &json!(5))
    );
    assert!(running.immich.asked().iter().all(|asked| !asked.path.ends_with("/thumbnail")));
}

#[tokio::test]
async fn a_job_waits_for_its_owner_after_a_restart_where_immich_gives_the_previews() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.json");
    let running = with_file(&file).await;
    *running.shelf.broken.lock().unwrap() = pictures(0..1);
    let ended = start(&running, SESSION, &pictures(0..1)).await;
    until(&running, SESSION, &ended, "failed").await;
    running.shelf.work.close();
    let first = start(&running, SESSION, &pictures(1..5)).await;
    wait_for_work(&running, 2).await;
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(SESSION) && !text.contains("authorization"), "{text}");

    let running = restarted(running, &file).await;
    // The two in hand before are finished, and nobody counts them.
    running.shelf.work.open();
    wait_for_work(&running, 0).await;
    let others = running.get(PATH, &[&session(OTHER)]).await.json();
    assert_eq!(others, json!({"jobs": []}));
    running.immich.asked();
    start(&running, OTHER, &pictures(0..1)).await;
    // Its owner is back, in another session. It waited until now.
    let jobs = running.get(PATH, &[&session(UNLOCKED)]).await.json();
    assert_eq!(jobs["jobs"][0]["state"], "waiting");
    assert_eq!((&jobs["jobs"][0]["id"], &jobs["jobs"][0]["all"]), (&first["id"], &json!(4)));
    let expected = json!({
        "id": ended["id"], "name": "refresh-ocr", "state": "failed", "all": 1, "done": 0, "failed": 1,
        "message": "the picture is broken"
    });
    assert_eq!(jobs["jobs"][1], expected);
    until(&running, UNLOCKED, &first, "done").await;
    let previews = running.immich.asked().into_iter().filter(|asked| asked.path.ends_with("/thumbnail"));
    let senders: Vec<_> = previews.map(|asked| asked.headers["authorization"].clone()).collect();
    assert_eq!(senders.iter().filter(|sender| **sender == format!("Bearer {UNLOCKED}")).count(), 4);
    assert!(senders.iter().all(|sender| *sender != format!("Bearer {SESSION}")), "{senders:?}");
}

#[tokio::test]
async fn a_session_that_ends_is_waited_for() {
    let running = Running::start().await;
    running.shelf.work.close();
    let job = start(&running, SESSION, &pictures(0..4)).await;
    wait_for_work(&running, 2).await;
    running.immich.sign_out(SESSION);
    running.shelf.work.open();
    wait(async || (running.shelf.work.waiting() == 0).then_some(())).await;
    assert_eq!(running.get(PATH, &[&session(SESSION)]).await.status, 401);
    // A session of somebody else does not help; one of its owner's does.
    running.get(PATH, &[&session(OTHER)]).await;
    assert!(running.shelf.reruns.lock().unwrap().is_empty());
    let done = until(&running, UNLOCKED, &job, "done").await;
    assert_eq!((&done["done"], &done["failed"], &done["message"]), (&json!(4), &json!(0), &Value::Null));
}

#[tokio::test]
async fn a_key_that_sees_no_pictures_is_accepted_and_told_why_nothing_is_done() {
    let running = Running::start().await;
    let key = format!("x-api-key: {NO_VIEW}");
    let body = json!({"name": "refresh-ocr", "assetIds": [OWN]});
    assert_eq!(running.post_as(&key, "/api/assets/jobs", body.clone()).await.status, 204);
    let jobs = running.get(PATH, &[&key]).await.json();
    let (state, message) = (&jobs["jobs"][0]["state"], jobs["jobs"][0]["message"].as_str().unwrap());
    assert_eq!(state, "failed");
    assert!(message.contains("asset.view"), "{message}");
    assert!(running.shelf.reruns.lock().unwrap().is_empty());

    // It ends no job that was started with better credentials.
    running.shelf.work.close();
    let job = start(&running, SESSION, &pictures(0..2)).await;
    wait_for_work(&running, 2).await;
    running.immich.sign_out(SESSION);
    running.shelf.work.open();
    wait_for_work(&running, 0).await;
    let path = format!("{PATH}/{}", job["id"].as_str().unwrap());
    wait(async || {
        let told = running.get(&path, &[&key]).await.json();
        assert!(["running", "waiting"].iter().any(|state| told["state"] == *state), "{told}");
        told["message"].as_str().is_some_and(|message| message.contains("asset.view")).then_some(())
    })
    .await;
    until(&running, UNLOCKED, &job, "done").await;

    let running = Running::start().await;
    running.shelf.has_previews.store(true, std::sync::atomic::Ordering::Relaxed);
    let running = Running::before(running.immich, running.shelf, Setup::default()).await;
    assert_eq!(running.post_as(&key, "/api/assets/jobs", body).await.status, 204);
    assert_eq!(running.shelf.reruns.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_stopped_job_ends_after_the_pictures_in_hand() {
    let running = Running::start().await;
    running.shelf.work.close();
    let job = start(&running, SESSION, &pictures(0..50)).await;
    wait_for_work(&running, 2).await;
    let path = format!("{PATH}/{}", job["id"].as_str().unwrap());
    let stopped = running.send("DELETE", &path, &[&session(SESSION)], "").await;
    assert_eq!((stopped.status, &stopped.json()["state"]), (200, &json!("stopped")));
    let more = json!({"name": "refresh-ocr", "assetIds": pictures(50..60), "job": job["id"]});
    let answer = running.post(PATH, more).await;
    assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("job_stopped")));
    running.shelf.work.open();
    let next = start(&running, SESSION, &pictures(100..101)).await;
    until(&running, SESSION, &next, "done").await;
    let told =
        wait(async || Some(told(&running, SESSION, &job).await).filter(|told| told["done"] == 2)).await;
    assert_eq!((&told["state"], &told["all"]), (&json!("stopped"), &json!(50)));
    assert_eq!(running.shelf.reruns.lock().unwrap().len(), 3);
    let again = running.send("DELETE", &path, &[&session(SESSION)], "").await;
    assert_eq!(again.json(), told);
}

#[tokio::test]
async fn pictures_are_added_to_a_job_and_never_twice() {
    let running = Running::start().await;
    running.shelf.work.close();
    let job = start(&running, SESSION, &pictures(0..3)).await;
    let same = start(&running, SESSION, &pictures(1..3)).await;
    assert_eq!((&same["id"], &same["all"], &same["already"]), (&job["id"], &json!(3), &json!(true)));
    let compatible =
        running.post("/api/assets/jobs", json!({"name": "refresh-ocr", "assetIds": [picture(0)]}));
    assert_eq!(compatible.await.status, 204);
    let more = start(&running, SESSION, &pictures(2..5)).await;
    assert_eq!((&more["all"], &more["already"]), (&json!(2), &Value::Null));
    assert_ne!(more["id"], job["id"]);
    let add = async |assets: &[Uuid], name: &str, who: &str| {
        let body = json!({"name": name, "assetIds": assets, "job": job["id"]});
        running.post_as(&session(who), PATH, body).await
    };
    let added = add(&pictures(4..8), "refresh-ocr", SESSION).await;
    assert_eq!((added.status, &added.json()["id"], &added.json()["all"]), (202, &job["id"], &json!(6)));
    for (name, who, status, code) in
        [("refresh-smart-search", SESSION, 409, "other_job"), ("refresh-ocr", OTHER, 404, "no_such_job")]
    {
        let answer = add(&pictures(10..11), name, who).await;
        assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)));
    }
    running.shelf.work.open();
    until(&running, SESSION, &job, "done").await;
    until(&running, SESSION, &more, "done").await;
    assert_eq!(running.shelf.reruns.lock().unwrap().len(), 8);
    let late = add(&pictures(20..21), "refresh-ocr", SESSION).await;
    assert_eq!((late.status, &late.json()["code"]), (409, &json!("job_ended")));
    let again = start(&running, SESSION, &pictures(0..1)).await;
    assert!(again["already"].is_null() && again["id"] != job["id"] && again["id"] != more["id"], "{again}");
}

#[tokio::test]
async fn others_are_told_nothing_of_a_job() {
    let running = Running::start().await;
    running.shelf.work.close();
    let job = start(&running, SESSION, &pictures(0..1)).await;
    let path = format!("{PATH}/{}", job["id"].as_str().unwrap());
    for method in ["GET", "DELETE"] {
        for (header, path, status, message) in [
            (session(OTHER), path.as_str(), 404, "there is no such job"),
            (session(SESSION), "/_viewfinder/jobs/nonsense", 404, "there is no such job"),
            ("x-other: 1".to_owned(), path.as_str(), 401, "Authentication required"),
            (format!("x-api-key: {NO_USER}"), path.as_str(), 403, "Missing required permission: user.read"),
            (session(SESSION), &format!("{path}?key=shared"), 403, "shared links have no jobs"),
        ] {
            let answer = running.send(method, path, &[&header], "").await;
            assert_eq!((answer.status, &answer.json()["message"]), (status, &json!(message)), "{header}");
        }
    }
    assert_eq!(told(&running, SESSION, &job).await["state"], "running");
    running.shelf.work.open();
}

#[tokio::test]
async fn what_cannot_be_a_job_is_refused() {
    let running = Running::start().await;
    let long = json!({"name": "refresh-ocr", "assetIds": vec![OWN; 40_000]});
    let bad: [(Value, &str); 8] = [
        (json!(["refresh-ocr"]), "the body must be an object"),
        (json!({"name": "refresh-faces", "assetIds": [OWN]}), "the body must be an object, with refresh-ocr"),
        (json!({"name": "refresh-ocr"}), "each value in assetIds must be a UUID"),
        (json!({"name": "refresh-ocr", "assetIds": ["x"]}), "each value in assetIds must be a UUID"),
        (json!({"name": "refresh-ocr", "assetIds": []}), "assetIds should not be empty"),
        (json!({"name": "refresh-ocr", "assetIds": [OWN, USER]}), "Not found or no asset.update access"),
        (
            json!({"name": "refresh-ocr", "assetIds": [OWN], "job": 1}),
            "each value in assetIds must be a UUID, and so must job",
        ),
        (long, "the body must be JSON"),
    ];
    for (body, message) in bad {
        let answer = running.post(PATH, body).await;
        assert_eq!(answer.status, 400, "{message}");
        assert!(answer.json()["message"].as_str().unwrap().starts_with(message), "{}", answer.text());
    }
    let form = ["Content-Type: application/x-www-form-urlencoded", &session(SESSION)];
    assert_eq!(running.send("POST", PATH, &form, "name=refresh-ocr").await.status, 400);
    let body = json!({"name": "refresh-ocr", "assetIds": [OWN]});
    for (header, path, status) in [
        (format!("x-api-key: {NO_JOBS}"), PATH, 403),
        ("x-other: 1".to_owned(), PATH, 401),
        (session(SESSION), "/_viewfinder/jobs?slug=shared", 403),
    ] {
        assert_eq!(running.post_as(&header, path, body.clone()).await.status, status, "{header}");
    }
    let jobs = running.get(PATH, &[&session(SESSION)]).await.json();
    assert_eq!(jobs, json!({"jobs": []}));
    let without = Running::with(false, true).await;
    assert_eq!(without.post(PATH, body).await.status, 404);
    assert!(without.immich.asked().is_empty());
}

#[tokio::test]
async fn a_picture_that_fails_is_counted_and_the_others_are_done() {
    let running = Running::start().await;
    *running.shelf.broken.lock().unwrap() = pictures(1..2);
    let job = start(&running, SESSION, &pictures(0..6)).await;
    let done = until(&running, SESSION, &job, "done").await;
    assert_eq!((&done["done"], &done["failed"]), (&json!(5), &json!(1)));
    assert_eq!(done["message"], "the picture is broken");
    let job = start(&running, SESSION, &pictures(1..2)).await;
    let failed = until(&running, SESSION, &job, "failed").await;
    assert_eq!(failed["message"], "the picture is broken");
}

#[tokio::test]
async fn an_immich_that_hangs_fails_no_picture() {
    let setup = Setup { preview_time: Duration::from_millis(100), ..Setup::default() };
    let running = Running::set_up(setup).await;
    for picture in pictures(0..4) {
        running.immich.delay(picture);
    }
    let job = start(&running, SESSION, &pictures(0..4)).await;
    let paused = wait_for_message(&running, &job).await;
    assert_eq!(paused["message"], "no preview within 100ms");
    assert_eq!((&paused["state"], &paused["failed"]), (&json!("running"), &json!(0)));
    running.immich.hurry();
    let done = until(&running, SESSION, &job, "done").await;
    assert_eq!((&done["done"], &done["failed"]), (&json!(4), &json!(0)));
}

async fn wait_for_message(running: &Running, job: &Value) -> Value {
    wait(async || Some(told(running, SESSION, job).await).filter(|told| told["message"].is_string())).await
}

#[tokio::test]
async fn trouble_that_passes_pauses_a_job() {
    let running = Running::start().await;
    for trouble in [
        LibraryError::Failed { code: "database_away", message: "no connection".into() },
        LibraryError::Unsupported("search by meaning is off".into()),
    ] {
        *running.shelf.trouble.lock().unwrap() = Some(trouble.clone());
        let job = start(&running, SESSION, &pictures(0..4)).await;
        let paused = wait_for_message(&running, &job).await;
        assert_eq!((&paused["state"], &paused["message"]), (&json!("running"), &json!(trouble.to_string())));
        assert_eq!((&paused["done"], &paused["failed"]), (&json!(0), &json!(0)));
        *running.shelf.trouble.lock().unwrap() = None;
        let done = until(&running, SESSION, &job, "done").await;
        assert_eq!((&done["done"], &done["failed"], &done["message"]), (&json!(4), &json!(0), &Value::Null));
    }
}

#[tokio::test]
async fn an_immich_that_says_nothing_keeps_nobody_waiting() {
    let setup = Setup { time: Duration::from_millis(100), ..Setup::default() };
    let running = Running::set_up(setup).await;
    running.immich.silence("/api/users/me");
    let body = json!({"name": "refresh-ocr", "assetIds": [OWN]});
    let id = format!("{PATH}/{}", Uuid::nil());
    let who = session(SESSION);
    for answer in [
        running.post(PATH, body.clone()).await,
        running.post("/api/assets/jobs", body).await,
        running.get(PATH, &[&who]).await,
        running.send("DELETE", &id, &[&who], "").await,
    ] {
        assert_eq!((answer.status, &answer.json()["code"]), (502, &json!("unclear")));
    }
}

#[tokio::test]
async fn whoever_may_start_no_jobs_stops_none() {
    let running = Running::start().await;
    running.shelf.work.close();
    let job = start(&running, SESSION, &pictures(0..3)).await;
    let path = format!("{PATH}/{}", job["id"].as_str().unwrap());
    let answer = running.send("DELETE", &path, &[&format!("x-api-key: {NO_JOBS}")], "").await;
    assert_eq!(
        (answer.status, &answer.json()["message"]),
        (403, &json!("Missing required permission: job.create"))
    );
    running.shelf.work.open();
    until(&running, SESSION, &job, "done").await;
}

#[tokio::test]
async fn what_is_told_to_whoever_stops_a_job_counts_the_pictures_in_hand() {
    let running = Arc::new(Running::start().await);
    running.shelf.work.close();
    let job = start(&running, SESSION, &pictures(0..50)).await;
    wait_for_work(&running, 2).await;
    let path = format!("{PATH}/{}", job["id"].as_str().unwrap());
    let stopping = {
        let running = Arc::clone(&running);
        tokio::spawn(async move { running.send("DELETE", &path, &[&session(SESSION)], "").await.json() })
    };
    until(&running, SESSION, &job, "stopped").await;
    running.shelf.work.open();
    let stopped = stopping.await.unwrap();
    assert_eq!((&stopped["state"], &stopped["done"]), (&json!("stopped"), &json!(2)));
}

#[tokio::test]
async fn a_damaged_file_is_kept_aside_and_replaced() {
    for damaged in ["{\"version\":1,\"jobs\":[{\"id\"", "{\"version\":9,\"jobs\":[]}", "\u{0}"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jobs.json");
        std::fs::write(&file, damaged).unwrap();
        let running = with_file(&file).await;
        let job = start(&running, SESSION, &pictures(0..1)).await;
        until(&running, SESSION, &job, "done").await;
        assert_eq!(std::fs::read_to_string(folder.path().join("jobs.json.damaged")).unwrap(), damaged);
        let running = restarted(running, &file).await;
        assert_eq!(told(&running, SESSION, &job).await["state"], "done");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A file in place of the folder.
    std::fs::write(folder.path().join("immich"), "").unwrap();
    let running = with_file(&folder.path().join("immich/jobs.json")).await;
    let job = start(&running, SESSION, &pictures(0..2)).await;
    until(&running, SESSION, &job, "done").await;
    let answer = running.post("/api/search/smart", json!({"query": "cat"})).await;
    assert_ne!(answer.json(), captured("search-smart"));
}
