use std::{future::Future, pin::Pin};

use viewfinder_engine::{Engine, EngineError, EngineStatus, PictureAnswer, PictureRequest, SentenceRequest};

/// A reply on its way. Dropping it tells the backend that nobody waits any more.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, EngineError>> + Send + 'a>>;

/// What answers tasks: the local engine, or anything that speaks like it.
pub trait Backend: Send + Sync + 'static {
    /// Answers everything asked about a picture, or says why nothing of it can be answered.
    fn picture(&self, request: PictureRequest) -> Reply<'_, PictureAnswer>;

    /// The vector of a sentence.
    fn sentence(&self, request: SentenceRequest) -> Reply<'_, Vec<f32>>;

    /// What it is doing right now. Returns at once.
    fn status(&self) -> EngineStatus;

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
