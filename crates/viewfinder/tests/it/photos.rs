//! The page of photos and its API, over real pictures, as programs and as a browser see them.
use serde_json::{Value, json};
use viewfinder_catalog::Store as _;
use viewfinder_test_support::Browser;

use crate::{
    index::Library,
    serve::{Server, exchange},
    support::{Run, stderr, stdout, wait},
};

/// What the picture of an order says.
const ORDER: &str = "SN65797543";

/// A server over an indexed folder, in which one file is no picture.
fn serving(library: &Library, flags: &[&str]) -> Server {
    library.index().exits(1);
    Server::start(library.run([]).env("VIEWFINDER_WEB_OPEN_TO", "loopback"), flags)
}

fn ask(server: &Server, head: &str, body: &Value) -> (u16, Value) {
    let head = format!("{head} HTTP/1.1\r\nContent-Type: application/json\r\n");
    let (status, answer) = exchange(server.address, &head, body.to_string().as_bytes());
    (status, serde_json::from_slice(&answer).unwrap_or(Value::Null))
}

fn get(server: &Server, path: &str) -> (u16, Value) {
    ask(server, &format!("GET {path}"), &Value::Null)
}

/// The only hit of a search.
fn the_hit(server: &Server, query: &str) -> Value {
    let (status, found) = get(server, &format!("/api/v1/search?q={query}"));
    assert_eq!((status, found["hits"].as_array().map(Vec::len)), (200, Some(1)), "{query}: {found}");
    found["hits"][0].clone()
}

