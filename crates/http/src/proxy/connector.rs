use std::{
    pin::Pin,
    task::{Context, Poll},
};

use hyper::Uri;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::proxy::link::Link;

/// Connects as [`crate::Connector`] does; an answer is then read whatever becomes of the request.
#[derive(Clone)]
pub(crate) struct Connector(pub(crate) crate::Connector);

impl Service<Uri> for Connector {
    type Response = Link<MaybeHttpsStream<TokioIo<TcpStream>>>;
    type Error = <crate::Connector as Service<Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move { Ok(Link::new(connecting.await?)) })
    }
}
