//! A library over a small Immich, and callers who ask it.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::{client::legacy, rt::TokioExecutor};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use viewfinder_catalog::{search::Similarity, text::Segmenter};
use viewfinder_core::Backend;
use viewfinder_engine::runtime::Device;
use viewfinder_engine::{Engine, EngineConfig};
use viewfinder_http::proxy::ProxyConfig;
use viewfinder_immich::{
    api::{ApiConfig, ApiLibrary},
    client::Client,
    library::{Caller, ImmichAsCaller, Library as _, LibraryError, Next, RerunKind, SearchRoute},
};
use viewfinder_index::Models;
use viewfinder_models::{Role, StoreConfig};
use viewfinder_test_support as test_support;

use crate::api::immich::Immich;

const OCR: &str = "PP-OCRv6_small";
/// A stand-in of the fixtures that averages pixels.
const CLIP: &str = "ViT-B-32__openai";

/// Immich and a library that knows it by keys.
pub(crate) struct Running {
    pub(crate) immich: Immich,
    pub(crate) library: ApiLibrary,
    url: String,
    stop: CancellationToken,
    runtime: Runtime,
    _folder: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Running {
    /// A library that is given keys; all else is in `immich`.
    pub(crate) fn start(immich: Immich, keys: &[&str]) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let url = immich.serve(&runtime);
        let client = Client::new(&ProxyConfig::new(url.as_str())).unwrap();
        let folder = TempDir::new().unwrap();
        let stop = CancellationToken::new();
        let config = ApiConfig {
            client: client.clone(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            folder: folder.path().join("immich"),
            segmenter: Arc::new(Segmenter::new(None).unwrap()),
            backend: engine(),
            models: Models { ocr: OCR.into(), clip: CLIP.into(), faces: "none".into(), face_min_score: 0.5 },
            sentence_model: CLIP.into(),
            similarity: Similarity::default(),
            search_time: Duration::from_secs(30),
            every: Duration::from_millis(50),
            compare: Duration::from_millis(200),
            stop: stop.clone(),
        };
        let _inside = runtime.enter();
        let library = ApiLibrary::start(config);
        Self { immich, library, url, stop, runtime, _folder: folder }
    }

    /// What somebody with a key finds: ids, best first.
    pub(crate) fn search(
        &self,
        key: &'static str,
        body: &Value,
    ) -> Result<(Vec<Uuid>, Option<Next>), LibraryError> {
        let route = if body.get("query").is_some() { SearchRoute::Smart } else { SearchRoute::Metadata };
        self.search_at(route, key, body)
    }

    pub(crate) fn search_at(
        &self,
        route: SearchRoute,
        key: &'static str,
        body: &Value,
    ) -> Result<(Vec<Uuid>, Option<Next>), LibraryError> {
        let page = self.runtime.block_on(self.library.search(
            &self.caller(key),
            route,
            body,
            &self.as_caller(key),
        ))?;
        let id = |item: &Value| Uuid::parse_str(item["id"].as_str().unwrap()).unwrap();
        Ok((page.items.iter().map(id).collect(), page.next))
    }

    /// Waits until a query finds exactly these.
    pub(crate) fn wait_for(&self, key: &'static str, query: &str, expected: &[Uuid]) {
        self.wait_for_body(key, &json!({"query": query}), expected);
    }

    /// Waits until a search finds exactly these.
    pub(crate) fn wait_for_body(&self, key: &'static str, body: &Value, expected: &[Uuid]) {
        let end = Instant::now() + Duration::from_secs(60);
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        loop {
            let found = self.search(key, body).map(|(mut found, _)| {
                found.sort_unstable();
                found
            });
            if found.as_ref() == Ok(&expected) {
                return;
            }
            assert!(Instant::now() < end, "{body}: {found:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn rerun(&self, key: &'static str, kind: RerunKind, ids: &[Uuid]) -> Result<(), LibraryError> {
        self.runtime.block_on(self.library.rerun(&self.caller(key), kind, ids, &self.as_caller(key)))
    }

    fn caller(&self, key: &str) -> Caller {
        let user = self.immich.world().keys.get(key).copied().unwrap_or_default();
        Caller { user, elevated: false }
    }

    fn as_caller(&self, key: &'static str) -> Asker<'_> {
        Asker { immich: &self.url, key }
    }
}

/// Asks Immich with a key.
struct Asker<'a> {
    immich: &'a str,
    key: &'static str,
}

impl Asker<'_> {
    async fn found(&self, body: &Value) -> Result<Value, String> {
        let told = |error: &dyn std::error::Error| error.to_string();
        let request = Request::post(format!("{}/api/search/metadata", self.immich))
            .header("x-api-key", self.key)
            .body(Full::<Bytes>::from(body.to_string()));
        let client = legacy::Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(request.unwrap()).await.map_err(|error| told(&error))?;
        if !answer.status().is_success() {
            return Err(format!("status {}", answer.status()));
        }
        let bytes = answer.into_body().collect().await.map_err(|error| told(&error))?.to_bytes();
        serde_json::from_slice(&bytes).map_err(|error| told(&error))
    }
}

#[async_trait]
impl ImmichAsCaller for Asker<'_> {
    async fn preview(&self, _: Uuid) -> Result<Bytes, String> {
        Err("previews are read with the library's own key".to_owned())
    }

    async fn search(&self, bodies: Vec<Value>) -> Vec<Result<Value, String>> {
        let mut answers = Vec::new();
        for body in &bodies {
            answers.push(self.found(body).await);
        }
        answers
    }
}

fn engine() -> Arc<dyn Backend> {
    for role in [Role::Detection, Role::Classification, Role::Recognition] {
        test_support::model(OCR, role);
    }
    let mut models = StoreConfig::new(test_support::store().root());
    models.offline = true;
    models.immich_caches = vec![test_support::fixtures().join("immich-cache")];
    let mut config = EngineConfig::new(models);
    config.library = Some(test_support::ort_library());
    config.device = Device::Cpu;
    config.model_ttl = None;
    Arc::new(Engine::new(config).unwrap())
}