#[test]
fn a_search_says_what_it_found_and_where() {
    let library = Library::new();
    let server = serving(&library, &[]);
    let (_, all) = get(&server, "/api/v1/search?limit=5");
    assert_eq!(all["hits"].as_array().unwrap().len(), 5);
    let (_, rest) = get(&server, &format!("/api/v1/search?limit=5&cursor={}", all["next"].as_str().unwrap()));
    assert_eq!((rest["hits"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null));

    let hit = the_hit(&server, &format!("ocr:{ORDER}"));
    assert_eq!(hit["asset"]["name"], "screen.jpg");
    assert_eq!((&hit["reason"], &hit["closeness"]), (&json!("text"), &json!("phrase")));
    let line = &hit["lines"][0];
    let [from, to] = [0, 1].map(|end| line["marks"][0][end].as_u64().unwrap() as usize);
    let marked: String = line["text"].as_str().unwrap().chars().skip(from).take(to - from).collect();
    assert_eq!(marked, ORDER);
    for corner in line["box"].as_array().unwrap() {
        assert!((0.0..=1.0).contains(&corner[0].as_f64().unwrap()), "{line}");
    }

    let id = &hit["asset"]["id"];
    let (status, similar) = get(&server, &format!("/api/v1/assets/{id}/similar"));
    assert_eq!(status, 200);
    let similarities: Vec<f64> =
        similar["hits"].as_array().unwrap().iter().map(|hit| hit["similarity"].as_f64().unwrap()).collect();
    assert!(similarities.len() == 5 && similarities.is_sorted_by(|a, b| a >= b), "{similar}");

    let (status, small) = server.get(&format!("{}&size=320", hit["asset"]["thumbnail"].as_str().unwrap()));
    let small = viewfinder_image::decode(&small, &viewfinder_image::Limits::default()).unwrap();
    assert_eq!((status, small.width().max(small.height())), (200, 320));
    let (status, file) = server.get(hit["asset"]["file"].as_str().unwrap());
    assert!(status == 200 && file == std::fs::read(library.root().join("screen.jpg")).unwrap());

    let (_, failures) = get(&server, "/api/v1/failures");
    assert_eq!(failures["assets"][0]["name"], "broken.jpg");
    assert_eq!(failures["assets"][0]["analysis"]["ocr"]["code"], "image_undecodable");
    let (_, state) = get(&server, "/api/v1/status");
    assert_eq!(
        (&state["counts"]["assets"], &state["waiting"], &state["failed"]),
        (&json!(7), &json!(0), &json!(1))
    );
}

#[test]
fn every_mistake_is_a_problem_with_a_code() {
    let library = Library::new();
    let server = serving(&library, &[]);
    let (status, problem) = get(&server, "/api/v1/search?q=ocr:a%20%22b");
    assert_eq!((status, &problem["code"], &problem["character"]), (400, &json!("query_invalid"), &json!(6)));
    for (head, body, status, code) in [
        ("GET /api/v1/search?q=a&cursor=nonsense", json!(null), 400, "cursor_invalid"),
        ("GET /api/v1/assets/999", json!(null), 404, "not_found"),
        ("GET /api/v1/assets/999/thumbnail", json!(null), 404, "not_found"),
        ("GET /api/v1/assets/seven", json!(null), 404, "not_found"),
        ("PATCH /api/v1/assets/1/lines/999", json!({"text": "a"}), 404, "not_found"),
        ("PATCH /api/v1/assets/1/lines/0", json!({"text": " "}), 400, "line_unfit"),
        ("PATCH /api/v1/assets/1/lines/0", json!({"txet": "a"}), 422, "body_invalid"),
        ("POST /api/v1/assets/1/rerun", json!({"kinds": ["smell"]}), 400, "kind_unknown"),
        ("PATCH /api/v1/people/999", json!({"name": "Ana"}), 404, "not_found"),
    ] {
        let (got, problem) = ask(&server, head, &body);
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{head}: {problem}");
    }
    let broken =
        wait(library.store().by_path(library.root().join("broken.jpg").to_str().unwrap())).unwrap().unwrap();
    let (status, problem) = get(&server, &format!("/api/v1/assets/{}/thumbnail", broken.id.0));
    assert_eq!((status, &problem["code"]), (422, &json!("picture_unreadable")));
}

#[test]
fn a_correction_is_found_at_once_and_survives_another_reading() {
    let library = Library::new();
    let server = serving(&library, &[]);
    let hit = the_hit(&server, &format!("ocr:{ORDER}"));
    let (id, line) = (hit["asset"]["id"].clone(), hit["lines"][0]["line"].clone());
    let (status, asset) =
        ask(&server, &format!("PATCH /api/v1/assets/{id}/lines/{line}"), &json!({"text": "Quixotic 7"}));
    assert_eq!((status, &asset["lines"][line.as_u64().unwrap() as usize]["corrected"]), (200, &json!(true)));
    assert_eq!(the_hit(&server, "ocr:quixotic")["asset"]["id"], id);
    let (_, gone) = get(&server, &format!("/api/v1/search?q=ocr:{ORDER}"));
    assert_eq!(gone["hits"], json!([]));

    let rerun = |replace: bool| {
        // A kind that is named twice is one piece of work.
        let body = json!({"kinds": ["ocr", "ocr"], "replace_corrections": replace});
        let (status, queued) = ask(&server, &format!("POST /api/v1/assets/{id}/rerun"), &body);
        assert_eq!((status, &queued["assets"]), (202, &json!(1)));
        loop {
            let (_, jobs) = get(&server, "/api/v1/jobs");
            let job = jobs["jobs"]
                .as_array()
                .unwrap()
                .iter()
                .find(|job| job["id"] == queued["job"])
                .unwrap()
                .clone();
            assert_eq!(job["kinds"], json!(["ocr"]));
            match job["state"].as_str().unwrap() {
                "done" => return,
                "failed" => panic!("{job}"),
                _ => std::thread::sleep(std::time::Duration::from_millis(50)),
            }
        }
    };
    rerun(false);
    assert_eq!(the_hit(&server, "ocr:quixotic")["asset"]["id"], id);
    rerun(true);
    assert_eq!(the_hit(&server, &format!("ocr:{ORDER}"))["asset"]["id"], id);
}

/// Every route that shows or changes something of somebody's photos.
const PRIVATE: &[&str] = &[
    "GET /api/v1/search",
    "GET /api/v1/assets/1",
    "GET /api/v1/assets/1/similar",
    "GET /api/v1/assets/1/thumbnail",
    "GET /api/v1/assets/1/file",
    "PATCH /api/v1/assets/1/lines/0",
    "POST /api/v1/assets/1/rerun",
    "POST /api/v1/rerun",
    "POST /api/v1/search/picture",
    "GET /api/v1/people",
    "PATCH /api/v1/people",
    "POST /api/v1/people",
    "GET /api/v1/people/1",
    "PATCH /api/v1/people/1",
    "POST /api/v1/people/1/merge",
    "GET /api/v1/people/1/faces",
    "GET /api/v1/people/1/pictures",
    "PUT /api/v1/people/1/faces/1/0",
    "DELETE /api/v1/people/1/faces/1/0",
    "GET /api/v1/assets/1/faces/0/crop",
    "GET /api/v1/jobs",
    "GET /api/v1/failures",
    "GET /api/v1/status",
];

/// The value of a header of an answer to `GET path`.
fn header(server: &Server, path: &str, name: &str) -> Option<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let head = answer.split("\r\n\r\n").next().unwrap().to_owned();
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}: ")))?;
    Some(line[name.len() + 2..].to_owned())
}

