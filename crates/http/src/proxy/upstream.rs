use std::error::Error;

use hyper::{
    Method, Request, Response, Uri, Version,
    body::{Body as _, Incoming},
    http::uri::{Authority, PathAndQuery, Scheme},
};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};

use crate::proxy::{Body, ConfigError, ProxyConfig, config::HEADERS, connector::Connector, empty};

/// The server behind the proxy, over connections that are kept.
#[derive(Clone)]
pub(crate) struct Upstream {
    http: legacy::Client<Connector, Body>,
    scheme: Scheme,
    authority: Authority,
}

/// No answer. Messages are one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// There is no connection.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// The connection broke before an answer began, or what came was no HTTP.
    #[error("gave no answer: {0}")]
    Broken(String),
    /// The client's own body broke off.
    #[error("did not get the whole request: {0}")]
    RequestBroke(String),
}

impl UpstreamError {
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Broken(_) => "broken",
            Self::RequestBroke(_) => "request_broke",
        }
    }
}

impl Upstream {
    pub(crate) fn new(config: &ProxyConfig) -> Result<Self, ConfigError> {
        let (scheme, authority) = config.address()?;
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.idle_time)
            .http1_max_headers(HEADERS)
            .build(Connector(crate::Connector::new(config.connect_time, config.authorities.as_deref())?));
        Ok(Self { http, scheme, authority })
    }

    /// Sends a request to the path that it names, and returns as soon as an answer begins.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, UpstreamError> {
        *request.uri_mut() = self.absolute(request.uri());
        *request.version_mut() = Version::HTTP_11;
        // A kept connection may close just as it is used again. What only asks can be asked twice.
        let again = repeatable(&request).then(|| request.headers().clone());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        match (self.http.request(request).await, again) {
            (Err(error), Some(headers)) if closed_early(&error) => {
                let mut request = Request::new(empty());
                *request.method_mut() = method;
                *request.uri_mut() = uri;
                *request.headers_mut() = headers;
                self.http.request(request).await
            }
            (answer, _) => answer,
        }
        .map_err(|error| describe(&error))
    }

    fn absolute(&self, uri: &Uri) -> Uri {
        let mut parts = uri.clone().into_parts();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
        // All three parts are there, which is all that this wants.
        Uri::from_parts(parts).unwrap_or_default()
    }
}

fn repeatable(request: &Request<Body>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && request.body().is_end_stream()
}

fn hyper_error(error: &legacy::Error) -> Option<&hyper::Error> {
    error.source().and_then(|source| source.downcast_ref::<hyper::Error>())
}

fn closed_early(error: &legacy::Error) -> bool {
    !error.is_connect()
        && hyper_error(error).is_some_and(|error| error.is_incomplete_message() || error.is_canceled())
}

fn describe(error: &legacy::Error) -> UpstreamError {
    if error.is_connect() {
        let reason =
            crate::certificate_error(error).map(|why| format!("its certificate is not accepted: {why}"));
        return UpstreamError::Unreachable(reason.unwrap_or_else(|| innermost(error)));
    }
    match hyper_error(error) {
        Some(hyper) if hyper.is_user() => UpstreamError::RequestBroke(innermost(error)),
        Some(hyper) if hyper.is_incomplete_message() => {
            UpstreamError::Broken("the connection was closed".to_owned())
        }
        Some(hyper) if hyper.is_parse() => UpstreamError::Broken("this is not HTTP".to_owned()),
        _ => UpstreamError::Broken(innermost(error)),
    }
}

/// The cause at the bottom: the layers above only repeat that they could not.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
