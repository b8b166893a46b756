//! An Immich opened through the server.
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::json;

use crate::serve::{Server, exchange};
use crate::support::{Run, stderr};

/// Answers every request with a page, and one on a connection.
fn immich() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap());
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let head = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    if head.count() == 0 {
        return;
    }
    let page = "<html><head></head><body>Immich</body></html>";
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{page}",
        page.len()
    );
    stream.write_all(answer.as_bytes()).unwrap();
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
    let expected = json!({"immich_up": true, "library": {"text": false, "meaning": false}, "script": true});
    assert_eq!(health["companion"], expected);
    let metrics = String::from_utf8(server.get("/metrics").1).unwrap();
    assert!(metrics.contains(r#"viewfinder_proxy_requests_total{status="2xx"} 1"#), "{metrics}");
    server.signal("-TERM");
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(TcpStream::connect(companion).is_err());
}

#[test]
fn an_immich_that_is_gone_is_told_once() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
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
