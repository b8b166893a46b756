use std::{sync::Arc, time::Duration};

use hyper::{Method, Request, Response};
use serde::Serialize;
use tokio::{sync::Semaphore, task::spawn_blocking};
use viewfinder_proxy::{Body, Proxy, Visitor};

use crate::{
    Capabilities, Capability, Library, LibraryError,
    anchors::{self, Anchors},
    features, jobs, page, script,
    search::{self, Route},
};

/// Questions to the library at once; more wait.
const AT_ONCE: usize = 16;

/// What a companion can be told.
pub struct CompanionConfig {
    /// The way to Immich.
    pub proxy: Proxy,
    /// What is known of its library; without one, only `ocr:` and the page's script are added.
    pub library: Option<Arc<dyn Library>>,
    /// Longest time for an answer to a search; past it, Immich answers.
    pub time: Duration,
    /// Does the page get its script?
    pub script: bool,
}

/// Stands in front of an Immich.
pub struct Companion {
    pub(crate) proxy: Proxy,
    pub(crate) library: Option<Arc<dyn Library>>,
    pub(crate) time: Duration,
    pub(crate) anchors: Anchors,
    script: bool,
    places: Arc<Semaphore>,
}

/// How a companion is, for `/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Did Immich answer the last request?
    pub immich_up: bool,
    /// What is added to Immich right now, and why other things are not.
    pub capabilities: Capabilities,
    /// Does the page get its script?
    pub script: bool,
}

impl Companion {
    /// Ready to answer.
    pub fn new(config: CompanionConfig) -> Self {
        let CompanionConfig { proxy, library, time, script } = config;
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Self { proxy, library, time, anchors: Anchors::default(), script, places }
    }

    /// How it is right now.
    pub fn status(&self) -> Status {
        Status { immich_up: self.proxy.is_up(), capabilities: self.capabilities(), script: self.script }
    }

    /// Answers a request, or has Immich answer it.
    pub async fn handle(self: Arc<Self>, request: Request<Body>, visitor: Visitor) -> Response<Body> {
        let path = request.uri().path();
        // Immich takes a slash at the end for none.
        let path = path.strip_suffix('/').unwrap_or(path);
        match *request.method() {
            Method::POST => {
                if let Some(route) = Route::of(path) {
                    return search::answer(&self, route, request, &visitor).await;
                }
                if path == jobs::PATH {
                    return jobs::answer(&self, request, &visitor).await;
                }
                if self.script && path == anchors::PATH {
                    return anchors::answer(&self, request, &visitor).await;
                }
            }
            Method::GET | Method::HEAD => {
                if self.script && path == script::PATH {
                    return script::answer(request.headers());
                }
                if path == features::PATH && *request.method() == Method::GET {
                    return features::answer(&self, request, &visitor).await;
                }
                if self.script && page::is_wanted(&request) {
                    return page::answer(&self, request, &visitor, &script::tag(&self.capabilities())).await;
                }
            }
            _ => {}
        }
        self.proxy.forward(request, &visitor).await
    }

    /// What can be done right now.
    pub(crate) fn capabilities(&self) -> Capabilities {
        let none = || Capabilities::none("neither companion.database_url nor companion.api_keys is set");
        let mut capabilities = self.library.as_ref().map_or_else(none, |library| library.capabilities());
        if !self.script {
            for capability in anchors::KNOWN {
                capabilities.lose(capability, "companion.script is off");
            }
        }
        self.anchors.apply(&mut capabilities);
        capabilities
    }

    /// Is there this one right now?
    pub(crate) fn has(&self, capability: Capability) -> bool {
        self.capabilities().has(capability)
    }

    /// Asks the library on a thread that may block. An answer that nobody waits for any more still keeps its place until
    /// it is there.
    pub(crate) async fn with_library<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Library) -> Result<T, LibraryError> + Send + 'static,
    ) -> Result<T, LibraryError> {
        let failed = |message: &str| LibraryError::Failed { code: "internal", message: message.to_owned() };
        let library = self.library.clone().ok_or_else(|| failed("there is no library"))?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| failed("it is stopping"))?;
        let answer = spawn_blocking(move || {
            let answer = ask(&*library);
            drop(place);
            answer
        });
        answer.await.unwrap_or_else(|_| Err(failed("the library broke over the question")))
    }
}
