//! Requests over plain sockets, so that also what no well-behaved client sends can be sent.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

/// Separates the parts of a form.
pub(crate) const BOUNDARY: &str = "----viewfinder-xtask";

/// Longest time between two pieces of an answer.
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
    let mut stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(head.as_bytes())?;
    // The server may refuse, and close, before all is sent.
    let sent = stream.write_all(body);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let Some(status) = status else {
        sent?;
        bail!("no status in the answer")
    };
    Ok((status, text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned()))
}
