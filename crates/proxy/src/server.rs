use std::{
    convert::Infallible,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http_body_util::BodyExt as _;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{Body, Limits, linger::Lingering};

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The other end of the connection.
    pub address: SocketAddr,
    /// Becomes true when the server is asked to stop.
    stopped: watch::Receiver<bool>,
}

impl Visitor {
    /// Waits until the server is asked to stop.
    pub(crate) async fn stop(mut self) {
        // The sender lives as long as the server; its end is one as well.
        drop(self.stopped.wait_for(|stopped| *stopped).await);
    }
}

/// A server that listens but does not answer yet.
pub struct Server {
    listeners: Vec<TcpListener>,
    limits: Limits,
}

impl Server {
    /// Listens on every address.
    pub async fn bind(addresses: &[SocketAddr], limits: Limits) -> Result<Self, BindError> {
        let mut listeners = Vec::with_capacity(addresses.len());
        for address in addresses {
            listeners.push(listen(*address).await?);
        }
        Ok(Self { listeners, limits })
    }

    /// The addresses really listened on, which matters where port 0 was asked for.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Has every request answered by `handler` until `shutdown` is ready; then accepts no more, lets running answers
    /// finish, and returns.
    ///
    /// Tells whether everything finished within [`Limits::drain`]; what did not is cut off.
    pub async fn run<H, F>(self, handler: H, shutdown: impl Future<Output = ()>) -> bool
    where
        H: Fn(Request<Body>, Visitor) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        let mut listeners = JoinSet::new();
        for listener in self.listeners {
            listeners.spawn(accept(listener, handler.clone(), self.limits, stopped.clone()));
        }
        shutdown.await;
        stop.send_replace(true);
        timeout(self.limits.drain, async { while listeners.join_next().await.is_some() {} }).await.is_ok()
    }
}

/// Listens; where the system has no IPv6, "every address" means every IPv4 address.
async fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    let result = match TcpListener::bind(address).await {
        Err(error) if address.ip().is_unspecified() && address.is_ipv6() && lacks_ipv6(&error) => {
            TcpListener::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), address.port())).await
        }
        result => result,
    };
    result.map_err(|source| BindError { address, source })
}

fn lacks_ipv6(error: &io::Error) -> bool {
    // The second is what Linux says where IPv6 is compiled out or disabled at boot (EAFNOSUPPORT).
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(97)
}

/// Accepts connections until stopped, then waits for those that are open.
async fn accept<H, F>(listener: TcpListener, handler: H, limits: Limits, mut stopped: watch::Receiver<bool>)
where
    H: Fn(Request<Body>, Visitor) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            _ = stopped.changed() => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, address)) => {
                let visitor = Visitor { address, stopped: stopped.clone() };
                let connection = converse(stream, visitor, handler.clone(), limits);
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            // Out of file handles, for example: others may close in the meantime.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Answers the requests of one connection.
async fn converse<H, F>(stream: TcpStream, visitor: Visitor, handler: H, limits: Limits)
where
    H: Fn(Request<Body>, Visitor) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    // What is passed on is complete as it is; waiting to fill a segment would only delay it.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let stop = visitor.clone().stop();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .serve_connection(
            TokioIo::new(Lingering::new(stream)),
            service_fn(move |request: Request<Incoming>| {
                let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
                let answer = handler(request, visitor.clone());
                async move { Ok::<_, Infallible>(answer.await) }
            }),
        )
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
