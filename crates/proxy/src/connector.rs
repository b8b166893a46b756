use std::{
    error::Error,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::crypto::ring;
use tokio::{net::TcpStream, time::timeout};
use tower_service::Service;

use crate::{ConfigError, link::Link};

/// Between two probes of a silent connection, so that one whose other end vanished is noticed. As Linux itself, but
/// sooner than the two hours after which it begins.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// Connects, plain or encrypted, within a time that covers everything: the name, the connection, the encryption.
#[derive(Clone)]
pub(crate) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    limit: Duration,
}

impl Connector {
    pub(crate) fn new(limit: Duration) -> Result<Self, ConfigError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_ALIVE));
        // Several addresses of one name share the time, so that a dead one leaves some for the next.
        tcp.set_connect_timeout(Some(limit));
        let builder = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(Arc::new(ring::default_provider()))
            .map_err(|error| ConfigError::Encryption(error.to_string()))?;
        Ok(Self { inner: builder.https_or_http().enable_http1().wrap_connector(tcp), limit })
    }
}

impl Service<Uri> for Connector {
    type Response = Link<MaybeHttpsStream<TokioIo<TcpStream>>>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        let limit = self.limit;
        Box::pin(async move {
            let connected = timeout(limit, connecting).await.unwrap_or_else(|_| {
                let reason = format!("no connection within {limit:?}");
                Err(io::Error::new(io::ErrorKind::TimedOut, reason).into())
            });
            Ok(Link::new(connected?))
        })
    }
}
