//! Searches: answered here, refused as Immich refuses, or left to Immich.

use std::time::Duration;

use serde_json::{Value, json};
use viewfinder_immich::library::{LibraryError, SearchRoute};

use crate::companion::{
    immich::{ALL, NO_READ, NO_STATISTICS, NO_USER, SESSION, UNLOCKED, captured},
    support::{CURSOR, Running, USER, found, page_of_the_shelf},
};

const JUDGED: [&str; 3] = ["GET /api/auth/status", "GET /api/users/me", "POST /api/search/metadata"];

#[tokio::test]
async fn a_search_is_answered_from_the_library_in_immichs_shape() {
    let running = Running::start().await;
    let body =
        json!({"query": "ocr:invoice", "withExif": true, "personIds": [USER], "page": 2, "language": "en"});
    let answer = running.post("/api/search/smart", body.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.json(), page_of_the_shelf());
    // Every key that a real answer has is there, and no other.
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let real = captured("search-smart");
    for part in ["albums", "assets"] {
        let (mut ours, mut theirs) = (keys(&answer.json()[part]), keys(&real[part]));
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs);
    }

    let asked = running.immich.asked();
    assert_eq!(asked.len(), 3);
    for asked in &asked {
        assert_eq!(asked.headers["authorization"], format!("Bearer {SESSION}"));
        assert_eq!(asked.headers["accept-encoding"], "identity");
        assert_eq!(asked.headers["host"], "photos");
        if asked.path == "/api/search/metadata" {
            assert_eq!(asked.body, json!({"personIds": [USER], "size": 1}));
        } else {
            assert_eq!(asked.body, Value::Null);
            assert!(!asked.headers.contains_key("content-length"), "{asked:?}");
        }
    }
    let shelf = running.shelf.asked.lock().unwrap();
    let (caller, question) = &shelf[0];
    assert_eq!((caller.user.to_string().as_str(), caller.elevated), (USER, false));
    assert_eq!(*question, body);
}

#[tokio::test]
async fn every_carrier_of_credentials_is_passed_on() {
    let running = Running::start().await;
    for (header, path) in [
        (format!("x-immich-user-token: {SESSION}"), "/api/search/smart"),
        (format!("X-Immich-Session-Token: {SESSION}"), "/api/search/smart"),
        (
            format!("Cookie: a=b; immich_access_token={SESSION}; immich_auth_type=password"),
            "/api/search/smart",
        ),
        (format!("x-api-key: {ALL}"), "/api/search/smart"),
        ("x-other: 1".to_owned(), "/api/search/smart?sessionKey=session"),
        ("x-other: 1".to_owned(), "/api/search/smart/?apiKey=key-all"),
    ] {
        let answer = running.post_as(&header, path, json!({"query": "cat"})).await;
        assert_eq!((answer.status, answer.json()), (200, page_of_the_shelf()), "{header} {path}");
        assert_eq!(running.routes(), JUDGED, "{header} {path}");
    }
}

#[tokio::test]
async fn what_immich_refuses_is_refused_in_its_words() {
    let running = Running::start().await;
    let locked = json!({"query": "cat", "visibility": "locked"});
    for (header, body, status, words) in [
        ("x-other: 1".to_owned(), json!({"query": "cat"}), 401, "Authentication required"),
        ("x-api-key: stolen".to_owned(), json!({"query": "cat"}), 401, "Invalid user token"),
        (
            format!("x-api-key: {NO_READ}"),
            json!({"query": "cat"}),
            403,
            "Missing required permission: asset.read",
        ),
        (format!("x-api-key: {SESSION}"), locked.clone(), 401, "Elevated permission is required"),
        (format!("x-api-key: {SESSION}"), json!({"query": "cat", "type": "PICTURE"}), 400, "type must be"),
    ] {
        let answer = running.post_as(&header, "/api/search/smart", body).await;
        assert_eq!(answer.status, status, "{header}");
        assert!(answer.json()["message"].as_str().unwrap().starts_with(words), "{}", answer.text());
        assert_eq!(answer.header("x-immich-cid"), Some("c"));
        assert_eq!(running.routes(), JUDGED, "{header}");
    }
    assert!(
        running.shelf.asked.lock().unwrap().is_empty(),
        "the library was asked for somebody without rights"
    );

    let answer =
        running.post_as(&format!("x-immich-user-token: {UNLOCKED}"), "/api/search/smart", locked).await;
    assert_eq!(answer.status, 200);
    assert!(running.shelf.asked.lock().unwrap()[0].0.elevated);
}

