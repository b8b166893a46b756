//! Requests that are broken, that mean two things, or that are too much.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{MB, Outcome, ground::Ground, immich::KEY};
use crate::{
    http::{self, BOUNDARY, part},
    server::TEXT,
    soak::mix,
};

/// Broken requests.
const BROKEN: u64 = 3_000;
/// Bytes of a body that is too much.
const HUGE: usize = 100_000_000;
/// Bombs at a time, and their bytes.
const AT_ONCE: usize = 50;
const BOMB: usize = (1 << 20) - 100;
/// What may still be held some time after them.
const LEFT: u64 = 64 * MB;

/// Routes that read a body, and what is asked of them.
const ROUTES: &[(&str, &str)] = &[
    ("/predict", "multipart"),
    ("/ocr", "multipart"),
    ("/clip/img", "multipart"),
    ("/represent", "multipart"),
    ("/api/analyze", "multipart"),
    ("/clip/txt", "json"),
    ("/api/v1/session", "json"),
    ("/api/v1/rerun", "json"),
];

pub(super) fn broken(ground: &Ground) -> Outcome {
    let mut outcome = Outcome::default();
    for index in 0..BROKEN {
        let (path, kind) = ROUTES[(mix(index, 1) % ROUTES.len() as u64) as usize];
        let (content_type, body) = if kind == "json" { broken_json(index) } else { broken_form(index) };
        let answer = post(&ground.gateway(), path, &content_type, "api-key: mt_photos_ai_extra\r\n", &body);
        outcome.sent += 1;
        match answer {
            // MT Photos' own services tell so what is wrong with a picture.
            Ok((status, text)) if (200..300).contains(&status) && !text.contains("\"msg\"") => {
                outcome.wrong.push(format!("{path} answers {status} to broken request {index}"));
            }
            Ok((status @ 500.., text)) if status != 503 => {
                outcome.wrong.push(format!("{path} breaks over request {index}: {text:.120}"));
            }
            Ok(_) => {}
            Err(error) => outcome.wrong.push(format!("{path}, request {index}: {error:#}")),
        }
    }
    outcome
}

fn random(index: u64, length: u64) -> Vec<u8> {
    (0..length).map(|at| mix(index, at + 100) as u8).collect()
}

fn broken_json(index: u64) -> (String, Vec<u8>) {
    let whole = br#"{"text":"cat","key":"x","kinds":["ocr"],"query":"a"}"#;
    let body = match mix(index, 2) % 5 {
        0 => random(index, 200),
        // Never the whole of it.
        1 => whole[..(mix(index, 3) % (whole.len() as u64 - 1)) as usize].to_vec(),
        2 => "[".repeat(50_000).into_bytes(),
        3 => br#"{"text":{"a":[null]},"key":5,"kinds":{"ocr":1}}"#.to_vec(),
        _ => b"\xff\xfe\"text\"".to_vec(),
    };
    ("application/json".to_owned(), body)
}

fn broken_form(index: u64) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    part(&mut body, "entries", mix(index, 4).is_multiple_of(2), TEXT.as_bytes());
    part(&mut body, "image", true, b"\xff\xd8\xff and no more");
    part(&mut body, "file", true, b"\xff\xd8\xff and no more");
    let mut content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    match mix(index, 2) % 6 {
        0 => body.truncate((mix(index, 3) % body.len() as u64) as usize),
        1 => "multipart/form-data".clone_into(&mut content_type),
        2 => "multipart/form-data; boundary=\"".clone_into(&mut content_type),
        3 => body = random(index, 3000),
        4 => {
            let at = (mix(index, 3) % body.len() as u64) as usize;
            body.truncate(at);
            body.extend(random(index, 50));
            http::end(&mut body);
        }
        // Well-formed, but the picture is none.
        _ => http::end(&mut body),
    }
    (content_type, body)
}

/// Heads that one server may read otherwise than another, so that a request could hide in them.
pub(super) fn smuggled(ground: &Ground) -> Result<Outcome> {
    let hidden = "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut outcome = Outcome::default();
    for address in [ground.gateway(), ground.companion()] {
        for head in [
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: +5",
            "Content-Length: 5, 6",
            "Content-Length: 0x5",
            "Content-Length: -1",
            "Content-Length: 99999999999999999999999",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding : chunked",
            "Content-Length : 5",
            " Folded: line",
        ] {
            let request = format!("POST /predict HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n{hidden}");
            let answer = raw(&address, request.as_bytes())?;
            outcome.sent += 1;
            let status: u16 = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
            if (200..300).contains(&status) || answer.contains("\r\n\r\npong") {
                outcome.wrong.push(format!("{address} takes {head:?}: {answer:.60}"));
            }
        }
    }
    Ok(outcome)
}

