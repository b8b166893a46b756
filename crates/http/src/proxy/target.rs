use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use http_body::Body as HttpBody;
use hyper::{Method, Request, header::UPGRADE};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A client's connection whose requests ask for targets that the HTTP library reads.
///
/// Some clients send `"`, `<`, `>` or a back-tick as they are. Node takes them, and the library refuses them; so they are
/// percent-encoded before it reads them, which means the same. Nothing else is changed, and that only where a target is
/// certain to stand. How long bodies are is never guessed here: the library itself says so, for each head that it has
/// read; the bytes behind a head wait until then. Behind a body whose length is not known beforehand, and whenever the library
/// reads otherwise than expected, everything passes as it is until the connection ends.
pub(crate) struct Encoding<T> {
    inner: T,
    place: Place,
    /// What was read and is yet to be passed on.
    held: BytesMut,
}

/// Where in a conversation its next byte stands; shared with whoever answers the requests.
#[derive(Clone, Default)]
pub(crate) struct Place(Arc<Mutex<Part>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Part {
    /// Before a request, where empty lines may be.
    #[default]
    Before,
    Method,
    /// Behind the space before a target.
    Start,
    Target,
    /// Behind the target; `empty` at the beginning of a line.
    Head {
        empty: bool,
    },
    /// Behind a head that the library has yet to read.
    Unread,
    /// So many bytes before the next request.
    Body(u64),
    /// Everything passes.
    Rest,
}

impl Place {
    /// The library has read a head: here is what follows.
    pub(crate) fn tell<B: HttpBody>(&self, request: &Request<B>) {
        let changes = request.headers().contains_key(UPGRADE) || request.method() == Method::CONNECT;
        let length = request.body().size_hint().exact().filter(|_| !changes);
        let mut part = self.part();
        *part = match (*part, length) {
            (Part::Unread, Some(length)) => Part::Body(length),
            _ => Part::Rest,
        };
    }

    fn part(&self) -> MutexGuard<'_, Part> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// How many of these bytes go on as they are, and whether the one behind them is to be encoded.
    fn pass(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            *self = match *self {
                Self::Rest | Self::Unread => {
                    *self = Self::Rest;
                    return (bytes.len(), false);
                }
                Self::Body(length) => {
                    let here = length.min((bytes.len() - at) as u64);
                    at += here as usize;
                    *self = if here == length { Self::Before } else { Self::Body(length - here) };
                    continue;
                }
                Self::Before if matches!(byte, b'\r' | b'\n') => Self::Before,
                Self::Before | Self::Method if byte.is_ascii_alphabetic() || byte == b'-' => Self::Method,
                Self::Method if byte == b' ' => Self::Start,
                Self::Before | Self::Method => Self::Rest,
                Self::Start if byte == b'/' => Self::Target,
                Self::Target if is_foreign(byte) => return (at, true),
                Self::Target if !is_end(byte) => Self::Target,
                Self::Head { empty: true } if byte == b'\n' => {
                    *self = Self::Unread;
                    return (at + 1, false);
                }
                Self::Head { empty } if byte == b'\r' => Self::Head { empty },
                Self::Start | Self::Target | Self::Head { .. } => Self::Head { empty: byte == b'\n' },
            };
            at += 1;
        }
        (at, false)
    }
}

/// What Node takes in a target, and the HTTP library does not.
fn is_foreign(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'`')
}

fn is_end(byte: u8) -> bool {
    matches!(byte, b' ' | b'\r' | b'\n')
}

/// Encodes the rest of a target, which these bytes begin with.
fn encoded(bytes: &[u8]) -> BytesMut {
    let end = bytes.iter().position(|byte| is_end(*byte)).unwrap_or(bytes.len());
    let mut encoded = BytesMut::with_capacity(bytes.len() + 64);
    for byte in &bytes[..end] {
        if is_foreign(*byte) {
            encoded.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            encoded.extend_from_slice(&[*byte]);
        }
    }
    encoded.extend_from_slice(&bytes[end..]);
    encoded
}

