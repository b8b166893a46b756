use std::{future::Future, pin::Pin};

use crate::{
    EngineStatus, NodeStatus, PictureAnswer, PictureRequest, PictureTask, SentenceRequest, TaskError,
};

/// A reply on its way. Dropping it tells the backend that nobody waits any more.
pub type AnswerFuture<'a, T, E = TaskError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// What answers tasks: the local engine, or anything that speaks like it.
pub trait Backend: Send + Sync + 'static {
    /// Answers everything asked about a picture, or says why nothing of it can be answered.
    fn picture(&self, request: PictureRequest) -> AnswerFuture<'_, PictureAnswer>;

    /// The vector of a sentence.
    fn sentence(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>>;

    /// The same for somebody who has something else to show: where a network would have to be fetched first, that is an error at once,
    /// and it is fetched meanwhile, for the next one who asks.
    fn sentence_at_hand(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>> {
        self.sentence(request)
    }

    /// Would an answer to this task have to wait until a network is fetched?
    fn lacks(&self, _task: PictureTask) -> AnswerFuture<'_, bool> {
        Box::pin(async { Ok(false) })
    }

    /// Has all fetched that this task takes, and waits for it.
    fn fetch(&self, _task: PictureTask) -> AnswerFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// What it is doing right now. Returns at once.
    fn status(&self) -> EngineStatus;

    /// The nodes that it gives work to, if any. Returns at once.
    fn nodes(&self) -> Vec<NodeStatus> {
        Vec::new()
    }

    /// Drops every model and returns the memory, and keeps serving. May block.
    fn unload(&self);
}
