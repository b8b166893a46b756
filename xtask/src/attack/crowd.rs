//! Connections that want nothing, or want it slowly.

use std::{
    io::Write as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{MB, Outcome, ground::Ground};
use crate::http;

/// Connections of each kind, to each of the two addresses.
const IDLE: usize = 2_000;
const SLOW: usize = 1_000;
/// Bytes that a slow head begins with.
const LONG_HEAD: usize = 60_000;
/// So long they stay.
const STAY: Duration = Duration::from_secs(15);
/// Requests whose failures could fill a log, and what may come of them.
const NOISY: usize = 60;
const LOG: u64 = MB;

pub(super) fn idle(ground: &Ground) -> Outcome {
    let mut open = Vec::new();
    for _ in 0..IDLE {
        for address in [ground.gateway(), ground.companion()] {
            open.extend(TcpStream::connect(address));
        }
    }
    std::thread::sleep(STAY);
    Outcome { sent: open.len(), ..Outcome::default() }
}

pub(super) fn slow_heads(ground: &Ground) -> Outcome {
    // As much of one as Node takes several times over.
    let long = "x".repeat(LONG_HEAD);
    let begin = move |_: &str| format!("GET /ping HTTP/1.1\r\nHost: localhost\r\nX: {long}").into_bytes();
    drip(ground, SLOW, begin)
}

pub(super) fn slow_bodies(ground: &Ground) -> Outcome {
    let companion = ground.companion();
    let begin = move |address: &str| {
        let (path, content_type) = if *address == companion {
            ("/api/search/smart", "application/json")
        } else {
            ("/predict", "multipart/form-data; boundary=x")
        };
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: 10000\r\n\r\n"
        )
        .into_bytes()
    };
    drip(ground, SLOW / 2, begin)
}

/// Begins requests on so many connections to each address, and goes on byte by byte.
fn drip(ground: &Ground, count: usize, begin: impl Fn(&str) -> Vec<u8>) -> Outcome {
    let mut open = Vec::new();
    for _ in 0..count {
        for address in [ground.gateway(), ground.companion()] {
            let Ok(mut stream) = TcpStream::connect(&address) else { continue };
            if stream.write_all(&begin(&address)).is_ok() {
                open.push(stream);
            }
        }
    }
    let sent = open.len();
    let until = Instant::now() + STAY;
    while Instant::now() < until {
        // Whoever was closed is not missed.
        open.retain_mut(|stream| stream.write_all(b"x").is_ok());
        std::thread::sleep(Duration::from_millis(500));
    }
    Outcome { sent, ..Outcome::default() }
}

/// Failures whose causes are as long as their senders like.
pub(super) fn noise(ground: &Ground) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let before = ground.log_bytes()?;
    let long = "x".repeat(1_000_000);
    for number in 0..NOISY {
        let entries = match number % 3 {
            0 => format!(r#"{{"clip":{{"visual":{{"modelName":"{long}"}}}}}}"#),
            1 => format!(r#"{{"{long}":{{"visual":{{"modelName":"m"}}}}}}"#),
            _ => format!(r#"{{"clip":{{"visual":{{"modelName":"{}"}}}}}}"#, &long[..200]),
        };
        let body = http::question(&entries, "image", b"\xff\xd8\xff");
        if let Ok((status @ 200..300, _)) = http::ask_predict(&ground.gateway(), &body) {
            outcome.wrong.push(format!("{status} to a model that is not"));
        }
        outcome.sent += 1;
    }
    let grown = ground.log_bytes()?.saturating_sub(before);
    if grown > LOG {
        outcome.wrong.push(format!("the log grew by {} kB", grown / 1000));
    }
    Ok(outcome)
}
