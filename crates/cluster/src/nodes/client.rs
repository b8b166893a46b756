//! Requests and their answers, within bounds of time and bytes.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, Uri,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT},
};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::timeout;
use viewfinder_core::ErrorCode;
use viewfinder_http::{Connector, certificate_error};

use crate::nodes::{
    ConfigError, NodeConfig, NodeError, NodeKind, Secret,
    body::ChunkedBody,
    form::Content,
    refusal::{self, Refusal, Subject, line},
};

/// Most bytes of an answer. The largest real ones, pages full of text, have a few hundred thousand.
const ANSWER_BYTES: usize = 64 << 20;
/// Most bytes of a refusal; what it says in its first lines is enough.
const REFUSAL_BYTES: usize = 64 << 10;
/// Gunicorn, which serves Immich's models, closes connections that were idle for two seconds. A connection must not
/// be taken up again at that very moment.
const IDLE: Duration = Duration::from_millis(1500);

const AGENT: &str = concat!("viewfinder/", env!("CARGO_PKG_VERSION"));

/// The connections to a node, and what each request to it carries.
pub(crate) struct Client {
    http: legacy::Client<Connector, ChunkedBody>,
    credentials: Option<(HeaderName, HeaderValue)>,
    key: Option<Secret>,
    checks_keys: bool,
    timeout: Duration,
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) body: Bytes,
    /// Set where a Viewfinder says with status 200 that it failed, as MT Photos' protocol wants it.
    pub(crate) code: Option<ErrorCode>,
}

impl Client {
    pub(crate) fn new(config: &NodeConfig) -> Result<Self, ConfigError> {
        let connector = Connector::new(config.connect_timeout, config.authorities.as_deref())?;
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        let credentials = config.key.as_ref().map(|key| credentials(config.kind, key)).transpose()?;
        Ok(Self {
            http,
            credentials,
            key: config.key.clone(),
            // Immich's own service knows no keys: a refusal comes from something in between, perhaps of this one path.
            checks_keys: config.kind != NodeKind::ImmichMl,
            timeout: config.request_timeout,
        })
    }

    /// `GET`.
    pub(crate) async fn get(&self, uri: &Uri) -> Result<Answer, NodeError> {
        self.send(Method::GET, uri, Content::none(), Subject::Other).await
    }

    /// `POST`.
    pub(crate) async fn post(
        &self,
        uri: &Uri,
        content: Content,
        subject: Subject<'_>,
    ) -> Result<Answer, NodeError> {
        self.send(Method::POST, uri, content, subject).await
    }

    /// A refusal in the words of the peer, without our key.
    pub(crate) fn refusal(&self) -> Refusal<'_> {
        Refusal { key: self.key.as_ref(), checks_keys: self.checks_keys }
    }

    async fn send(
        &self,
        method: Method,
        uri: &Uri,
        content: Content,
        subject: Subject<'_>,
    ) -> Result<Answer, NodeError> {
        let mut request = Request::new(content.body);
        *request.method_mut() = method;
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(kind) = content.kind {
            headers.insert(CONTENT_TYPE, kind);
        }
        if let Some((name, value)) = &self.credentials {
            headers.insert(name, value.clone());
        }
        if let Some(context) = viewfinder_core::trace::current() {
            context.write(headers);
        }
        let exchange = async {
            let response = self.http.request(request).await.map_err(|error| unsent(&error))?;
            self.read(response, subject).await
        };
        // Dropping the exchange closes its connection, which tells the peer that nobody waits any more.
        timeout(self.timeout, exchange).await.unwrap_or(Err(NodeError::TimedOut(self.timeout)))
    }

    async fn read(&self, response: Response<Incoming>, subject: Subject<'_>) -> Result<Answer, NodeError> {
        let (head, body) = response.into_parts();
        let code = refusal::code_from_headers(&head.headers);
        if head.status.is_success() {
            // Where the length is announced, nothing of a body that is too long needs to come.
            if body.size_hint().lower() > ANSWER_BYTES as u64 {
                return Err(too_long());
            }
            let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(|error| broken(&*error))?;
            return Ok(Answer { body: body.to_bytes(), code });
        }
        let body = Limited::new(body, REFUSAL_BYTES).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Err(self.refusal().read(head.status, &head.headers, &body, subject))
    }
}

fn credentials(kind: NodeKind, key: &Secret) -> Result<(HeaderName, HeaderValue), ConfigError> {
    let key = key.reveal();
    if key.trim().is_empty() {
        return Err(ConfigError::Key);
    }
    let (name, value) = match kind {
        NodeKind::MtPhotos => (HeaderName::from_static("api-key"), HeaderValue::try_from(key)),
        NodeKind::Viewfinder | NodeKind::ImmichMl => {
            (AUTHORIZATION, HeaderValue::try_from(format!("Bearer {key}")))
        }
    };
    let mut value = value.map_err(|_| ConfigError::Key)?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// A request that got no answer at all.
fn unsent(error: &legacy::Error) -> NodeError {
    let hyper = error.source().and_then(|source| source.downcast_ref::<hyper::Error>());
    if hyper.is_some_and(hyper::Error::is_parse) {
        return NodeError::Garbage("this is not HTTP".to_owned());
    }
    if hyper.is_some_and(hyper::Error::is_incomplete_message) {
        return NodeError::Unreachable("the connection was closed without an answer".to_owned());
    }
    if let Some(why) = certificate_error(error) {
        return NodeError::Unreachable(format!("its certificate is not accepted: {}", line(&why)));
    }
    NodeError::Unreachable(line(&innermost(error)))
}

/// An answer that has begun and does not end.
fn broken(error: &(dyn Error + Send + Sync + 'static)) -> NodeError {
    if error.is::<LengthLimitError>() {
        return too_long();
    }
    NodeError::Unreachable("the connection broke within the answer".to_owned())
}

fn too_long() -> NodeError {
    NodeError::Garbage(format!("the answer is longer than {} MB", ANSWER_BYTES >> 20))
}

/// The cause at the bottom: the layers above only repeat that they could not.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