#[test]
fn photos_are_shown_to_whoever_shows_the_token_or_the_key_and_to_nobody_else() {
    let library = Library::new();
    library.index().exits(1);
    let open = Server::start(library.run([]), &[]);
    let key = "a-long-secret";
    let keyed =
        Server::start(library.run([]).env("VIEWFINDER_LISTEN_KEYS", format!("127.0.0.1:0={key}")), &[]);
    let token = open.token();
    let cookie = header(&open, &format!("/photos?token={token}"), "set-cookie").unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict") && !cookie.contains(&token), "{cookie}");
    assert_eq!(header(&open, &format!("/photos?token={token}"), "location").unwrap(), "/photos");
    assert_eq!(header(&open, "/photos?token=wrong", "set-cookie"), None);
    let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
    // Who carries nothing, whatever the connection and its headers look like: a stock proxy on this machine sends just that.
    let strangers = [
        String::new(),
        "X-Forwarded-For: 127.0.0.1\r\n".to_owned(),
        "Authorization: Bearer wrong\r\n".to_owned(),
        "Cookie: viewfinder_token=wrong; viewfinder_key=wrong\r\n".to_owned(),
    ];
    for route in PRIVATE {
        let status = |server: &Server, header: &str| {
            let head = format!("{route} HTTP/1.1\r\nContent-Type: application/json\r\n{header}");
            exchange(server.address, &head, b"{}").0
        };
        for server in [&open, &keyed] {
            for stranger in &strangers {
                assert_eq!(status(server, stranger), 401, "{route} {stranger}");
            }
        }
        for header in [&cookie, &format!("Authorization: Bearer {token}\r\n")] {
            assert_ne!(status(&open, header), 401, "{route}");
            assert_eq!(status(&keyed, header), 401, "{route}: the token is for addresses without a key");
        }
        for header in [format!("Authorization: Bearer {key}\r\n"), format!("x-api-key: {key}\r\n")] {
            assert_ne!(status(&keyed, &header), 401, "{route}");
            assert_eq!(status(&open, &header), 401, "{route}");
        }
    }
    for server in [&open, &keyed] {
        assert_eq!(server.get("/photos").0, 200);
        assert_eq!(ask(server, "POST /api/v1/session", &json!({"key": "wrong"})).0, 401);
    }
    assert_eq!(ask(&open, "POST /api/v1/session", &json!({"key": token})).0, 204);
    assert_eq!(ask(&keyed, "POST /api/v1/session", &json!({"key": key})).0, 204);

    // Where the owner says so, this machine is enough, but not through a proxy that says what it is.
    let loopback = Server::start(library.run([]).env("VIEWFINDER_WEB_OPEN_TO", "loopback"), &[]);
    let status =
        |header: &str| exchange(loopback.address, &format!("GET /api/v1/search HTTP/1.1\r\n{header}"), b"").0;
    assert_eq!(
        (status(""), status("X-Forwarded-For: 203.0.113.9\r\n"), status("Via: 1.1 p\r\n")),
        (200, 401, 401)
    );
}

