//! An Immich opened through the server.
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use viewfinder_test_support::{PostgresServer, Response, TestServer};

use crate::serve::{Server, exchange};
use crate::support::{Run, stderr, stdout};

/// Who asks, by the word of that Immich.
const USER: &str = "7a545f09-508b-408d-bd23-bea659519770";

/// Answers every request with a page or as if it were granted, and one on a connection.
fn immich() -> SocketAddr {
    let server = TestServer::answering(|request, _| {
        let (kind, body) = match request.path() {
            "/api/users/me" => ("application/json", format!("{{\"id\":\"{USER}\"}}")),
            "/api/server/version" => ("application/json", "{\"major\":3,\"minor\":2,\"patch\":2}".to_owned()),
            path if path.starts_with("/api/") => ("application/json", "{\"by\":\"Immich\"}".to_owned()),
            _ => ("text/html", "<html><head></head><body>Immich</body></html>".to_owned()),
        };
        Response::ok(body).with("Content-Type", kind).with("Connection", "close").close()
    });
    server.address
}

fn run(url: &str) -> Run {
    Run::new()
        .env("VIEWFINDER_OFFLINE", "true")
        .env("VIEWFINDER_COMPANION_IMMICH_URL", url)
        .env("VIEWFINDER_COMPANION_LISTEN", "127.0.0.1:0")
}

