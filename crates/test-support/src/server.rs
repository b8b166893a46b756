//! Servers on free ports of this machine, which do what a test says.
use std::{
    future::Future,
    net::{SocketAddr, TcpListener as Listener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Handle},
};

/// A running server. It lives in the test's runtime and on its clock, or on a thread of its own where there is none.
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    connected: Arc<AtomicUsize>,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// First line and headers, with the line end of the last one.
    pub head: String,
    /// As long as the head says.
    pub body: Vec<u8>,
}

/// What to answer, and what becomes of the connection.
#[derive(Clone, Debug)]
pub struct Response {
    head: Vec<u8>,
    body: Vec<u8>,
    then: Then,
}

#[derive(Clone, Copy, Debug)]
enum Then {
    Keep,
    Close,
    Hang,
    Drip,
}

impl TestServer {
    /// Answers each request with what `answer` makes of it and of how often its path was asked for before.
    pub fn answering(answer: impl Fn(&Request, usize) -> Response + Send + Sync + 'static) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        let serve = move |_, mut stream| {
            let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
            async move {
                while let Some(request) = Request::read(&mut stream).await {
                    let before = remember(&seen, &request);
                    if !answer(&request, before).write(&mut stream).await {
                        return;
                    }
                }
            }
        };
        Self { requests, ..Self::connections(serve) }
    }

    /// Answers each request alike.
    pub fn saying(response: Response) -> Self {
        Self::answering(move |_, _| response.clone())
    }

    /// Serves each connection by `serve`, which gets its number, from 0.
    pub fn connections<F>(serve: impl Fn(usize, TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = Listener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        listener.set_nonblocking(true).expect("a socket of ours");
        let connected = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connected);
        let accept = async move {
            let listener = TcpListener::from_std(listener).expect("a socket that does not block");
            for number in 0.. {
                let (stream, _) = listener.accept().await.expect("a connection");
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(number, stream));
            }
        };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(accept);
        } else {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            std::thread::spawn(move || runtime.block_on(accept));
        }
        Self { address, requests: Arc::default(), connected }
    }

    /// An address that nobody listens on.
    pub fn gone() -> SocketAddr {
        let listener = Listener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("a bound socket has an address")
    }

    /// Where it listens, as `http` address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections so far.
    pub fn connected(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no answer panics").clone()
    }
}

/// Notes a request, and tells how many had the same path before.
fn remember(seen: &Mutex<Vec<Request>>, request: &Request) -> usize {
    let mut seen = seen.lock().expect("no answer panics");
    let before = seen.iter().filter(|earlier| earlier.path() == request.path()).count();
    seen.push(request.clone());
    before
}

impl Request {
    /// A whole one; none if the connection ends before that.
    async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let mut body = bytes.split_off(end + 4);
        let head = String::from_utf8_lossy(&bytes[..end + 2]).into_owned();
        let mut request = Self { head, body: Vec::new() };
        let length = request.header("content-length").map_or(0, |length| length.parse().expect("a length"));
        while body.len() < length {
            if stream.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        request.body = body;
        Some(request)
    }

    /// Path and query.
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// A header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value.trim()))
    }
}

impl Response {
    /// With this status and body, whose length it says. The connection is kept.
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref().to_vec();
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
        Self { head: head.into_bytes(), body, then: Then::Keep }
    }

    /// Status 200.
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::new(200, body)
    }

    /// Status 200 and JSON.
    pub fn json(body: impl AsRef<[u8]>) -> Self {
        Self::ok(body).with("Content-Type", "application/json")
    }

    /// Nothing but a status.
    pub fn status(status: u16) -> Self {
        Self::new(status, "")
    }

    /// The part of the content that was asked for.
    pub fn range(request: &Request, body: &[u8]) -> Self {
        let start = request
            .header("range")
            .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        match start {
            None => Self::ok(body),
            Some(start) if start >= body.len() => Self::status(416),
            Some(start) => {
                let range = format!("bytes {start}-{}/{}", body.len() - 1, body.len());
                Self::new(206, &body[start..]).with("Content-Range", range)
            }
        }
    }

    /// These very bytes.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self { head: Vec::new(), body: bytes.as_ref().to_vec(), then: Then::Keep }
    }

    /// With another header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let before_the_blank_line = self.head.len() - 2;
        let line = format!("{name}: {}\r\n", value.as_ref());
        self.head.splice(before_the_blank_line..before_the_blank_line, line.into_bytes());
        self
    }

    /// Closes the connection after that many bytes of the body.
    #[must_use]
    pub fn cut(mut self, after: usize) -> Self {
        self.body.truncate(after);
        self.close()
    }

    /// Falls silent after that many bytes of the body, for as long as the test runs.
    #[must_use]
    pub fn stall(mut self, after: usize) -> Self {
        self.body.truncate(after);
        self.hang()
    }

    /// Falls silent behind it.
    #[must_use]
    pub fn hang(self) -> Self {
        Self { then: Then::Hang, ..self }
    }

    /// Closes the connection behind it.
    #[must_use]
    pub fn close(self) -> Self {
        Self { then: Then::Close, ..self }
    }

    /// Sends one more byte again and again, for as long as somebody listens.
    #[must_use]
    pub fn drip(self) -> Self {
        Self { then: Then::Drip, ..self }
    }

    /// Sends it, and tells whether the connection goes on. The client may have gone away on purpose.
    async fn write(self, stream: &mut TcpStream) -> bool {
        if stream.write_all(&self.head).await.is_err() || stream.write_all(&self.body).await.is_err() {
            return false;
        }
        match self.then {
            Then::Keep => true,
            Then::Close => false,
            Then::Hang => std::future::pending().await,
            Then::Drip => {
                while stream.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                false
            }
        }
    }
}