#[test]
fn pages_of_other_sites_and_ports_can_neither_ask_for_photos_nor_show_them() {
    let library = Library::new();
    let server = serving(&library, &[]);
    let status = |line: &str, headers: &str| {
        let head = format!("{line} HTTP/1.1\r\nContent-Type: application/json\r\n{headers}");
        exchange(server.address, &head, b"{}").0
    };
    for line in PRIVATE.iter().chain(&["POST /api/v1/session"]) {
        for site in ["cross-site", "same-site"] {
            // As <img> does, as fetch() does, and as a link to a photo does.
            for mode in [
                "no-cors\r\nSec-Fetch-Dest: image",
                "cors\r\nSec-Fetch-Dest: empty",
                "navigate\r\nSec-Fetch-Dest: document",
            ] {
                let headers = format!("Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: {mode}\r\n");
                assert_eq!(status(line, &headers), 403, "{line} {headers}");
            }
        }
        assert_ne!(status(line, "Sec-Fetch-Site: same-origin\r\n"), 403, "{line}");
    }
    let link = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    assert_eq!(status("GET /photos", link), 200);
    for path in ["/photos", "/api/v1/status", "/api/v1/assets/1/file", "/api/v1/assets/1/thumbnail"] {
        let policy = header(&server, path, "cross-origin-resource-policy");
        assert_eq!(policy.as_deref(), Some("same-origin"), "{path}");
    }
}

#[test]
fn whoever_guesses_the_key_has_to_wait_and_the_key_itself_goes_on() {
    let library = Library::new();
    library.index().exits(1);
    let key = "a-long-secret";
    let server =
        Server::start(library.run([]).env("VIEWFINDER_LISTEN_KEYS", format!("127.0.0.1:0={key}")), &[]);
    let sign_in = |key: &str| ask(&server, "POST /api/v1/session", &json!({"key": key}));
    for guess in 0..10 {
        assert_eq!(sign_in(&guess.to_string()).0, 401);
    }
    let (status, problem) = sign_in("another");
    assert_eq!((status, &problem["code"]), (429, &json!("too_many_tries")));
    assert_eq!(sign_in(key).0, 204, "nobody locks the owner out");
    let shown = |path: &str, key: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nAccept: text/html\r\nAuthorization: Bearer {key}\r\n");
        exchange(server.address, &head, b"").0
    };
    assert_eq!(shown("/photos", "one more"), 429, "nor is it told by which page comes");
    assert_eq!((shown("/api/v1/status", key), shown("/photos", key)), (200, 200));
}

#[test]
fn tokens_are_guessed_no_faster_than_keys_at_any_door() {
    let library = Library::new();
    library.index().exits(1);
    let guessed = |path: &'static str, header: &'static str| {
        let server = Server::start(library.run([]), &[]);
        let right = server.token();
        let status = |guess: &str| {
            let head = format!("GET {path} HTTP/1.1\r\n{header}").replace("GUESS", guess);
            exchange(server.address, &head, b"").0
        };
        let wrong: Vec<u16> = (0..11).map(|guess| status(&guess.to_string())).collect();
        (wrong[..10].to_owned(), wrong[10], status(&right))
    };
    assert_eq!(guessed("/photos?token=GUESS", ""), (vec![200; 10], 429, 303));
    assert_eq!(guessed("/api/v1/search", "Api-Key: GUESS\r\n"), (vec![401; 10], 429, 200));
    assert_eq!(guessed("/photos", "Accept: text/html\r\nApi-Key: GUESS\r\n"), (vec![401; 10], 429, 200));
    // The cookie stands for the token and is not the same.
    assert_eq!(guessed("/api/v1/search", "Cookie: viewfinder_token=GUESS\r\n"), (vec![401; 10], 429, 429));
}

