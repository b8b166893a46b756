use std::{future::Future, pin::Pin};

use crate::{EngineStatus, NodeStatus, PictureAnswer, PictureRequest, SentenceRequest, TaskError};

/// A reply on its way. Dropping it tells the backend that nobody waits any more.
pub type AnswerFuture<'a, T, E = TaskError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// What answers tasks: the local engine, or anything that speaks like it.
pub trait Backend: Send + Sync + 'static {
    /// Answers everything asked about a picture, or says why nothing of it can be answered.
    fn picture(&self, request: PictureRequest) -> AnswerFuture<'_, PictureAnswer>;

    /// The vector of a sentence.
    fn sentence(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>>;

    /// What it is doing right now. Returns at once.
    fn status(&self) -> EngineStatus;

    /// The nodes that it gives work to, if any. Returns at once.
    fn nodes(&self) -> Vec<NodeStatus> {
        Vec::new()
    }

    /// Drops every model and returns the memory, and keeps serving. May block.
    fn unload(&self);
}
