//! Requests to a [`World`], and their answers.
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{TOKEN, World};

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.into_iter().find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body.escape_ascii()))
    }

    /// Status and code of a problem, whose form is looked at too.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String) {
        let problem = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{problem}");
        assert_eq!(problem["status"], self.status, "{problem}");
        for part in ["title", "detail"] {
            assert!(problem[part].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        (self.status, problem["code"].as_str().unwrap().to_owned())
    }
}

impl World {
    /// What this very head and body are answered with; `Host`, `Connection` and the length are added.
    pub(crate) async fn exchange(&self, head: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let head = format!("{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}");
        self.exchange_raw(&head, body).await
    }

    /// What this very head and body are answered with; nothing is added.
    pub(crate) async fn exchange_raw(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("{head}\r\n\r\n");
        // An answer may come before all of the body was taken.
        let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("an answer");
        let body = answer.split_off(end + 4);
        let head = String::from_utf8(answer).unwrap();
        Answer { status: head[9..12].parse().unwrap(), head, body }
    }

    /// `GET` with the token.
    pub(crate) async fn show(&self, path: &str) -> Answer {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}"), b"").await
    }

    /// The JSON of a `GET` that goes well.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.show(path).await;
        let json = answer.json();
        assert_eq!(answer.status, 200, "{path}: {json}");
        json
    }

    /// Bytes of this type, with the token: `POST /path`.
    pub(crate) async fn send_bytes(&self, request: &str, kind: &str, body: &[u8]) -> Answer {
        let head = format!("{request} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: {kind}");
        self.exchange(&head, body).await
    }

    /// JSON, with the token: `POST /path`.
    pub(crate) async fn send(&self, request: &str, body: &Value) -> Answer {
        let head =
            format!("{request} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json");
        self.exchange(&head, body.to_string().as_bytes()).await
    }
}