/// What `key new` answers.
fn new_key(run: Run, server: &Server, name: &str) -> (String, Value) {
    let listen = server.address.to_string();
    let made = stdout(&run.args(["key", "new", name, "--json", "--listen", &listen]).exits(0));
    let made: Value = serde_json::from_str(&made).unwrap();
    (made["key"].as_str().unwrap().to_owned(), made)
}

#[test]
fn a_catalogue_may_come_later_and_so_may_keys_and_nothing_is_started_again() {
    let library = Library::new();
    let (data, catalogue) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = catalogue.path().join("my photos.db");
    let named = ["--catalog", file.to_str().unwrap()];
    let run = || library.run([]).env("XDG_DATA_HOME", data.path());
    let server = Server::start(run(), &named);
    let token = std::fs::read_to_string(data.path().join("viewfinder/token")).unwrap();
    let token = token.trim();
    let asked = |path: &str, key: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {key}\r\n");
        let (status, answer) = exchange(server.address, &head, b"");
        (status, serde_json::from_slice::<Value>(&answer).unwrap_or_default())
    };
    // Before there is anything.
    let (_, status) = asked("/api/v1/status", token);
    assert_eq!((&status["catalog"], &status["counts"]["assets"]), (&json!("absent"), &json!(0)), "{status}");
    let command = status["index_command"].as_str().unwrap();
    assert!(command.ends_with(&format!("viewfinder.toml --catalog '{}'", file.display())), "{command}");
    let (code, problem) = asked("/api/v1/search", token);
    assert_eq!((code, &problem["code"]), (404, &json!("catalogue_absent")));
    assert_eq!(
        (server.get("/api/v1/search").0, server.get("/photos").0),
        (401, 200),
        "the same for strangers"
    );

    let (key, made) = new_key(run(), &server, "phone");
    assert_eq!((&made["works_now"], &made["pages"]), (&json!(true), &json!([])), "{made}");
    run().args(["key", "new", "phone"]).exits(2);
    assert_eq!(stdout(&run().args(["key", "list"]).exits(0)), "phone\n");
    let said = run().args(["key", "new", "tablet", "--listen", "127.0.0.1:1"]).exits(0);
    assert!(
        stdout(&said).contains("VIEWFINDER_LISTEN=[::]:1") && stderr(&said).contains("no server runs here")
    );

    run().args(["index", "--clip"]).args([library.root()]).args(named).exits(1);
    let mut state = Value::Null;
    while state["catalog"] != "ready" {
        std::thread::sleep(std::time::Duration::from_millis(100));
        state = asked("/api/v1/status", &key).1;
    }
    assert_eq!(asked("/api/v1/search", &key).1["hits"].as_array().unwrap().len(), 7);

    let cookie = ask(&server, "POST /api/v1/session", &json!({"key": key})).0;
    assert_eq!(cookie, 204);
    run().args(["key", "remove", "phone"]).exits(0);
    while asked("/api/v1/status", &key).0 != 401 {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(asked("/api/v1/status", token).0, 200);
    server.signal("-TERM");
    let (_, log) = server.end();
    assert!(
        log.contains("your photos: http://localhost:") && log.contains("viewfinder open --print"),
        "{log}"
    );
    assert!(!log.contains(token) && !log.contains(&key), "no key belongs into a log: {log}");
}

#[test]
fn the_page_can_be_opened_again_later() {
    let library = Library::new();
    let data = tempfile::tempdir().unwrap();
    let run = |run: Run| run.env("XDG_DATA_HOME", data.path());
    let server = Server::start(run(library.run([])), &[]);
    let listen = server.address.to_string();
    let printed = stdout(&run(library.run(["open", "--print", "--listen", &listen])).exits(0));
    let token = std::fs::read_to_string(data.path().join("viewfinder/token")).unwrap();
    let page = format!("http://localhost:{}/photos#key={}", server.address.port(), token.trim());
    assert_eq!(printed.trim(), page);
}

