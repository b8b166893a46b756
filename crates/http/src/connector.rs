//! Connections to servers, plain or encrypted.

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

type BoxError = Box<dyn Error + Send + Sync>;

/// Between two probes of a silent connection, so that one whose other end vanished is noticed. As Linux itself, but
/// sooner than the two hours after which it begins.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// Encrypted connections cannot be prepared. The messages quote nothing of the certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    /// No certificates, or broken ones.
    #[error("the certificates of the server's authorities cannot be used: {0}")]
    Authorities(String),
    /// The library refuses.
    #[error("encrypted connections cannot be prepared: {0}")]
    Unprepared(String),
}

/// Connects within a time that covers everything: the name, the connection, the encryption.
#[derive(Clone)]
pub struct Connector {
    inner: HttpsConnector<HttpConnector>,
    limit: Duration,
}

impl Connector {
    /// `authorities` are certificates as PEM, one of which must have signed a server's certificate; nobody else is then trusted to.
    /// Without any, the public authorities are.
    ///
    /// # Errors
    /// [`EncryptionError::Authorities`] for certificates that are none.
    pub fn new(limit: Duration, authorities: Option<&[u8]>) -> Result<Self, EncryptionError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // Requests are complete when they are written; waiting to fill a segment would only delay them.
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_ALIVE));
        // Several addresses of one name share the time, so that a dead one leaves some for the next.
        tcp.set_connect_timeout(Some(limit));
        let builder = HttpsConnectorBuilder::new();
        let builder = match authorities {
            Some(pem) => builder.with_tls_config(client_config(read(pem)?)?),
            None => builder
                .with_provider_and_webpki_roots(Arc::new(ring::default_provider()))
                .map_err(unprepared)?,
        };
        Ok(Self { inner: builder.https_or_http().enable_http1().wrap_connector(tcp), limit })
    }
}

/// The certificates in a PEM file.
fn read(pem: &[u8]) -> Result<RootCertStore, EncryptionError> {
    let unusable = |error: &dyn Error| EncryptionError::Authorities(error.to_string());
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        authorities.add(certificate).map_err(|error| unusable(&error))?;
    }
    if authorities.is_empty() {
        return Err(EncryptionError::Authorities("there is none in PEM".to_owned()));
    }
    Ok(authorities)
}

fn client_config(authorities: RootCertStore) -> Result<ClientConfig, EncryptionError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(unprepared)?;
    Ok(config.with_root_certificates(authorities).with_no_client_auth())
}

fn unprepared(error: impl Error) -> EncryptionError {
    EncryptionError::Unprepared(error.to_string())
}

/// Why the peer's certificate was not accepted, if that is what this error is at its bottom.
pub fn certificate_error(error: &(dyn Error + 'static)) -> Option<String> {
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
