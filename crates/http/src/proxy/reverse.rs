use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::BodyExt as _;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version, header::ACCEPT};

use crate::proxy::{
    Body, ConfigError, ProxyConfig, UpstreamError, Visitor, WarningThrottle, empty, expect, failure, headers,
    metric::{self, InFlight},
    tunnel,
    upstream::Upstream,
};

/// Passes requests on to one server, and its answers back.
pub struct Proxy {
    upstream: Upstream,
    /// The last request got no answer.
    down: AtomicBool,
    /// Was it said that it is down, and not yet that it is up again?
    told: AtomicBool,
    warnings: WarningThrottle<&'static str>,
}

impl Proxy {
    /// Prepares connections; none is made yet.
    pub fn new(config: &ProxyConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            upstream: Upstream::new(config)?,
            down: AtomicBool::new(false),
            told: AtomicBool::new(false),
            warnings: WarningThrottle::default(),
        })
    }

    /// Did the last request get an answer? True before the first.
    pub fn is_up(&self) -> bool {
        !self.down.load(Ordering::Relaxed)
    }

    /// Passes a request on, and answers with 502 if that fails.
    pub async fn forward(&self, request: Request<Body>, visitor: &Visitor) -> Response<Body> {
        if request.method() == Method::CONNECT {
            let mut response = Response::new(empty());
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            return response;
        }
        let mut asked = HeaderMap::new();
        if let Some(accept) = request.headers().get(ACCEPT) {
            asked.insert(ACCEPT, accept.clone());
        }
        match self.pass(request, visitor).await {
            Ok(response) => response,
            Err(error) => failure::answer(&asked, &error),
        }
    }

    /// Passes a request on, and returns when its answer begins.
    pub async fn pass(
        &self,
        mut request: Request<Body>,
        visitor: &Visitor,
    ) -> Result<Response<Body>, UpstreamError> {
        let _in_flight = InFlight::start();
        let client = hyper::upgrade::on(&mut request);
        request.extensions_mut().clear();
        let protocol = headers::strip(request.headers_mut());
        let upgrades = protocol.is_some();
        if let Some(protocol) = protocol {
            headers::set_upgrade(request.headers_mut(), protocol);
        }
        headers::tell_origin(request.headers_mut(), visitor.address);
        let (request, gate) = if expect::is_expected(request.headers()) {
            let (request, gate) = expect::wait(request);
            (request, Some(gate))
        } else {
            (request, None)
        };

        let result = self.upstream.send(request).await;
        self.note(&result.as_ref().map(Response::status));
        let mut response = result?;
        if let Some(gate) = gate {
            gate.close();
        }
        let server = hyper::upgrade::on(&mut response);
        let mut response = response.map(|body| body.map_err(Into::into).boxed_unsync());
        *response.version_mut() = Version::HTTP_11;
        let protocol = headers::strip(response.headers_mut());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            match protocol {
                Some(protocol) if upgrades => {
                    headers::set_upgrade(response.headers_mut(), protocol);
                    tunnel::join(client, server, visitor.clone());
                }
                _ => return Err(UpstreamError::Broken("it changes its protocol unasked".to_owned())),
            }
        }
        Ok(response)
    }

    /// Sends a request of this program's own, over the same connections, and returns when its answer begins. Nothing is told of a
    /// visitor, and nothing is counted.
    pub async fn ask(&self, request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
        let response = self.upstream.send(request).await?;
        Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
    }

    /// Counts, and says when answers cease and when they come again; not too often, should they come and go.
    fn note(&self, result: &Result<StatusCode, &UpstreamError>) {
        match result {
            Ok(status) => {
                metric::answered(*status);
                self.down.store(false, Ordering::Relaxed);
                if self.told.load(Ordering::Relaxed) && self.told.swap(false, Ordering::Relaxed) {
                    tracing::info!("the server behind the proxy answers again");
                }
            }
            // A client that leaves says nothing about the server.
            Err(error @ UpstreamError::RequestBroke(_)) => metric::failed(error),
            Err(error) => {
                metric::failed(error);
                self.down.store(true, Ordering::Relaxed);
                if let Some(often) = self.warnings.hear(error.label()) {
                    self.told.store(true, Ordering::Relaxed);
                    tracing::warn!(%error, "the server behind the proxy does not answer{often}");
                } else {
                    tracing::debug!(%error, "the server behind the proxy does not answer");
                }
            }
        }
    }
}
