use std::{convert::Infallible, net::SocketAddr};

use crate::{BindError, Connection, accept, head_error, listen};
use http_body_util::BodyExt as _;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::proxy::{
    Body, Limits,
    config::{HEAD_BYTES, HEADERS},
    failure,
    linger::Lingering,
    target::{self, Encoding},
};

/// Who sent a request.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The other end of the connection.
    pub address: SocketAddr,
    /// Cancelled when the server is to stop.
    pub(crate) stop: CancellationToken,
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

    /// Has every request answered by `handler` until `stop` is cancelled; then accepts no more, lets running answers
    /// finish, and returns.
    ///
    /// Tells whether everything finished within [`Limits::drain`]; what did not is cut off.
    pub async fn run<H, F>(self, handler: H, stop: CancellationToken) -> bool
    where
        H: Fn(Request<Body>, Visitor) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let mut listeners = JoinSet::new();
        for listener in self.listeners {
            let (handler, limits, stop) = (handler.clone(), self.limits, stop.clone());
            listeners.spawn(accept(listener, limits.connections, stop.clone(), move |stream, address| {
                let visitor = Visitor { address, stop: stop.clone() };
                converse(stream, visitor, handler.clone(), limits)
            }));
        }
        stop.cancelled().await;
        timeout(self.limits.drain, async { while listeners.join_next().await.is_some() {} }).await.is_ok()
    }
}

/// Answers the requests of one connection.
async fn converse<H, F>(stream: Connection, visitor: Visitor, handler: H, limits: Limits)
where
    H: Fn(Request<Body>, Visitor) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let stop = visitor.stop.clone();
    let place = stream.place();
    let (target, answering) = (target::Place::default(), place.clone());
    let stream = Encoding::new(Lingering::new(stream), target.clone());
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_headers(HEADERS)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request: Request<Incoming>| {
                let (answering, request) = answering.answering(request);
                // Before the library reads on.
                target.tell(&request);
                let answer = if let Some((status, why)) = head_error(&request) {
                    Err(failure::refusal(status, why))
                } else {
                    let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
                    Ok(handler(request, visitor.clone()))
                };
                async move {
                    let answer = match answer {
                        Ok(answer) => answer.await,
                        Err(refusal) => refusal,
                    };
                    Ok::<_, Infallible>(answering.through(answer))
                }
            }),
        )
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = place.evicted() => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
