//! Questions of a library to Immich, in the name of whoever sent a request.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hyper::{Method, StatusCode, http::request::Parts};
use serde_json::Value;
use tokio::time::timeout;
use uuid::Uuid;
use viewfinder_http::proxy::Visitor;

use crate::{
    client::{Answer, Client},
    companion::Companion,
    library::ImmichAsCaller,
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
    client: Client,
    preview_time: Duration,
    parts: Parts,
    visitor: Visitor,
}

impl Sender {
    pub(crate) fn new(companion: &Companion, parts: &Parts, visitor: &Visitor) -> Self {
        Self {
            client: companion.client.clone(),
            preview_time: companion.preview_time,
            parts: parts.clone(),
            visitor: visitor.clone(),
        }
    }

    async fn found(&self, body: Value) -> Result<Value, String> {
        let path = "/api/search/metadata";
        let asked =
            self.client.as_sender(&self.visitor, &self.parts, Method::POST, path, Some(&body)).await?;
        if asked.status != StatusCode::OK {
            return Err(format!("Immich answers {}", asked.status));
        }
        asked.json().ok_or_else(|| "Immich answers with no JSON".to_owned())
    }

    /// The preview of an asset. Takes no longer than is allowed.
    pub(crate) async fn fetch_preview(&self, asset: Uuid) -> Result<Bytes, PreviewError> {
        let path = format!("/api/assets/{asset}/thumbnail?size=preview&edited=false");
        let asked = self.client.as_sender(&self.visitor, &self.parts, Method::GET, &path, None);
        match timeout(self.preview_time, asked).await {
            Ok(Ok(answer)) => preview_of(answer),
            // An answer that began and broke off, or is too long, says nothing of other pictures.
            Ok(Err(why)) if self.client.proxy().is_up() => Err(PreviewError::Missing(why)),
            Ok(Err(why)) => Err(PreviewError::Away(why)),
            // It is Immich that hangs, most likely; a single picture that takes so long is told by the others.
            Err(_) => Err(PreviewError::Away(format!("no preview within {:?}", self.preview_time))),
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

#[async_trait]
impl ImmichAsCaller for Sender {
    async fn preview(&self, asset: Uuid) -> Result<Bytes, String> {
        self.fetch_preview(asset).await.map_err(|error| error.to_string())
    }

    async fn search(&self, bodies: Vec<Value>) -> Vec<Result<Value, String>> {
        let answers = stream::iter(bodies).map(|body| self.found(body)).buffered(AT_ONCE);
        answers.collect().await
    }
}
