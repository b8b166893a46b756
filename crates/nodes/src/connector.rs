//! Connections, plain or encrypted.

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
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::{net::TcpStream, time::timeout};
use tower_service::Service;

use crate::ConfigError;

type BoxError = Box<dyn Error + Send + Sync>;

/// Connects within a time that covers everything: the name, the connection, the encryption.
#[derive(Clone)]
pub(crate) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    limit: Duration,
}

impl Connector {
    /// `authorities`: see [`crate::NodeConfig`].
    pub(crate) fn new(limit: Duration, authorities: Option<&[u8]>) -> Result<Self, ConfigError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // Requests are complete when they are written; waiting to fill a segment would only delay them.
        tcp.set_nodelay(true);
        // Several addresses of one name share the time, so that a dead one leaves some for the next.
        tcp.set_connect_timeout(Some(limit));
        let builder = HttpsConnectorBuilder::new();
        let builder = match authorities {
            Some(pem) => builder.with_tls_config(trusting(read(pem)?)?),
            None => builder
                .with_provider_and_webpki_roots(Arc::new(ring::default_provider()))
                .map_err(unprepared)?,
        };
        Ok(Self { inner: builder.https_or_http().enable_http1().wrap_connector(tcp), limit })
    }
}

/// The certificates in a PEM file.
fn read(pem: &[u8]) -> Result<RootCertStore, ConfigError> {
    let unusable = |error: &dyn Error| ConfigError::Authorities(error.to_string());
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        authorities.add(certificate).map_err(|error| unusable(&error))?;
    }
    if authorities.is_empty() {
        return Err(ConfigError::Authorities("there is none in PEM".to_owned()));
    }
    Ok(authorities)
}

fn trusting(authorities: RootCertStore) -> Result<ClientConfig, ConfigError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(unprepared)?;
    Ok(config.with_root_certificates(authorities).with_no_client_auth())
}

fn unprepared(error: impl Error) -> ConfigError {
    ConfigError::Encryption(error.to_string())
}

/// Why the peer's certificate was not accepted, if that is what this error is at its bottom.
pub(crate) fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        // An I/O error has what caused it inside, and not as its source.
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let inside = inside.map(|inside| inside as &(dyn Error + 'static));
        if let Some(rustls::Error::InvalidCertificate(why)) =
            inside.unwrap_or(error).downcast_ref::<rustls::Error>()
        {
            return Some(why.to_string());
        }
        next = inside.or_else(|| error.source());
    }
    None
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        let limit = self.limit;
        Box::pin(async move {
            timeout(limit, connecting).await.unwrap_or_else(|_| {
                let reason = format!("no connection within {limit:?}");
                Err(io::Error::new(io::ErrorKind::TimedOut, reason).into())
            })
        })
    }
}
