//! Requests over plain sockets, so that also what no well-behaved client sends can be sent.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

/// Separates the parts of a form.
pub(crate) const BOUNDARY: &str = "----viewfinder-xtask";

/// Longest time between two pieces of an answer, as in Immich's server.
const PATIENCE: Duration = Duration::from_mins(5);

/// Adds a part to a form; a file is described as Immich's server does.
pub(crate) fn part(body: &mut Vec<u8>, name: &str, file: bool, content: &[u8]) {
    let file = if file { "; filename=\"blob\"\r\nContent-Type: application/octet-stream" } else { "" };
    body.extend(
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").bytes(),
    );
    body.extend(content);
    body.extend(b"\r\n");
}

/// Ends a form.
pub(crate) fn end(body: &mut Vec<u8>) {
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
}

/// Sends a request to HOST:PORT; returns status and body of the answer.
pub(crate) fn send(address: &str, head: &str, body: &[u8]) -> Result<(u16, String)> {
    let (status, text) = whole(address, head, body)?;
    Ok((status, text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned()))
}

/// Sends a request to HOST:PORT; returns the status and the whole of the answer.
pub(crate) fn whole(address: &str, head: &str, body: &[u8]) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(head.as_bytes())?;
    // The server may refuse, and close, before all is sent.
    let sent = stream.write_all(body);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let Some(status) = status else {
        read?;
        sent?;
        bail!("no status in the answer")
    };
    Ok((status, text))
}

/// The body of a request to `/predict`: what is asked, and the picture or the text that it is about.
pub(crate) fn question(entries: &str, field: &str, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(content.len() + 1024);
    part(&mut body, "entries", false, entries.as_bytes());
    part(&mut body, field, field == "image", content);
    end(&mut body);
    body
}

/// The head of a request to `/predict`, as Immich's server sends it.
fn predict_head(connection: &str, length: usize) -> String {
    format!(
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\
         User-Agent: immich-server/2.7.5\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// Asks `/predict` of HOST:PORT; returns status and body of the answer.
pub(crate) fn ask_predict(address: &str, body: &[u8]) -> Result<(u16, String)> {
    send(address, &predict_head("close", body.len()), body)
}

/// Asks `/predict` of HOST:PORT; returns the body of a good answer.
pub(crate) fn predict(address: &str, body: &[u8]) -> Result<String> {
    let (status, answer) = ask_predict(address, body)?;
    ensure!(status == 200, "{status} {answer:.200}");
    Ok(answer)
}

/// Gets a page of HOST:PORT; returns its body, whatever the status.
pub(crate) fn get(address: &str, path: &str) -> Result<String> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    Ok(send(address, &head, b"")?.1)
}

/// A connection that is kept for many questions.
pub(crate) struct Kept(BufReader<TcpStream>);

impl Kept {
    pub(crate) fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::with_capacity(64 << 10, stream)))
    }

    /// Asks `/predict`; returns the body of a good answer.
    pub(crate) fn predict(&mut self, body: &[u8]) -> Result<Vec<u8>> {
        let head = predict_head("keep-alive", body.len());
        self.0.get_mut().write_all(head.as_bytes())?;
        self.0.get_mut().write_all(body)?;
        self.answer()
    }

    /// Gets a page; returns the body of a good answer.
    pub(crate) fn get(&mut self, path: &str) -> Result<Vec<u8>> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.get_mut().write_all(head.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            ensure!(self.0.read_until(b'\n', &mut head)? > 0, "the connection was closed");
        }
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let mut answer = vec![0; length.context("no length in the answer")?];
        self.0.read_exact(&mut answer)?;
        ensure!(head.starts_with("http/1.1 200"), "{head} {:.200}", String::from_utf8_lossy(&answer));
        Ok(answer)
    }
}