#[tokio::test]
async fn shared_links_keys_that_hide_their_user_and_other_questions_are_immichs() {
    let running = Running::start().await;
    let token = format!("Authorization: Bearer {SESSION}");
    let picture = json!({"queryAssetId": USER, "size": 10});
    for (header, path, body) in [
        (token.as_str(), "/api/search/smart?key=shared", json!({"query": "cat"})),
        (token.as_str(), "/api/search/metadata?slug=shared", json!({"ocr": "cat"})),
        (token.as_str(), "/api/search/smart", picture),
        (token.as_str(), "/api/search/smart", json!(["query"])),
        (token.as_str(), "/api/search/metadata", json!({"city": "Rome", "unheardOf": [1, 2]})),
        (token.as_str(), "/api/search/metadata", json!({"query": "time 12:30"})),
        (token.as_str(), "/api/search/metadata", json!({"filter": {"city": {"eq": "Rome"}}, "size": 3})),
        (token.as_str(), "/api/search/statistics", json!({"city": "Rome"})),
        (token.as_str(), "/api/search/random", json!({"query": "ocr:cat"})),
    ] {
        running.post_as(header, path, body.clone()).await;
        let asked = running.immich.asked();
        assert_eq!(asked.len(), 1, "{path} {body}");
        assert_eq!(asked[0].body, body);
        assert_eq!(format!("{}?{}", asked[0].path, asked[0].query).trim_end_matches('?'), path);
    }
    let header = format!("x-api-key: {NO_USER}");
    let answer = running.post_as(&header, "/api/search/smart", json!({"query": "cat"})).await;
    assert_eq!(answer.json(), captured("search-smart"));
    assert!(running.shelf.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn bodies_that_are_not_small_json_pass_unread() {
    let running = Running::start().await;
    let token = format!("Authorization: Bearer {SESSION}");
    for (kind, body) in [
        ("application/x-www-form-urlencoded", "query=cat"),
        ("application/jsonx", r#"{"query":"cat"}"#),
        ("application/json; charset=utf-16", r#"{"query":"cat"}"#),
    ] {
        let kind = format!("Content-Type: {kind}");
        running.send("POST", "/api/search/smart", &[&token, &kind], body).await;
        assert_eq!(running.routes(), ["POST /api/search/smart"], "{kind}");
    }
    let long = json!({"query": "cat", "personIds": vec![USER; 40_000]});
    running.post("/api/search/smart", long.clone()).await;
    let asked = running.immich.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].body, long);
}

#[tokio::test]
async fn trouble_here_leaves_plain_searches_to_immich_as_they_came() {
    let running = Running::start().await;
    let body = json!({"query": "a cat", "size": 7, "withExif": true});
    for trouble in [
        LibraryError::Unsupported("unheardOf is not known".into()),
        LibraryError::Failed { code: "database_away", message: "no connection".into() },
    ] {
        *running.shelf.trouble.lock().unwrap() = Some(trouble);
        let answer = running.post("/api/search/smart", body.clone()).await;
        assert_eq!((answer.status, answer.json()), (200, captured("search-smart")));
        let last = running.immich.asked().pop().unwrap();
        assert_eq!((last.path.as_str(), &last.body), ("/api/search/smart", &body));
    }
}

#[tokio::test]
async fn a_library_that_thinks_for_too_long_is_not_waited_for() {
    let running = Running::start().await;
    *running.shelf.time.lock().unwrap() = Duration::from_secs(4);
    let answer = running.post("/api/search/smart", json!({"query": "a cat"})).await;
    assert_eq!((answer.status, answer.json()), (200, captured("search-smart")));
}

#[tokio::test]
async fn text_that_cannot_be_searched_here_is_searched_by_immich() {
    for library in [true, false] {
        let running = Running::with(library, true).await;
        *running.shelf.trouble.lock().unwrap() =
            Some(LibraryError::Failed { code: "database_away", message: "no connection".into() });
        for (path, body) in [
            ("/api/search/smart", json!({"query": "ocr: 发票 ", "page": 2, "type": "IMAGE"})),
            ("/api/search/ocr", json!({"ocr": "发票", "page": 2, "type": "IMAGE"})),
        ] {
            let answer = running.post(path, body).await;
            assert_eq!((answer.status, answer.json()), (200, captured("search-metadata-ocr")));
            let last = running.immich.asked().pop().unwrap();
            assert_eq!(last.path, "/api/search/metadata");
            assert_eq!(last.body, json!({"ocr": "发票", "page": 2, "type": "IMAGE", "size": 100}));
        }
        // An Immich without OCR gets what was sent.
        running.immich.forget("ocr");
        let body = json!({"query": "ocr:发票"});
        for path in ["/api/search/smart", "/api/search/metadata"] {
            running.post(path, body.clone()).await;
            let last = running.immich.asked().pop().unwrap();
            assert_eq!((last.path.as_str(), &last.body), (path, &body));
        }
    }
}

#[tokio::test]
async fn text_after_a_prefix_is_found_while_search_by_meaning_is_off() {
    // Immich's page searches for files then, with what was typed as `query`.
    let body = json!({"query": "ocr:Exit", "page": 1, "withExif": true, "language": "en"});
    let running = Running::start().await;
    let answer = running.post("/api/search/metadata", body.clone()).await;
    assert_eq!(answer.json(), page_of_the_shelf());
    assert_eq!(running.routes(), JUDGED);
    let question = json!({"ocr": "Exit", "page": 1, "withExif": true, "language": "en"});
    assert_eq!(running.shelf.asked.lock().unwrap()[0].1, question);

    let running = Running::with(false, true).await;
    running.post("/api/search/metadata", body).await;
    let last = running.immich.asked().pop().unwrap();
    assert_eq!((last.path.as_str(), last.body), ("/api/search/metadata", question));
    // A prefix within Immich's own field is taken away; what has none is sent as it came.
    running.post("/api/search/metadata", json!({"ocr": "ocr:Exit"})).await;
    assert_eq!(running.immich.asked().pop().unwrap().body, json!({"ocr": "Exit"}));
    let body = json!({"ocr": "Exit", "query": "ocr:other"});
    running.post("/api/search/metadata", body.clone()).await;
    let asked = running.immich.asked();
    assert_eq!((asked.len(), &asked[0].body), (1, &body));
}

#[tokio::test]
async fn text_in_the_search_for_files_is_ranked_here() {
    let running = Running::start().await;
    let answer =
        running.post("/api/search/metadata", json!({"ocr": "发票", "query": "ignored", "size": 1000})).await;
    assert_eq!(answer.json(), page_of_the_shelf());
    assert_eq!(running.routes(), JUDGED);
    assert_eq!(running.shelf.asked.lock().unwrap()[0].1, json!({"ocr": "发票", "size": 1000}));
}

#[tokio::test]
async fn the_route_of_the_seeds_fork_exists() {
    let running = Running::start().await;
    let answer = running.post("/api/search/ocr", json!({"ocr": "发票", "language": "zh"})).await;
    assert_eq!((answer.status, answer.json()), (200, page_of_the_shelf()));
    let question = json!({"ocr": "发票", "language": "zh", "size": 100});
    assert_eq!(running.shelf.asked.lock().unwrap()[0].1, question);

    let answer = running.post("/api/search/ocr", json!({"ocr": " "})).await;
    assert_eq!((answer.status, &answer.json()["message"]), (400, &json!("ocr should not be empty")));
    let answer = running.post_as("x-other: 1", "/api/search/ocr", json!({"ocr": ""})).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn long_answers_are_compressed_for_those_who_like_it() {
    let running = Running::start().await;
    let token = format!("Authorization: Bearer {SESSION}");
    let headers = [&token, "Content-Type: application/json", "Accept-Encoding: gzip, br"];
    let answer = running.send("POST", "/api/search/smart", &headers, r#"{"query":"cat"}"#).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let decoded: Value =
        serde_json::from_reader(flate2::read::GzDecoder::new(answer.body.as_slice())).unwrap();
    assert_eq!(decoded, page_of_the_shelf());
}

#[tokio::test]
async fn without_immich_a_search_is_a_bad_gateway() {
    let running = Running::start().await;
    running.immich.stop();
    // Its listener closes with the task.
    while tokio::net::TcpStream::connect(running.immich.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let answer = running.post("/api/search/smart", json!({"query": "cat"})).await;
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(running.shelf.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_search_of_the_second_shape_is_answered_where_immich_knows_it() {
    let body = json!({"filter": {"city": {"eq": "Rome"}, "ocr": {"matches": "发票"}}, "size": 2});
    let running = Running::start().await;
    running.immich.is_newer();
    let answer = running.post("/api/search/metadata", body.clone()).await;
    let mut expected = page_of_the_shelf();
    expected["assets"]["nextPage"] = Value::Null;
    expected["assets"]["nextCursor"] = json!(CURSOR);
    assert_eq!(answer.json(), expected);
    let probe =
        running.immich.asked().into_iter().find(|asked| asked.path == "/api/search/metadata").unwrap();
    assert_eq!(probe.body, json!({"filter": {"city": {"eq": "Rome"}}, "size": 1}));
    assert_eq!(running.shelf.asked.lock().unwrap().pop().unwrap().1, body);
    // The flat shape has both, of which one is never set.
    let answer = running.post("/api/search/smart", json!({"query": "cat"})).await;
    let assets = &answer.json()["assets"];
    assert_eq!((&assets["nextPage"], &assets["nextCursor"]), (&json!("3"), &Value::Null));
    // An older Immich passes filters over, and so does what stands before it.
    let running = Running::start().await;
    let answer = running.post("/api/search/metadata", body.clone()).await;
    assert_eq!(answer.json(), captured("search-metadata-ocr"));
    assert_eq!(running.immich.asked().pop().unwrap().body, body);
    assert!(running.shelf.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn text_beside_a_filter_is_never_said_in_a_way_that_immich_refuses() {
    let running = Running::start().await;
    running.immich.is_newer();
    *running.shelf.trouble.lock().unwrap() = Some(LibraryError::Unsupported("brandNew is not known".into()));
    let filter = json!({"brandNew": {"eq": 1}});
    let body = json!({"query": "ocr:发票", "language": "zh", "filter": filter, "withExif": true});
    for path in ["/api/search/smart", "/api/search/metadata"] {
        running.post(path, body.clone()).await;
        let last = running.immich.asked().pop().unwrap();
        assert_eq!(last.path, "/api/search/metadata");
        let mut expected =
            json!({"filter": {"brandNew": {"eq": 1}, "ocr": {"matches": "发票"}}, "withExif": true});
        if path.ends_with("smart") {
            expected["size"] = json!(100);
        }
        assert_eq!(last.body, expected);
    }
    // Plain words are sent as they came.
    let body = json!({"query": "a cat", "filter": filter});
    running.post("/api/search/smart", body.clone()).await;
    let last = running.immich.asked().pop().unwrap();
    assert_eq!((last.path.as_str(), last.body), ("/api/search/smart", body));
    // Nor do fields of the other shape stay beside it.
    let running = Running::with(false, true).await;
    running.post("/api/search/ocr", json!({"filter": {}, "ocr": "发票", "page": 2})).await;
    let last = running.immich.asked().pop().unwrap();
    assert_eq!(last.body, json!({"filter": {"ocr": {"matches": "发票"}}, "size": 100}));
}

#[tokio::test]
async fn text_is_counted_and_drawn_from() {
    let running = Running::start().await;
    let answer = running.post("/api/search/statistics", json!({"ocr": "发票", "city": "Rome"})).await;
    assert_eq!(answer.json(), json!({"total": 500}));
    let probe =
        running.immich.asked().into_iter().find(|asked| asked.path == "/api/search/statistics").unwrap();
    assert_eq!(probe.body, json!({"city": "Rome"}), "counting has a permission of its own");
    let answer = running.post("/api/search/random", json!({"ocr": "发票", "size": 3})).await;
    assert_eq!(answer.json(), Value::Array(found()));
    assert_eq!(*running.shelf.routes.lock().unwrap(), [SearchRoute::Statistics, SearchRoute::Random]);
    for (key, path) in [(NO_STATISTICS, "/api/search/statistics"), (NO_READ, "/api/search/random")] {
        let answer = running.post_as(&format!("x-api-key: {key}"), path, json!({"ocr": "a"})).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    // The second shape is counted where Immich knows it.
    let structured = json!({"filter": {"ocr": {"matches": "发票"}}});
    assert_eq!(running.post("/api/search/statistics", structured.clone()).await.json(), json!({"total": 45}));
    running.immich.is_newer();
    assert_eq!(running.post("/api/search/statistics", structured).await.json(), json!({"total": 500}));
    // What cannot be counted here is counted by Immich.
    *running.shelf.trouble.lock().unwrap() = Some(LibraryError::Unsupported("unheardOf is not known".into()));
    let answer = running.post("/api/search/statistics", json!({"ocr": "发票"})).await;
    assert_eq!(answer.json(), json!({"total": 45}));
    // On its own path: a list would be no answer. A prefix is taken away, and nothing else is changed.
    for (path, answer) in
        [("/api/search/statistics", json!({"total": 45})), ("/api/search/random", json!([]))]
    {
        for (body, said) in [
            (json!({"ocr": "a", "query": "ocr:b"}), json!({"ocr": "a", "query": "ocr:b"})),
            (json!({"ocr": "ocr:cat", "size": 3}), json!({"ocr": "cat", "size": 3})),
            (json!({"ocr": "ocr:cat", "query": "ocr:b"}), json!({"ocr": "cat", "query": "ocr:b"})),
        ] {
            assert_eq!(running.post(path, body).await.json(), answer);
            let last = running.immich.asked().pop().unwrap();
            assert_eq!((last.path.as_str(), last.body), (path, said));
        }
    }
}

#[tokio::test]
async fn a_prefix_with_nothing_behind_it_finds_nothing() {
    let running = Running::start().await;
    let mut empty = page_of_the_shelf();
    empty["assets"] = json!({"total": 0, "count": 0, "items": [], "facets": [], "nextPage": null});
    for (path, body) in [
        ("/api/search/smart", json!({"query": " ocr: ", "page": 1})),
        ("/api/search/metadata", json!({"query": "OCR：", "ocr": ""})),
        ("/api/search/metadata", json!({"ocr": "ocr:"})),
    ] {
        assert_eq!(running.post(path, body).await.json(), empty);
    }
    assert!(running.shelf.asked.lock().unwrap().is_empty());
    // Whoever may not search is told so.
    let answer = running.post_as("x-other: 1", "/api/search/smart", json!({"query": "ocr:"})).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn where_nothing_is_found_immich_shows_what_comes_nearest() {
    let running = Running::start().await;
    *running.shelf.trouble.lock().unwrap() = Some(LibraryError::NothingFound);
    let body = json!({"query": "a zeppelin"});
    assert_eq!(running.post("/api/search/smart", body.clone()).await.json(), captured("search-smart"));
    assert_eq!(running.immich.asked().pop().unwrap().body, body);
}

/// A search with so many values beside the words.
fn wide(values: usize) -> Value {
    json!({"query": "cat", "personIds": vec![USER; values]})
}

#[tokio::test]
async fn what_strangers_send_is_not_read_before_immich_knows_them() {
    let running = Running::start().await;
    // Long, and short with many values.
    for bomb in [wide(3000).to_string(), format!(r#"{{"query":"cat","a":[{}[]]}}"#, "[],".repeat(1000))] {
        let json = "Content-Type: application/json";
        let answer = running.send("POST", "/api/search/smart", &[json, "x-api-key: stolen"], &bomb).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
        assert_eq!(running.routes(), ["GET /api/users/me", "POST /api/search/smart"]);
    }
    let job = json!({"name": "refresh-ocr", "assetIds": vec![USER; 1000]});
    let answer = running.post_as("x-api-key: stolen", "/_viewfinder/jobs", job).await;
    assert_eq!((answer.status, running.routes()), (401, vec!["GET /api/users/me".to_owned()]));
}

#[tokio::test]
async fn a_users_long_search_is_answered_and_one_without_end_is_left_to_immich() {
    let running = Running::start().await;
    let answer = running.post("/api/search/smart", wide(20_000)).await;
    assert_eq!((answer.status, answer.json()), (200, page_of_the_shelf()));
    running.immich.asked();
    let ids = vec![0; 40_000];
    running.post("/api/search/smart", json!({"query": "cat", "personIds": ids})).await;
    assert_eq!(running.routes(), ["GET /api/users/me", "POST /api/search/smart"]);
}