impl<T> Encoding<T> {
    pub(crate) fn new(inner: T, place: Place) -> Self {
        Self { inner, place, held: BytesMut::new() }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Encoding<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        loop {
            let foreign = if this.held.is_empty() {
                ready!(Pin::new(&mut this.inner).poll_read(context, buffer))?;
                let read = &buffer.filled()[before..];
                if read.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                let (passed, foreign) = this.place.part().pass(read);
                this.held.extend_from_slice(&read[passed..]);
                buffer.set_filled(before + passed);
                foreign
            } else {
                let length = this.held.len().min(buffer.remaining());
                let (passed, foreign) = this.place.part().pass(&this.held[..length]);
                buffer.put_slice(&this.held[..passed]);
                this.held.advance(passed);
                foreign
            };
            if foreign {
                this.held = encoded(&this.held);
            }
            // To pass on nothing would be to say that the connection has ended.
            if buffer.filled().len() > before || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Encoding<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What comes through, if it is sent in pieces of a size and read in such; `told` are the bodies' lengths, in the order of
    /// the heads.
    async fn passed(sent: &[u8], size: usize, told: &[Option<u64>]) -> Vec<u8> {
        let (mut client, server) = tokio::io::duplex(size);
        let sent = sent.to_vec();
        tokio::spawn(async move { client.write_all(&sent).await });
        let place = Place::default();
        let mut reading = Encoding::new(server, place.clone());
        let mut told = told.iter();
        let (mut all, mut piece) = (Vec::new(), vec![0; size]);
        loop {
            let read = reading.read(&mut piece).await.unwrap();
            if read == 0 {
                return all;
            }
            all.extend_from_slice(&piece[..read]);
            let mut part = place.part();
            if *part == Part::Unread {
                assert!(all.ends_with(b"\n"), "nothing comes behind a head before its body is known");
                *part = told.next().unwrap().map_or(Part::Rest, Part::Body);
            }
        }
    }

    async fn check(sent: &[u8], told: &[Option<u64>], expected: &[u8]) {
        for size in [1, 2, 3, 7, 64, 4096] {
            let found = passed(sent, size, told).await;
            assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(expected), "{size}");
        }
    }

    #[tokio::test]
    async fn targets_are_encoded_and_nothing_else_is() {
        check(
            b"\r\nGET /a`?q=\"<x>\"{|}\\^%3C HTTP/1.1\r\nHost: \"<h>`\r\n\r\n\
              POST /<b> HTTP/1.1\r\nContent-Length: 24\r\n\r\nGET /<\"\"\"\"> HTTP/1.1\r\n\r\n\
              PUT /> HTTP/1.1\n\nGET /\" HTTP/1.1\r\n\r\n",
            &[Some(0), Some(24), Some(0), Some(0)],
            b"\r\nGET /a%60?q=%22%3Cx%3E%22{|}\\^%3C HTTP/1.1\r\nHost: \"<h>`\r\n\r\n\
              POST /%3Cb%3E HTTP/1.1\r\nContent-Length: 24\r\n\r\nGET /<\"\"\"\"> HTTP/1.1\r\n\r\n\
              PUT /%3E HTTP/1.1\n\nGET /%22 HTTP/1.1\r\n\r\n",
        )
        .await;
    }

    #[tokio::test]
    async fn what_is_not_certain_passes() {
        for sent in [
            // Its end is known to the library only.
            &b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /< HTTP/1.1\r\n\r\n"[..],
            b"GET http://<h>/\" HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01 /<",
            b"G<T /< HTTP/1.1\r\n\r\n",
            b"GET  /< HTTP/1.1\r\n\r\n",
        ] {
            check(sent, &[None], sent).await;
        }
    }

    #[test]
    fn what_the_library_reads_otherwise_ends_it() {
        let part = |part: Part, request: Request<http_body_util::Full<bytes::Bytes>>| {
            let place = Place(Arc::new(Mutex::new(part)));
            place.tell(&request);
            *place.part()
        };
        let request = || Request::new(http_body_util::Full::from("body"));
        assert_eq!(part(Part::Unread, request()), Part::Body(4));
        assert_eq!(part(Part::Head { empty: true }, request()), Part::Rest);
        let mut changes = request();
        changes.headers_mut().insert(UPGRADE, "websocket".parse().unwrap());
        assert_eq!(part(Part::Unread, changes), Part::Rest);
        let mut unread = Part::Unread;
        assert_eq!((unread.pass(b"GET /<"), unread), ((6, false), Part::Rest));
    }
}