/// Sends bytes as they are, and reads until the other side closes or has said nothing for a while.
fn raw(address: &str, bytes: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(bytes)?;
    let mut answer = Vec::new();
    // What came before the end counts, whatever the end is like.
    drop(stream.read_to_end(&mut answer));
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

pub(super) fn huge(ground: &Ground) -> Outcome {
    let mut outcome = Outcome::default();
    let nested = wide(HUGE);
    let form = |name: &str, file: bool| {
        let mut body = Vec::with_capacity(HUGE + 1000);
        part(&mut body, name, file, &nested);
        http::end(&mut body);
        body
    };
    let token = format!("Authorization: Bearer {}\r\n", ground.token);
    let key = "api-key: mt_photos_ai_extra\r\n";
    let json = "application/json";
    let multipart = format!("multipart/form-data; boundary={BOUNDARY}");
    let mut send = |address: &str, path: &str, content_type: &str, headers: &str, body: &[u8], ours: bool| {
        outcome.sent += 1;
        match post(address, path, content_type, headers, body) {
            Ok((status, _)) if ours && (200..300).contains(&status) => {
                outcome.wrong.push(format!("{path} answers {status} to 100 MB of JSON"));
            }
            _ => {}
        }
    };
    for (path, kind) in ROUTES {
        if *kind == "json" {
            send(&ground.gateway(), path, json, &format!("{key}{token}"), &nested, true);
        } else {
            send(&ground.gateway(), path, json, key, &nested, true);
        }
    }
    for (name, file) in [("entries", true), ("entries", false), ("text", true), ("sentence", true)] {
        let body = form(name, file);
        let path = if name == "sentence" { "/api/analyze" } else { "/predict" };
        send(&ground.gateway(), path, &multipart, "", &body, true);
    }
    // Immich itself says what becomes of what is too long for the companion.
    let known = format!("x-api-key: {KEY}\r\n");
    for headers in ["", known.as_str()] {
        for path in ["/api/search/smart", "/api/search/metadata", "/api/assets/jobs", "/_viewfinder/jobs"] {
            send(&ground.companion(), path, json, headers, &nested, path.starts_with("/_"));
        }
        send(&ground.companion(), "/_viewfinder/anchors", json, headers, &nested, true);
    }
    outcome
}

/// An object of so many bytes, and of as many values as fit.
fn wide(length: usize) -> Vec<u8> {
    let mut body = br#"{"query":"cat","text":"cat","a":["#.to_vec();
    while body.len() < length - 4 {
        body.extend_from_slice(b"[],");
    }
    body.extend_from_slice(b"0]}");
    body
}

pub(super) fn bombs(ground: &Ground) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let before = ground.server().resident()?;
    let wide = wide(BOMB);
    let deep = [b"{\"query\":\"cat\",\"a\":".as_slice(), &b"[".repeat(BOMB - 100)].concat();
    let sparse = br#"{"a":0},"#.repeat(BOMB / 8);
    let sparse = [b"{\"query\":\"cat\",\"a\":[".as_slice(), &sparse, b"0]}"].concat();
    let known = format!("x-api-key: {KEY}\r\n");
    for body in [&wide, &deep, &sparse] {
        for headers in ["", known.as_str()] {
            for path in ["/api/search/smart", "/_viewfinder/jobs"] {
                outcome.sent += at_once(&ground.companion(), path, "application/json", headers, body);
            }
        }
        let mut form = Vec::new();
        part(&mut form, "entries", true, body);
        part(&mut form, "image", true, b"\xff\xd8\xff");
        http::end(&mut form);
        let multipart = format!("multipart/form-data; boundary={BOUNDARY}");
        outcome.sent += at_once(&ground.gateway(), "/predict", &multipart, "", &form);
    }
    // What is not given back by now stays.
    std::thread::sleep(Duration::from_secs(15));
    let left = ground.server().resident()?.saturating_sub(before);
    if left > LEFT {
        outcome.wrong.push(format!("{} MB are still held 15 s later", left / MB));
    }
    Ok(outcome)
}

/// Sends the same by many at a time; whatever becomes of them.
fn at_once(address: &str, path: &str, content_type: &str, headers: &str, body: &[u8]) -> usize {
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| drop(post(address, path, content_type, headers, body)));
        }
    });
    AT_ONCE
}

fn post(address: &str, path: &str, content_type: &str, headers: &str, body: &[u8]) -> Result<(u16, String)> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Type: {content_type}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    http::send(address, &head, body).with_context(|| path.to_owned())
}
