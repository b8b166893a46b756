use std::{panic::AssertUnwindSafe, path::PathBuf, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use hyper::{Method, Request, Response};
use serde::Serialize;
use serde_json::Value;
use viewfinder_http::proxy::{Body, Visitor};

use crate::{
    client::Client,
    companion::{
        anchors::{self, Anchors},
        features,
        jobs::{self, Queue},
        page,
        places::{Places, UserLimiter},
        read::RequestAdmission,
        script,
        search::{self, Route},
    },
    library::{
        Caller, Capabilities, Capability, ImmichAsCaller, Library, LibraryError, Page, SearchRoute,
        WarningThrottle,
    },
};

/// Searches of the library. Each holds what it asks.
const SEARCHES: UserLimiter = UserLimiter { all: 16, of_user: 6, waiting: 16 };

/// What a companion can be told.
pub struct CompanionConfig {
    /// The way to Immich.
    pub client: Client,
    /// What is known of its library; without one, only `ocr:` and the page's script are added.
    pub library: Option<Arc<dyn Library>>,
    /// Longest time for an answer to a search; past it, Immich answers.
    pub time: Duration,
    /// Longest time for the preview of one picture that is to be done again.
    pub preview_time: Duration,
    /// The file in which re-runs outlive this program; without one, they do not.
    pub jobs: Option<PathBuf>,
    /// Does the page get its script?
    pub script: bool,
}

/// Stands in front of an Immich.
pub struct Companion {
    pub(crate) client: Client,
    pub(crate) library: Option<Arc<dyn Library>>,
    pub(crate) time: Duration,
    pub(crate) preview_time: Duration,
    pub(crate) jobs: Option<Arc<Queue>>,
    pub(crate) anchors: Anchors,
    script: bool,
    pub(crate) admission: RequestAdmission,
    searches: Places,
    pub(crate) warnings: WarningThrottle,
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
    /// Ready to answer. Re-runs that were under way when it was closed go on. Within a Tokio runtime.
    pub fn new(config: CompanionConfig) -> Self {
        let CompanionConfig { client, library, time, preview_time, jobs, script } = config;
        let jobs = library.as_ref().map(|library| Arc::new(Queue::open(Arc::clone(library), jobs)));
        let (searches, warnings) = (Places::new(SEARCHES), WarningThrottle::default());
        Self {
            client,
            library,
            time,
            preview_time,
            jobs,
            anchors: Anchors::default(),
            script,
            admission: RequestAdmission::new(),
            searches,
            warnings,
        }
    }

    /// Begins no more pictures of re-runs, and writes down what was done. May block for as long as a disk does.
    pub fn close(&self) {
        if let Some(jobs) = &self.jobs {
            jobs.close();
        }
    }

    /// How it is right now.
    pub fn status(&self) -> Status {
        Status {
            immich_up: self.client.proxy().is_up(),
            capabilities: self.capabilities(),
            script: self.script,
        }
    }

    /// Answers a request, or has Immich answer it.
    pub async fn handle(self: Arc<Self>, request: Request<Body>, visitor: Visitor) -> Response<Body> {
        let path = request.uri().path();
        // Immich takes a slash at the end for none.
        let path = path.strip_suffix('/').unwrap_or(path);
        if jobs::is_ours(request.method(), path) {
            return jobs::answer(&self, request, &visitor).await;
        }
        match *request.method() {
            Method::POST => {
                if let Some(route) = Route::of(path) {
                    return search::answer(&self, route, request, &visitor).await;
                }
                if path == jobs::IMMICH_PATH {
                    return jobs::answer_immich(&self, request, &visitor).await;
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
        self.client.proxy().forward(request, &visitor).await
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

    /// Searches the library for a user, once there is a place for it. Whoever leaves ends the search, and the place is free.
    pub(crate) async fn search(
        &self,
        caller: &Caller,
        route: SearchRoute,
        body: &Value,
        immich: &dyn ImmichAsCaller,
    ) -> Result<Page, LibraryError> {
        let failed = |message: &str| LibraryError::Failed { code: "internal", message: message.to_owned() };
        let library = self.library.as_ref().ok_or_else(|| failed("there is no library"))?;
        let _place = self.searches.take(caller.user).await.ok_or_else(|| LibraryError::Failed {
            code: "busy",
            message: "too many searches of one user wait".to_owned(),
        })?;
        let answer = AssertUnwindSafe(library.search(caller, route, body, immich)).catch_unwind().await;
        answer.unwrap_or_else(|_| Err(failed("the library broke over the question")))
    }
}