#[cfg(unix)]
#[test]
fn everything_about_photos_is_for_its_owner_alone_and_what_was_not_is_narrowed() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};

    fn all(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let below = entries.flat_map(|path| if path.is_dir() { all(&path) } else { vec![path] });
        std::iter::once(folder.to_owned()).chain(below).collect()
    }
    let library = Library::new();
    let data = tempfile::tempdir().unwrap();
    let ours = data.path().join("viewfinder");
    let run = |args: &[&str]| {
        library
            .run([])
            .without("VIEWFINDER_CATALOG_FILE")
            .env("XDG_DATA_HOME", data.path())
            .env("VIEWFINDER_WEB_OPEN_TO", "loopback")
            .args(args)
    };
    // As careless as systems get.
    let careless: &[&str] = &["/bin/sh", "-c", "umask 000; exec \"$0\" \"$@\""];
    run(&["index", "--clip"]).args([library.root()]).under(careless).exits(1);
    let server = Server::start(run(&[]).under(careless), &[]);
    let plain = "/api/v1/assets/3/thumbnail";
    assert_eq!(server.get(plain).0, 200);
    let wide = || -> Vec<PathBuf> {
        let wide = |path: &PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o077 != 0;
        all(&ours).into_iter().filter(wide).collect()
    };
    let names: Vec<_> = all(&ours).iter().map(|path| path.strip_prefix(&ours).unwrap().to_owned()).collect();
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm", "token", "thumbnails"] {
        assert!(names.iter().any(|made| made == Path::new(name)), "{name}: {names:?}");
    }
    assert_eq!(wide(), [""; 0].map(PathBuf::from));
    drop(server);

    for path in all(&ours) {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let server = Server::start(run(&[]), &[]);
    for name in ["viewfinder", "catalog.db", "token"] {
        assert!(server.said.contains(&format!("{name}; now only you can")), "{name}: {}", server.said);
    }
    // The small pictures themselves lie in folders that nobody else may enter.
    let left: Vec<_> = wide().into_iter().filter(|path| !path.starts_with(ours.join("thumbnails"))).collect();
    assert_eq!(left, [""; 0].map(PathBuf::from));
    let parts = std::fs::read_dir(ours.join("thumbnails")).unwrap().map(|part| part.unwrap().path());
    assert!(parts.into_iter().all(|part| !wide().contains(&part)));
}

#[cfg(unix)]
#[test]
fn links_that_lead_out_are_followed_only_where_the_owner_says_so() {
    let library = Library::new();
    let away = tempfile::tempdir().unwrap();
    std::fs::rename(library.root().join("plain.jpg"), away.path().join("far.jpg")).unwrap();
    std::os::unix::fs::symlink(away.path(), library.root().join("away")).unwrap();
    let index = || library.index().args(["--clip"]);
    let told = stderr(&index().exits(1));
    assert!(told.contains("link_not_followed: 1") && told.contains("index.follow_links"), "{told}");
    let far = library.root().join("away/far.jpg");
    let known = || wait(library.store().by_path(far.to_str().unwrap())).unwrap();
    assert_eq!(known(), None);
    index().env("VIEWFINDER_INDEX_FOLLOW_LINKS", "true").exits(0);
    let file = format!("/api/v1/assets/{}/file", known().unwrap().id.0);
    for (follow, status) in [("true", 200), ("false", 404)] {
        let run = library.run([]).env("VIEWFINDER_WEB_OPEN_TO", "loopback");
        let server = Server::start(run.env("VIEWFINDER_INDEX_FOLLOW_LINKS", follow), &[]);
        assert_eq!(get(&server, &file).0, status, "{follow}");
    }
}

/// The texts of the tiles.
const TILES: &str =
    "[...document.querySelectorAll('#grid a')].map((tile) => tile.querySelector('img').alt).join()";

fn text(id: &str) -> String {
    format!("document.getElementById('{id}').textContent")
}

