//! Questions of a library to Immich, in the name of whoever sent a request.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hyper::{Method, StatusCode, http::request::Parts};
use serde_json::Value;
use tokio::{runtime::Handle, sync::oneshot, time::timeout};
use uuid::Uuid;
use viewfinder_http::proxy::{Proxy, Visitor};

use crate::{
    companion::{
        Companion,
        ask::{self, Answer},
    },
    library::AsCaller,
};

/// Questions of one search at once: more would keep other people's requests waiting in Immich.
const AT_ONCE: usize = 8;

/// Why there is no preview.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PreviewError {
    /// Immich does not know the credentials, or not any more.
    #[error("Immich asks to log in again")]
    SignedOut,
    /// Immich knows them, and refuses in these words.
    #[error("Immich refuses the preview: {0}")]
    Refused(String),
    /// Immich gives no answers at all for now.
    #[error("Immich does not answer: {0}")]
    Away(String),
    /// This picture has none.
    #[error("{0}")]
    Missing(String),
}

/// The sender of a request. Holds credentials, so it is never written anywhere.
pub(crate) struct Sender {
    proxy: Arc<Proxy>,
    preview_time: Duration,
    parts: Parts,
    visitor: Visitor,
    runtime: Handle,
}

impl Sender {
    /// Within a Tokio runtime; its questions are put from threads that may block.
    pub(crate) fn new(companion: &Companion, parts: &Parts, visitor: &Visitor) -> Self {
        Self {
            proxy: Arc::clone(&companion.proxy),
            preview_time: companion.preview_time,
            parts: parts.clone(),
            visitor: visitor.clone(),
            runtime: Handle::current(),
        }
    }

    async fn found(&self, body: &Value) -> Result<Value, String> {
        let path = "/api/search/metadata";
        let asked =
            ask::as_sender(&self.proxy, &self.visitor, &self.parts, Method::POST, path, Some(body)).await?;
        if asked.status != StatusCode::OK {
            return Err(format!("Immich answers {}", asked.status));
        }
        asked.json().ok_or_else(|| "Immich answers with no JSON".to_owned())
    }

    /// The preview of an asset. Blocks, but not for longer than is allowed.
    pub(crate) fn fetch_preview(&self, asset: Uuid) -> Result<Bytes, PreviewError> {
        let path = format!("/api/assets/{asset}/thumbnail?size=preview&edited=false");
        let (proxy, visitor, parts) = (Arc::clone(&self.proxy), self.visitor.clone(), self.parts.clone());
        let time = self.preview_time;
        let (tell, told) = oneshot::channel();
        // As a task of its own, which ends with the runtime: this thread may outlive it.
        self.runtime.spawn(async move {
            let asked = ask::as_sender(&proxy, &visitor, &parts, Method::GET, &path, None);
            // Whoever waited may have gone.
            let _ = tell.send(timeout(time, asked).await);
        });
        match told.blocking_recv() {
            Ok(Ok(Ok(answer))) => preview_of(answer),
            // An answer that began and broke off, or is too long, says nothing of other pictures.
            Ok(Ok(Err(why))) if self.proxy.is_up() => Err(PreviewError::Missing(why)),
            Ok(Ok(Err(why))) => Err(PreviewError::Away(why)),
            // It is Immich that hangs, most likely; a single picture that takes so long is told by the others.
            Ok(Err(_)) => Err(PreviewError::Away(format!("no preview within {time:?}"))),
            Err(_) => Err(PreviewError::Away("it is stopping".to_owned())),
        }
    }
}

fn preview_of(answer: Answer) -> Result<Bytes, PreviewError> {
    match answer.status {
        StatusCode::OK => Ok(answer.bytes),
        StatusCode::UNAUTHORIZED => Err(PreviewError::SignedOut),
        StatusCode::FORBIDDEN => {
            let said = serde_json::from_slice::<Value>(&answer.bytes).ok();
            let words = said.as_ref().and_then(|said| said.get("message")?.as_str());
            Err(PreviewError::Refused(words.unwrap_or("it is forbidden").to_owned()))
        }
        status @ (StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT) => Err(PreviewError::Away(status.to_string())),
        status => Err(PreviewError::Missing(format!("Immich answers {status} for the preview"))),
    }
}

impl AsCaller for Sender {
    fn preview(&self, asset: Uuid) -> Result<Bytes, String> {
        self.fetch_preview(asset).map_err(|error| error.to_string())
    }

    fn search(&self, bodies: Vec<Value>) -> Vec<Result<Value, String>> {
        let answers = stream::iter(bodies).map(async |body| self.found(&body).await).buffered(AT_ONCE);
        self.runtime.block_on(answers.collect())
    }
}
