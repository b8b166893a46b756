//! A server that misbehaves, in place of a node.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context as _, Result};

/// How it misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// 500 to everything.
    Failing,
    /// Well when probed, 500 to every question.
    Sick,
    /// What is no HTTP.
    Noise,
    /// Well when probed, and 200 with the answer to another question.
    Nonsense,
    /// Well when probed, and answers that end in the middle.
    CutOff,
    /// Accepts connections and never answers.
    Silent,
}

/// Longest wait for a request that does not come.
const PATIENCE: Duration = Duration::from_secs(10);

/// The server; ends when dropped.
pub(crate) struct StandIn {
    port: u16,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl StandIn {
    pub(crate) fn start(port: u16, manner: Manner) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).context("the node's port is taken")?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let acceptor = std::thread::spawn(move || {
            let mut open: Vec<TcpStream> = Vec::new();
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                open.extend(stream.try_clone());
                std::thread::spawn(move || converse(stream, manner));
            }
            for stream in open {
                // Most are closed by now.
                drop(stream.shutdown(Shutdown::Both));
            }
        });
        Ok(Self { port, stop, acceptor: Some(acceptor) })
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the acceptor, which looks at `stop`.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
    }
}

/// Answers one request, as badly as it should, and closes. Errors mean that the other side is gone.
fn converse(stream: TcpStream, manner: Manner) {
    if manner == Manner::Silent {
        std::thread::park_timeout(Duration::from_secs(600));
        return;
    }
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut stream = BufReader::new(stream);
    let Some(probe) = read(&mut stream) else { return };
    let answer = match manner {
        Manner::Failing => response(500, "it is broken"),
        Manner::Noise => "\u{7}\u{1b}%&/ 42 \r\n\r\n \u{0}\u{0}".to_owned(),
        Manner::Silent => String::new(),
        Manner::Sick | Manner::Nonsense | Manner::CutOff if probe => response(200, "pong"),
        Manner::Sick => response(500, "Internal Server Error"),
        Manner::Nonsense => response(200, r#"{"weather":"fine","imageHeight":1,"imageWidth":1}"#),
        Manner::CutOff => response(200, &format!("{{\"clip\":\"[{}", "0.25,".repeat(400)))
            .replace("Content-Length: 2", "Content-Length: 9"),
    };
    let _ = stream.get_mut().write_all(answer.as_bytes());
}

/// Reads a request to its end, and tells whether it is a probe; nothing if it breaks off.
fn read(stream: &mut BufReader<TcpStream>) -> Option<bool> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut head).ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let body = stream.take(length.unwrap_or(0));
    std::io::copy(&mut { body }, &mut std::io::sink()).ok()?;
    Some(head.starts_with("get "))
}

fn response(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Whatever\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