async fn search(browser: &mut Browser, query: &str) {
    let enter = format!("document.getElementById('query').value = {}", json!(query));
    browser.value(&enter).await;
    browser.value("document.getElementById('search').requestSubmit()").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn the_page_searches_shows_copies_corrects_and_reads_again() {
    let library = Library::new();
    let server = serving(&library, &[]);
    let mut browser = Browser::open().await;
    browser.go(&format!("http://{}/photos", server.address), "en-GB", 1200, "light").await;
    browser.until(&text("summary"), json!("7 pictures")).await;
    browser.until("document.querySelectorAll('#grid a').length", json!(7)).await;
    browser.until(&text("failures-open"), json!("1 could not be read")).await;

    search(&mut browser, &format!("ocr:{}", ORDER.to_lowercase())).await;
    browser.until(TILES, json!("screen.jpg")).await;
    assert_eq!(browser.value("document.querySelector('#grid mark').textContent").await, ORDER);
    assert_eq!(browser.barriers().await, json!([]));
    assert!(browser.value("location.search").await.as_str().unwrap().starts_with("?q=ocr"));

    // By keyboard, as without a mouse.
    browser.value("document.querySelector('#grid a').focus()").await;
    browser.press("Enter", "\r").await;
    browser.until("document.getElementById('viewer').open", json!(true)).await;
    browser.until("document.querySelectorAll('#text .line.found').length", json!(1)).await;
    browser.until("document.getElementById('picture').naturalWidth > 0", json!(true)).await;
    // The text lies over the picture: the line where its box says, and as wide.
    let place = |what: &str| {
        format!("(() => {{ const picture = document.getElementById('picture').getBoundingClientRect();
            const line = document.querySelector('#text .line.found').getBoundingClientRect(); return {what}; }})()")
    };
    let inside = "line.left >= picture.left - 1 && line.right <= picture.right + 1 && line.top >= picture.top - 1 && line.bottom <= picture.bottom + 1";
    browser.until(&place(inside), json!(true)).await;
    let stretched = "Math.abs(document.querySelector('#text .line.found span').getBoundingClientRect().width - line.width) < 2";
    browser.until(&place(stretched), json!(true)).await;
    assert_eq!(browser.barriers().await, json!([]));
    let selected = "(() => { getSelection().selectAllChildren(document.querySelector('#text .line.found')); return getSelection().toString(); })()";
    assert!(browser.value(selected).await.as_str().unwrap().contains(ORDER));

    browser.value("[...document.querySelectorAll('#lines button')].find((button) => button.ariaLabel.includes('SN6')).click()").await;
    browser.value("document.querySelector('#lines input').value = 'Quixotic <b>7</b>'").await;
    browser.value("document.querySelector('#lines form').requestSubmit()").await;
    browser.until("document.querySelectorAll('#lines small').length", json!(1)).await;
    assert_eq!(browser.value("document.querySelectorAll('#lines b').length").await, 0);

    browser.value("window.confirm = () => true").await;
    browser.value("document.getElementById('rerun-ocr').click()").await;
    browser.until(&text("done"), json!("Done")).await;
    browser.until("document.querySelectorAll('#lines small').length", json!(0)).await;
    browser.value("document.getElementById('rerun-clip').click()").await;
    browser.until(&text("done"), json!("Done")).await;

    browser.press("Escape", "").await;
    browser.until("document.getElementById('viewer').open", json!(false)).await;
    assert_eq!(browser.value("document.activeElement === document.querySelector('#grid a')").await, true);

    search(&mut browser, "\"never closed").await;
    browser.until("document.getElementById('problem').hidden", json!(false)).await;
    assert_eq!(browser.value("document.getElementById('query').selectionStart").await, 0);
    let complaints: Vec<_> =
        browser.warnings.iter().filter(|complaint| !complaint.to_string().contains("/api/v1/")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// Enters a key on the page that asks for it.
async fn enter(browser: &mut Browser, key: &str) {
    browser.value(&format!("document.getElementById('key').value = '{key}'")).await;
    browser.value("document.getElementById('key-form').requestSubmit()").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn a_phone_asks_for_a_key_waits_for_pictures_and_speaks_three_languages() {
    let library = Library::new();
    let data = tempfile::tempdir().unwrap();
    let run = || library.run([]).env("XDG_DATA_HOME", data.path());
    let server = Server::start(run(), &[]);
    let mut browser = Browser::open().await;
    let photos = format!("http://{}/photos", server.address);
    browser.go(&photos, "zh-CN", 390, "dark").await;
    browser.until("document.querySelector('h1')?.textContent", json!("打开此页面需要密钥")).await;
    enter(&mut browser, "wrong").await;
    browser.until(&text("key-problem"), json!("密钥不正确")).await;
    assert_eq!(browser.value("document.documentElement.scrollWidth").await, 390);
    assert_eq!(browser.value("document.querySelector('code').textContent").await, "viewfinder key new");
    assert_eq!(browser.barriers().await, json!([]));

    // The address of a QR code; the key does not stay in it.
    let (key, _) = new_key(run(), &server, "phone");
    browser.value(&format!("location.hash = 'key={key}'")).await;
    browser.until("document.getElementById('empty')?.hidden", json!(false)).await;
    assert_eq!(browser.value("location.href").await, photos);
    assert_eq!(browser.value("document.cookie").await, "");
    browser.until("document.querySelector('#empty h1')?.textContent", json!("还没有图片")).await;
    let type_folder = "(() => { const field = document.getElementById('empty-folder'); field.value = '~/Mis fotos'; \
         field.dispatchEvent(new Event('input')); return document.getElementById('empty-command').textContent; })()";
    let command = browser.value(type_folder).await;
    assert!(command.as_str().unwrap().ends_with(" ~/'Mis fotos'"), "{command}");
    assert_eq!(browser.value("document.documentElement.scrollWidth").await, 390);

    run().args(["index", "--clip"]).args([library.root()]).exits(1);
    browser.until(&text("summary"), json!("7 张图片")).await;
    // Pictures are shown too: the browser sends what stands for the key.
    browser.until("document.querySelector('#grid img')?.naturalWidth > 0", json!(true)).await;
    assert_eq!(browser.value("document.getElementById('empty').hidden").await, true);
    assert_eq!(browser.value("document.documentElement.scrollWidth").await, 390);
    assert_eq!(browser.value("document.documentElement.lang").await, "zh-CN");
    browser.value("document.getElementById('language').value = 'es'").await;
    browser.value("document.getElementById('language').dispatchEvent(new Event('change'))").await;
    browser.until(&text("summary"), json!("7 fotos")).await;
    browser.value("document.querySelector('#grid a').click()").await;
    browser.until("document.getElementById('viewer').open", json!(true)).await;
    assert_eq!(browser.barriers().await, json!([]));
    assert_eq!(browser.value(&text("rerun-ocr")).await, "Regenerar datos de OCR");
    assert_eq!(browser.value("document.documentElement.scrollWidth").await, 390);

    // An address with a key of its own: one entrance for both pages.
    let own = "a-long-secret";
    let keyed = Server::start(run().env("VIEWFINDER_LISTEN_KEYS", format!("127.0.0.1:0={own}")), &[]);
    browser.go(&format!("http://{}/", keyed.address), "es-MX", 390, "light").await;
    browser
        .until("document.querySelector('h1')?.textContent", json!("Esta página se abre con una clave"))
        .await;
    enter(&mut browser, own).await;
    browser.until("document.querySelector('nav a[href=\"/photos\"]')?.textContent", json!("Fotos")).await;
    browser.until("document.getElementById('facts')?.children.length > 0", json!(true)).await;
    assert_eq!(browser.barriers().await, json!([]));
    browser.value("document.querySelector('nav a[href=\"/photos\"]').click()").await;
    browser.until("document.querySelector('#grid img')?.naturalWidth > 0", json!(true)).await;
    browser.go(&format!("http://{}/nowhere", keyed.address), "en", 390, "light").await;
    browser.until("document.querySelector('h1')?.textContent", json!("There is no such page")).await;
}
