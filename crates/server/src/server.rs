use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;
use viewfinder_core::Backend;
use viewfinder_http::{BindError, Connection, accept, listen};

use crate::{
    DEFAULT_API_KEY, Key, Limits, Listen, ServerConfig,
    failed_attempts::FailedAttempts,
    key::KeyGuard,
    metric,
    routes::{App, router},
    stream::{Peer, Stream},
};

/// Hyper's buffers are no smaller.
const LEAST_HEAD_BYTES: usize = 8192;

/// The HTTP server, listening but not yet answering.
pub struct Server {
    listeners: Vec<(TcpListener, Option<Key>)>,
    app: App,
    more: Router,
    /// Paths of `more` that want no key.
    open: Arc<[&'static str]>,
}

impl Server {
    /// Listens on every configured address.
    pub async fn bind(config: ServerConfig, backend: Arc<dyn Backend>) -> Result<Self, BindError> {
        let mut listeners = Vec::with_capacity(config.listen.len());
        for Listen { address, key } in &config.listen {
            listeners.push((listen(*address).await?, key.clone()));
        }
        if config.api_key == DEFAULT_API_KEY && listeners.iter().any(|(_, key)| key.is_none()) {
            tracing::warn!(
                "the key of the MT Photos routes is the well-known default; set API_AUTH_KEY to change it"
            );
        }
        let app = App::new(config, backend);
        Ok(Self { listeners, app, more: Router::new(), open: Arc::new([]) })
    }

    /// Offers more routes on every address, behind its key but for the paths that are `open`. Their requests carry a
    /// [`Peer`], and where there is a key, [`AddressKey`] and [`Admitted`].
    ///
    /// [`AddressKey`]: crate::AddressKey
    /// [`Admitted`]: crate::Admitted
    #[must_use]
    pub fn with(self, more: Router, open: impl IntoIterator<Item = &'static str>) -> Self {
        Self { more, open: open.into_iter().collect(), ..self }
    }

    /// Adds a part to what `/health` answers, made anew each time. It does not decide whether the answer is 200.
    #[must_use]
    pub fn with_health(
        mut self,
        name: &'static str,
        part: impl Fn() -> serde_json::Value + Send + Sync + 'static,
    ) -> Self {
        self.app.health.push((name, Box::new(part)));
        self
    }

    /// The addresses really listened on, which matters where port 0 was asked for.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listening().map(|(address, _)| address).collect()
    }

    /// The same, and whether a key is wanted there.
    pub fn listening(&self) -> impl Iterator<Item = (SocketAddr, bool)> {
        self.listeners.iter().filter_map(|(listener, key)| Some((listener.local_addr().ok()?, key.is_some())))
    }

    /// Serves until `stop` is cancelled, then accepts no more, lets running work finish, and returns.
    ///
    /// Tells whether everything finished within [`ServerConfig::drain`]; what did not is cut off.
    pub async fn run(self, stop: CancellationToken) -> bool {
        let limits = self.app.config.limits;
        let drain = self.app.config.drain;
        let app = Arc::new(self.app);
        let mut listeners = JoinSet::new();
        let tries = Arc::new(FailedAttempts::default());
        for (listener, key) in self.listeners {
            let guard =
                key.map(|key| KeyGuard { key, open: Arc::clone(&self.open), tries: Arc::clone(&tries) });
            let router = router(Arc::clone(&app), self.more.clone(), guard);
            let stop = stop.clone();
            listeners.spawn(accept(listener, limits.connections, stop.clone(), move |stream, peer| {
                converse(stream, Peer(peer), router.clone(), limits, stop.clone())
            }));
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                // Latencies pile up in the recorder until they are sorted into their buckets.
                () = sleep(Duration::from_secs(5)) => metric::recorder().run_upkeep(),
            }
        }
        tracing::info!("stopping: no more requests are accepted");
        timeout(drain, async { while listeners.join_next().await.is_some() {} }).await.is_ok()
    }
}

/// Answers the requests of one connection.
async fn converse(stream: Connection, peer: Peer, router: Router, limits: Limits, stop: CancellationToken) {
    let place = stream.place();
    let answering = place.clone();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(limits.head_bytes.max(LEAST_HEAD_BYTES))
        .max_headers(limits.headers)
        .serve_connection(
            TokioIo::new(Stream::new(stream, limits.answer_time)),
            service_fn(move |request: Request<Incoming>| {
                let (answering, mut request) = answering.answering(request);
                request.extensions_mut().insert(peer);
                // A router is always ready.
                let answer = router.clone().call(request);
                async move { answer.await.map(|answer| answering.through(answer)) }
            }),
        );
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
