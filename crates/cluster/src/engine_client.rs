//! What can answer: the local engine, or a node.
use std::sync::Arc;

use crate::nodes::{Node, NodeError};
use viewfinder_core::{
    AnswerFuture, Backend, ErrorCode, ErrorScope, PictureAnswer, PictureRequest, SentenceRequest, TaskError,
};

/// Why an engine gave no answer, and what that means for the next one.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptError {
    /// For the caller, if nobody else does better.
    pub error: TaskError,
    /// What it says about others and about this engine.
    pub class: FailureClass,
}

/// What a failure says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// The picture is at fault, as far as this engine can tell.
    BadPicture,
    /// The engine cannot do this task; it is well otherwise.
    Unsuited,
    /// The engine is full; it is well otherwise.
    Busy,
    /// The engine broke over it: its own trouble, unless it does other work meanwhile.
    Crashed,
    /// The engine is in trouble.
    Sick,
}

/// An engine that tasks can be given to.
pub trait EngineClient: Send + Sync + 'static {
    /// Answers everything asked about a picture.
    fn picture(&self, request: PictureRequest) -> AnswerFuture<'_, PictureAnswer, AttemptError>;

    /// The vector of a sentence.
    fn sentence(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>, AttemptError>;

    /// Is it there and well?
    fn probe(&self) -> AnswerFuture<'_, (), AttemptError>;
}

impl AttemptError {
    /// Reads an error's code.
    pub fn of(error: TaskError) -> Self {
        let class = match error.code {
            ErrorCode::Busy => FailureClass::Busy,
            code if code.scope() == ErrorScope::Picture => FailureClass::BadPicture,
            // What this engine lacks, another may have; it need not be left alone for that.
            _ => FailureClass::Unsuited,
        };
        Self { error, class }
    }
}

impl FailureClass {
    /// As metrics call it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BadPicture => "bad_picture",
            Self::Unsuited => "unsuited",
            Self::Busy => "busy",
            Self::Crashed => "crashed",
            Self::Sick => "sick",
        }
    }
}

/// What a node's error says.
fn attempt_error(node: &Node, error: &NodeError) -> AttemptError {
    let class = if error.is_the_pictures_fault() {
        FailureClass::BadPicture
    } else {
        match error {
            NodeError::Busy { .. } => FailureClass::Busy,
            NodeError::Unsuited { .. } | NodeError::Refused { status: ..500, .. } => FailureClass::Unsuited,
            NodeError::Refused { code, .. } => {
                // It lacks the model, or the model fails over this picture: it may do others.
                if *code == Some(error.code()) { FailureClass::Unsuited } else { FailureClass::Crashed }
            }
            NodeError::Garbage(_) => FailureClass::Crashed,
            _ => FailureClass::Sick,
        }
    };
    AttemptError { error: error.at(node.name()), class }
}

/// The engine in this process.
pub(crate) struct LocalEngine(pub(crate) Arc<dyn Backend>);

impl EngineClient for LocalEngine {
    fn picture(&self, request: PictureRequest) -> AnswerFuture<'_, PictureAnswer, AttemptError> {
        Box::pin(async move { self.0.picture(request).await.map_err(AttemptError::of) })
    }

    fn sentence(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>, AttemptError> {
        Box::pin(async move { self.0.sentence(request).await.map_err(AttemptError::of) })
    }

    fn probe(&self) -> AnswerFuture<'_, (), AttemptError> {
        Box::pin(async { Ok(()) })
    }
}

impl EngineClient for Node {
    fn picture(&self, request: PictureRequest) -> AnswerFuture<'_, PictureAnswer, AttemptError> {
        Box::pin(
            async move { Node::picture(self, &request).await.map_err(|error| attempt_error(self, &error)) },
        )
    }

    fn sentence(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>, AttemptError> {
        Box::pin(
            async move { Node::sentence(self, &request).await.map_err(|error| attempt_error(self, &error)) },
        )
    }

    fn probe(&self) -> AnswerFuture<'_, (), AttemptError> {
        Box::pin(async move { Node::probe(self).await.map_err(|error| attempt_error(self, &error)) })
    }
}
