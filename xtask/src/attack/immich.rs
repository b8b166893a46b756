//! What stands behind the companion: as much of an Immich as the attacks need.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result};

/// The key of its only user.
pub(super) const KEY: &str = "the-key-of-the-only-user";

const USER: &str = r#"{"id":"6d3f3a0e-1b5c-4a52-9c8e-0d6a5f3b2c11","name":"Ana","email":"ana@example.com"}"#;
const EMPTY: &str = r#"{"albums":{"total":0,"count":0,"items":[],"facets":[]},"assets":{"total":0,"count":0,"items":[],"facets":[],"nextPage":null}}"#;

/// Answers until this program ends.
pub(super) struct Immich {
    pub(super) address: SocketAddr,
}

impl Immich {
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port for an Immich")?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || while_it_lasts(stream));
            }
        });
        Ok(Self { address })
    }
}

fn while_it_lasts(stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let mut stream = BufReader::new(stream);
    while converse(&mut stream).is_some() {}
}

/// Answers a request; none if the connection ends.
fn converse(stream: &mut BufReader<TcpStream>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut head).ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    std::io::copy(&mut stream.by_ref().take(length.unwrap_or(0)), &mut std::io::sink()).ok()?;
    // A body in chunks is not told apart from the next request, so there is none.
    let ends = lower.contains("transfer-encoding:");
    let path = head.split(' ').nth(1)?;
    let path = path.split('?').next()?;
    let known = head.contains(KEY);
    let (status, body) = match path {
        "/api/server/ping" => (200, r#"{"res":"pong"}"#),
        "/api/server/version" => (200, r#"{"major":3,"minor":1,"patch":0}"#),
        "/api/server/features" => (200, r#"{"smartSearch":true,"ocr":true}"#),
        "/" => (200, "<html></html>"),
        _ if !known => {
            (401, r#"{"message":"Authentication required","error":"Unauthorized","statusCode":401}"#)
        }
        "/api/users/me" => (200, USER),
        "/api/auth/status" => (200, r#"{"isElevated":false}"#),
        path if path.starts_with("/api/search/") => (200, EMPTY),
        _ => (404, r#"{"message":"Cannot find it","error":"Not Found","statusCode":404}"#),
    };
    let close = if ends { "Connection: close\r\n" } else { "" };
    let answer = format!(
        "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\n{close}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.get_mut().write_all(answer.as_bytes()).ok()?;
    (!ends).then_some(())
}