/// Where the companion listens.
fn opened(server: &Server) -> SocketAddr {
    let (_, rest) = server.said.split_once("is opened through http://").expect("a companion");
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

const PAGE: &str = "GET /photos HTTP/1.1\r\nAccept: text/html\r\n";

#[test]
fn immich_is_opened_through_the_server_until_it_stops() {
    let server = Server::start(run(&format!("http://{}", immich())), &[]);
    let companion = opened(&server);
    let (status, page) = exchange(companion, PAGE, b"");
    let page = String::from_utf8(page).unwrap();
    assert_eq!(status, 200);
    assert!(page.contains("Immich") && page.contains("/_viewfinder/companion.js"), "{page}");
    let health = server.json("/health");
    let told = &health["companion"];
    assert_eq!((&told["immich_up"], &told["script"]), (&json!(true), &json!(true)));
    let text = &told["capabilities"]["text_search"];
    assert_eq!(text["on"], false);
    assert!(text["reason"].as_str().unwrap().contains("companion.database_url"), "{text}");
    assert_eq!(told["capabilities"]["viewer_menu"]["on"], true, "the page is not the library's");
    let metrics = String::from_utf8(server.get("/metrics").1).unwrap();
    assert!(metrics.contains(r#"viewfinder_proxy_requests_total{status="2xx"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"viewfinder_companion_capability{capability="text_search"} 0"#), "{metrics}");
    server.signal("-TERM");
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(TcpStream::connect(companion).is_err());
}

#[test]
fn an_immich_that_is_gone_is_told_once() {
    let nobody = TestServer::gone();
    let server =
        Server::start(run(&format!("http://{nobody}")).env("VIEWFINDER_COMPANION_SCRIPT", "false"), &[]);
    for _ in 0..3 {
        assert_eq!(exchange(opened(&server), PAGE, b"").0, 502);
    }
    let health = server.json("/health");
    assert_eq!(
        (&health["companion"]["immich_up"], &health["companion"]["script"]),
        (&json!(false), &json!(false))
    );
    server.signal("-TERM");
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(log.matches("does not answer").count(), 1, "{log}");
}

#[test]
fn without_an_immich_there_is_no_companion_and_a_wrong_address_is_an_error() {
    let server = Server::start(Run::new().env("VIEWFINDER_OFFLINE", "true"), &[]);
    assert!(server.json("/health").get("companion").is_none());
    server.signal("-TERM");
    assert_eq!(server.end().0, Some(0));
    let output = run("http://user:hunter2@immich").args(["serve", "--listen", "127.0.0.1:0"]).exits(2);
    let said = stderr(&output);
    assert!(said.contains("companion.immich_url") && !said.contains("hunter2"), "{said}");
}

/// Immich's tables, with a picture that has text.
fn database(server: &PostgresServer) -> String {
    let url = server.new_database();
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    client
        .batch_execute(concat!(
            include_str!("../../../immich/tests/layouts/2.7.5/tables.sql"),
            include_str!("../../../immich/tests/layouts/2.7.5/vectors.sql")
        ))
        .unwrap();
    let asset = "c0ffee00-508b-408d-bd23-bea659519770";
    client
        .batch_execute(&format!(
            "INSERT INTO \"user\" (id, name) VALUES ('{USER}', 'me');
             INSERT INTO asset (id, \"deviceAssetId\", \"ownerId\", \"deviceId\", type, \"originalPath\", \"fileCreatedAt\",
                 \"fileModifiedAt\", \"localDateTime\", checksum, \"originalFileName\")
             VALUES ('{asset}', 'a', '{USER}', 'phone', 'IMAGE', '/data/a.jpg', '2024-01-01', '2024-01-01', '2024-01-01',
                 sha224('a'), 'invoice.jpg');
             INSERT INTO asset_exif (\"assetId\") VALUES ('{asset}');
             INSERT INTO asset_ocr (\"assetId\", x1, y1, x2, y2, x3, y3, x4, y4, \"boxScore\", \"textScore\", text)
             VALUES ('{asset}', 0.1, 0.1, 0.9, 0.1, 0.9, 0.2, 0.1, 0.2, 0.9, 0.95, '增值税专用发票');
             INSERT INTO asset_job_status (\"assetId\", \"ocrAt\") VALUES ('{asset}', now());"
        ))
        .unwrap();
    url
}

const SEARCH: &str = "POST /api/search/smart HTTP/1.1\r\nContent-Type: application/json\r\nx-api-key: k\r\n";

#[test]
fn a_database_is_searched_when_it_comes_and_immich_answers_when_it_goes() {
    let mut postgres = PostgresServer::start(&[]);
    let url = database(&postgres);
    postgres.stop();
    let run = run(&format!("http://{}", immich())).env("VIEWFINDER_COMPANION_DATABASE_URL", &url);
    let server = Server::start(run, &[]);
    let companion = opened(&server);
    let search = || -> Value {
        let (status, body) = exchange(companion, SEARCH, "{\"query\":\"ocr:发票\"}".as_bytes());
        assert_eq!(status, 200);
        serde_json::from_slice(&body).unwrap()
    };
    assert_eq!(search()["by"], "Immich");
    postgres.start_again();
    let mut found = search();
    while found["assets"]["count"] != 1 {
        std::thread::sleep(Duration::from_millis(100));
        found = search();
    }
    assert_eq!(found["assets"]["items"][0]["originalFileName"], "invoice.jpg");
    assert_eq!(server.json("/health")["companion"]["capabilities"]["text_search"], json!({"on": true}));
    postgres.stop();
    assert_eq!(search()["by"], "Immich");
    server.signal("-TERM");
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("Immich's database is open"), "{log}");
    assert!(!log.contains(&url), "{log}");
}

#[test]
fn the_library_is_described_and_what_is_missing_is_done() {
    let postgres = PostgresServer::start(&[]);
    let url = database(&postgres);
    let run = || Run::new().env("VIEWFINDER_COMPANION_DATABASE_URL", &url);
    let json = stdout(&run().args(["immich", "status", "--json"]).succeeds());
    let status: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&status["immich"], &status["assets"]), (&"v2".into(), &1.into()));
    assert_eq!((&status["clip"]["width"], &status["follower"]["read"]), (&512.into(), &1.into()));
    let text = stdout(&run().args(["immich", "status"]).succeeds());
    assert!(text.contains("PP-OCRv5_mobile, read by Immich; 0 not read yet"), "{text}");
    assert!(text.contains("people:  of the owner of a picture") && !text.contains("missing:"), "{text}");
    // There is no preview yet, so there is nothing to do.
    let done = stdout(&run().args(["immich", "reindex", "clip", "--media", "."]).succeeds());
    assert_eq!(done, "0 of 0 done, 0 failed\n");
    let said = stderr(&Run::new().args(["immich", "status"]).exits(2));
    assert!(said.contains("companion.database_url"), "{said}");
}

#[test]
fn what_an_immich_lacks_is_told_and_the_rest_goes_on() {
    let postgres = PostgresServer::start(&[]);
    let url = database(&postgres);
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    let run = |address: &str| run(address).env("VIEWFINDER_COMPANION_DATABASE_URL", &url);
    client.batch_execute("ALTER TABLE asset_face RENAME COLUMN \"personId\" TO gone").unwrap();
    let told = "people cannot be filtered: this Immich has no column asset_face.personId; \
                Immich answers such searches itself";
    let immich_url = format!("http://{}", immich());
    let text = stdout(&run(&immich_url).args(["immich", "status"]).succeeds());
    assert_eq!(text.matches("missing: ").count(), 2, "{text}");
    assert!(text.contains(&format!("missing: {told}\n")), "{text}");
    let json = stdout(&run(&immich_url).args(["immich", "status", "--json"]).succeeds());
    let status: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(status["capabilities"]["people_filter"], serde_json::json!({"on": false, "reason": told}));

    let doctor = run(&immich_url).args(["doctor", "--listen", "127.0.0.1:0"]);
    // There is no model here, which fails; Immich is looked at all the same.
    let looked = stdout(&doctor.exits(1));
    assert!(looked.contains("v3.2.2 answers at") && looked.contains(told), "{looked}");

    let server = Server::start(run(&immich_url), &[]);
    let companion = opened(&server);
    let search = |body: &str| -> Value {
        let (status, body) = exchange(companion, SEARCH, body.as_bytes());
        assert_eq!(status, 200);
        serde_json::from_slice(&body).unwrap()
    };
    while search("{\"query\":\"ocr:发票\"}")["assets"]["count"] != 1 {
        std::thread::sleep(Duration::from_millis(100));
    }
    let by_person = format!("{{\"query\":\"ocr:发票\",\"personIds\":[\"{USER}\"]}}");
    assert_eq!(search(&by_person)["by"], "Immich");
    // What is counted was told before.
    let count = |wanted: &[&str]| {
        let all = |metrics: &str| wanted.iter().all(|line| metrics.contains(line));
        while !all(&String::from_utf8(server.get("/metrics").1).unwrap()) {
            std::thread::sleep(Duration::from_millis(500));
        }
    };
    count(&[
        r#"viewfinder_companion_capability{capability="people_filter"} 0"#,
        r#"viewfinder_companion_capability{capability="tag_filter"} 1"#,
    ]);
    // An update of Immich brings it back, and takes something else away.
    client
        .batch_execute(
            "ALTER TABLE asset_face RENAME COLUMN gone TO \"personId\"; ALTER TABLE tag_asset RENAME TO gone",
        )
        .unwrap();
    while search(&by_person)["by"] == "Immich" {
        std::thread::sleep(Duration::from_millis(500));
    }
    count(&[r#"viewfinder_companion_capability{capability="tag_filter"} 0"#]);
    server.signal("-TERM");
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
    let reason = "this Immich has no column asset_face.personId";
    let told = format!("not possible now: people_filter, people_in_answers: {reason}");
    assert_eq!((log.matches(&told).count(), log.matches(reason).count()), (1, 1), "{log}");
    assert_eq!(log.matches("possible again: people_filter").count(), 1, "{log}");
    assert_eq!(
        log.matches("tags cannot be filtered: this Immich has no table tag_asset").count(),
        1,
        "{log}"
    );
}
