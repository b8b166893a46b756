//! A proxy on a free port, a server behind it that does exactly what a test says, and plain sockets in front.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use viewfinder_http::proxy::{Limits, Proxy, ProxyConfig, Server};

/// Generous, so that only a hang trips it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Fails a test that hangs.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it hangs")
}

/// A running proxy; it ends with the test's runtime.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    ended: JoinHandle<bool>,
}

impl Running {
    pub(crate) async fn before(upstream: SocketAddr) -> Self {
        Self::with(&ProxyConfig::new(format!("http://{upstream}"))).await
    }

    pub(crate) async fn with(config: &ProxyConfig) -> Self {
        Self::within(config, Limits::default()).await
    }

    pub(crate) async fn within(config: &ProxyConfig, limits: Limits) -> Self {
        let proxy = Arc::new(Proxy::new(config).unwrap());
        let server = Server::bind(&["127.0.0.1:0".parse().unwrap()], limits).await.unwrap();
        let address = server.addresses()[0];
        let stop = CancellationToken::new();
        let ended = tokio::spawn(server.run(
            move |request, visitor| {
                let proxy = Arc::clone(&proxy);
                async move { proxy.forward(request, &visitor).await }
            },
            stop.clone(),
        ));
        Self { address, stop, ended }
    }

    /// Asks it to stop.
    pub(crate) fn stop(self) -> JoinHandle<bool> {
        self.stop.cancel();
        self.ended
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// One request on a connection of its own; everything that comes back.
    pub(crate) async fn exchange(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }
}

/// Reads a head, and nothing behind it. Empty at the end of the connection.
pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match soon(stream.read_u8()).await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Reads to the end of the connection.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    soon(stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Reads exactly this much.
pub(crate) async fn exactly(stream: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    soon(stream.read_exact(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The value of a header in a head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}
