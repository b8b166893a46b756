use std::{future::Future, pin::Pin};

use viewfinder_engine::{Engine, EngineError, EngineStatus, PictureAnswer, PictureRequest, SentenceRequest};

/// A reply on its way. Dropping it tells the backend that nobody waits any more.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, EngineError>> + Send + 'a>>;

/// A node, for health and the status page.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct NodeStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Does it get work?
    pub up: bool,
    /// Requests that it is working on for us.
    pub in_flight: usize,
}

/// What answers tasks: the local engine, or anything that speaks like it.
pub trait Backend: Send + Sync + 'static {
    /// Answers everything asked about a picture, or says why nothing of it can be answered.
    fn picture(&self, request: PictureRequest) -> Reply<'_, PictureAnswer>;

    /// The vector of a sentence.
    fn sentence(&self, request: SentenceRequest) -> Reply<'_, Vec<f32>>;

    /// What it is doing right now. Returns at once.
    fn status(&self) -> EngineStatus;

    /// The nodes that it gives work to, if any. Returns at once.
    fn nodes(&self) -> Vec<NodeStatus> {
        Vec::new()
    }

    /// Drops every model and returns the memory, and keeps serving. May block.
    fn unload(&self);
}

impl Backend for Engine {
    fn picture(&self, request: PictureRequest) -> Reply<'_, PictureAnswer> {
        Box::pin(Engine::picture(self, request))
    }

    fn sentence(&self, request: SentenceRequest) -> Reply<'_, Vec<f32>> {
        Box::pin(Engine::sentence(self, request))
    }

    fn status(&self) -> EngineStatus {
        Engine::status(self)
    }

    fn unload(&self) {
        Engine::unload(self);
    }
}
