//! Who is let in, and by what.
use serde_json::json;
use viewfinder_web::{ROUTES, open_paths};

use crate::{GIVEN, Setup, TOKEN, World, http::Answer, library::backend};

/// Every route that shows or changes something, with numbers that are some picture's.
fn private() -> impl Iterator<Item = String> {
    ROUTES.iter().filter(|(_, path)| !open_paths().any(|open| open == *path)).map(|(method, path)| {
        let numbers = [("{id}", "1"), ("{line}", "0"), ("{asset}", "1"), ("{face}", "0")];
        let path = numbers.iter().fold((*path).to_owned(), |path, (name, number)| path.replace(name, number));
        format!("{method} {path}")
    })
}

async fn with(world: &World, route: &str, header: &str) -> Answer {
    let head = format!("{route} HTTP/1.1\r\nContent-Type: application/json{header}");
    world.exchange(&head, b"{}").await
}

/// What a browser sends back.
fn returned(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    format!("\r\nCookie: other=1; {}", cookie.split(';').next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_there_and_wants_the_token() {
    let world = World::analysed().await;
    assert_eq!(private().count(), 23);
    for route in private() {
        for header in [
            "",
            "\r\nAuthorization: Bearer wrong",
            "\r\nAuthorization: Bearer",
            "\r\nx-api-key: wrong",
            "\r\nCookie: viewfinder_token=wrong",
            &format!("\r\nCookie: viewfinder_token={TOKEN}"),
            "\r\nX-Forwarded-For: 127.0.0.1",
        ] {
            let answer = with(&world, &route, header).await;
            assert_eq!(answer.problem(), (401, "token_needed".to_owned()), "{route}{header}");
        }
        let shown =
            ["Authorization: Bearer", "api-key:", "x-api-key:"].map(|how| format!("\r\n{how} {TOKEN}"));
        for header in shown.into_iter().chain([format!("\r\nx-api-key: {GIVEN}")]) {
            let answer = with(&world, &route, &header).await;
            // What the routes themselves say to an empty body; 404, once the face is nobody's, and 415 to what is no picture.
            assert!(
                [200, 202, 204, 404, 415, 422].contains(&answer.status),
                "{route}{header}: {}",
                answer.status
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_by_who_is_not_let_in() {
    let world = World::analysed().await;
    let before = world.json("/api/v1/status").await["revision"].clone();
    for (route, body) in [
        ("PATCH /api/v1/assets/1/lines/0", json!({"text": "mine"})),
        ("PATCH /api/v1/people/1", json!({"name": "me"})),
        ("PATCH /api/v1/people", json!({"people": [1], "name": "me"})),
        ("POST /api/v1/people", json!({"asset": 1, "face": 0})),
        ("POST /api/v1/people/1/merge", json!({"people": [2]})),
        ("DELETE /api/v1/people/1/faces/1/0", json!({})),
        ("PUT /api/v1/people/2/faces/1/0", json!({})),
        ("POST /api/v1/assets/1/rerun", json!({"kinds": ["ocr"]})),
        ("POST /api/v1/rerun", json!({"kinds": ["ocr"], "query": ""})),
    ] {
        let head = format!("{route} HTTP/1.1\r\nContent-Type: application/json");
        assert_eq!(world.exchange(&head, body.to_string().as_bytes()).await.status, 401, "{route}");
    }
    assert_eq!(world.json("/api/v1/status").await["revision"], before);
    assert_eq!(world.json("/api/v1/jobs").await["jobs"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_in_the_pages_address_becomes_a_cookie() {
    let world = World::analysed().await;
    let page = |token: &str| format!("GET /photos?token={token} HTTP/1.1");
    let answer = world.exchange(&page(TOKEN), b"").await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/photos")));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000"), "{cookie}");
    assert!(!cookie.starts_with(&format!("viewfinder_token={TOKEN};")), "{cookie}");
    for route in private() {
        assert_ne!(with(&world, &route, &returned(&answer)).await.status, 401, "{route}");
    }
    let head = page(TOKEN) + "\r\nX-Forwarded-Proto: https";
    let answer = world.exchange(&head, b"").await;
    assert!(answer.header("set-cookie").unwrap().ends_with("; Secure"));
    // A wrong one is no reason to hide the page, on which one can sign in.
    let answer = world.exchange(&page("wrong"), b"").await;
    assert_eq!((answer.status, answer.header("set-cookie")), (200, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_without_a_key_gets_a_page_that_asks_for_it_whatever_it_opens() {
    let world = World::analysed().await;
    let accept = "\r\nAccept: text/html\r\nAccept-Language: es";
    for route in ["GET /photos", "GET /photos?token=wrong", "GET /api/v1/assets/1/file", "GET /api/v1/search"]
    {
        let answer = with(&world, route, accept).await;
        let text = String::from_utf8(answer.body.clone()).unwrap();
        assert_eq!((answer.status, answer.header("set-cookie")), (401, None), "{route}");
        assert!(text.contains("viewfinder key new") && text.contains("Las fotos solo se muestran"), "{text}");
        assert!(!text.contains("receipt"), "{text}");
    }
    let signed_in = world.exchange(&format!("GET /photos?token={GIVEN} HTTP/1.1{accept}"), b"").await;
    assert_eq!(signed_in.status, 303, "a key that was given does as the token");
    let page = with(&world, "GET /photos", &format!("{accept}{}", returned(&signed_in))).await;
    assert!(page.status == 200 && String::from_utf8(page.body).unwrap().contains("id=\"grid\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_signs_in_by_a_form() {
    let world = World::new(&[], Setup::default()).await;
    let sign_in = async |kind: &str, body: &str| {
        let head = format!("POST /api/v1/session HTTP/1.1\r\nContent-Type: {kind}");
        world.exchange(&head, body.as_bytes()).await
    };
    let answer = sign_in("application/json", &json!({"key": TOKEN}).to_string()).await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(with(&world, "GET /api/v1/status", &returned(&answer)).await.status, 200);
    for (kind, body, status, code) in [
        ("application/json", r#"{"key": "wrong"}"#, 401, "key_wrong"),
        ("application/json", r#"{"key": ""}"#, 401, "key_wrong"),
        ("application/json", r#"{"key": 7}"#, 422, "body_invalid"),
        ("application/json", "{}", 422, "body_invalid"),
        ("application/json", "{", 400, "body_invalid"),
        ("text/plain", r#"{"key": "token"}"#, 415, "body_invalid"),
    ] {
        let answer = sign_in(kind, body).await;
        assert_eq!(answer.problem(), (status, code.to_owned()), "{body}");
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_description_are_open_and_show_nothing() {
    let world = World::of_pictures(std::sync::Arc::new(backend())).await;
    for path in open_paths().filter(|path| *path != "/api/v1/session") {
        let answer = world.exchange(&format!("GET {path} HTTP/1.1"), b"").await;
        let kind = match path.rsplit_once('.').map_or("html", |(_, end)| end) {
            "html" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            _ => "application/json",
        };
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{path}");
        assert!(!answer.body.is_empty() && !answer.body.windows(7).any(|part| part == b"receipt"), "{path}");
    }
}
