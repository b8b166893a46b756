//! Questions of a library to Immich, in the name of whoever sent a request.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hyper::{Method, StatusCode, http::request::Parts};
use serde_json::Value;
use tokio::runtime::Handle;
use uuid::Uuid;
use viewfinder_proxy::Visitor;

use crate::{
    AsCaller, Companion,
    ask::{self, Answer, Read},
};

/// Questions of one search at once: more would keep other people's requests waiting in Immich.
const AT_ONCE: usize = 8;

/// The sender of a request.
pub(crate) struct Sender {
    companion: Arc<Companion>,
    parts: Parts,
    visitor: Visitor,
    runtime: Handle,
}

impl Sender {
    /// Within a Tokio runtime; its questions are put from threads that may block.
    pub(crate) fn new(companion: &Arc<Companion>, read: &Read, visitor: &Visitor) -> Self {
        Self {
            companion: Arc::clone(companion),
            parts: read.parts.clone(),
            visitor: visitor.clone(),
            runtime: Handle::current(),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let asked = ask::as_sender(&self.companion.proxy, &self.visitor, &self.parts, method, path, body);
        let answer = asked.await?;
        if answer.status == StatusCode::OK {
            Ok(answer)
        } else {
            Err(format!("Immich answers {}", answer.status))
        }
    }

    async fn found(&self, body: &Value) -> Result<Value, String> {
        let answer = self.ask(Method::POST, "/api/search/metadata", Some(body)).await?;
        answer.json().ok_or_else(|| "Immich answers with no JSON".to_owned())
    }
}

impl AsCaller for Sender {
    fn preview(&self, asset: Uuid) -> Result<Bytes, String> {
        let path = format!("/api/assets/{asset}/thumbnail?size=preview&edited=false");
        self.runtime.block_on(self.ask(Method::GET, &path, None)).map(|answer| answer.bytes)
    }

    fn search(&self, bodies: Vec<Value>) -> Vec<Result<Value, String>> {
        let answers = stream::iter(bodies).map(async |body| self.found(&body).await).buffered(AT_ONCE);
        self.runtime.block_on(answers.collect())
    }
}
