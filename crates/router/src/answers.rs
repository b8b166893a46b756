//! What can answer: the local engine, or a node.
use std::{future::Future, pin::Pin, sync::Arc};

use viewfinder_engine::{EngineError, ErrorCode, PictureAnswer, PictureRequest, SentenceRequest};
use viewfinder_gateway::Backend;
use viewfinder_nodes::{Node, NodeError};

/// An answer on its way. Dropping it calls the work off.
pub type Coming<'a, T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send + 'a>>;

/// Why an engine gave no answer, and what that means for the next one.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// For the caller, if nobody else does better.
    pub error: EngineError,
    /// What it says about others and about this engine.
    pub verdict: Verdict,
}

/// What a failure says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The picture is at fault, as far as this engine can tell.
    BadPicture,
    /// The engine cannot do this task; it is well otherwise.
    Unsuited,
    /// The engine is full; it is well otherwise.
    Busy,
    /// The engine is in trouble.
    Sick,
}

/// An engine that tasks can be given to.
pub trait Answers: Send + Sync + 'static {
    /// Answers everything asked about a picture.
    fn picture(&self, request: PictureRequest) -> Coming<'_, PictureAnswer>;

    /// The vector of a sentence.
    fn sentence(&self, request: SentenceRequest) -> Coming<'_, Vec<f32>>;

    /// Is it there and well?
    fn probe(&self) -> Coming<'_, ()>;
}

impl Trouble {
    /// Reads an error's code.
    pub fn of(error: EngineError) -> Self {
        let verdict = match error.code {
            ErrorCode::Busy => Verdict::Busy,
            ErrorCode::ImageEmpty
            | ErrorCode::ImageUndecodable
            | ErrorCode::ImageTooManyBytes
            | ErrorCode::ImageTooLarge
            | ErrorCode::ImageZeroSize => Verdict::BadPicture,
            // What this engine lacks, another may have; it need not be left alone for that.
            _ => Verdict::Unsuited,
        };
        Self { error, verdict }
    }
}

impl From<NodeError> for Trouble {
    fn from(error: NodeError) -> Self {
        let verdict = if error.is_the_pictures_fault() {
            Verdict::BadPicture
        } else {
            match &error {
                NodeError::Busy { .. } => Verdict::Busy,
                NodeError::Unsuited { .. } => Verdict::Unsuited,
                NodeError::Refused { status, .. } if *status < 500 => Verdict::Unsuited,
                _ => Verdict::Sick,
            }
        };
        Self { error: error.into(), verdict }
    }
}

/// The engine in this process.
pub(crate) struct Local(pub(crate) Arc<dyn Backend>);

impl Answers for Local {
    fn picture(&self, request: PictureRequest) -> Coming<'_, PictureAnswer> {
        Box::pin(async move { self.0.picture(request).await.map_err(Trouble::of) })
    }

    fn sentence(&self, request: SentenceRequest) -> Coming<'_, Vec<f32>> {
        Box::pin(async move { self.0.sentence(request).await.map_err(Trouble::of) })
    }

    fn probe(&self) -> Coming<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

impl Answers for Node {
    fn picture(&self, request: PictureRequest) -> Coming<'_, PictureAnswer> {
        Box::pin(async move { Ok(Node::picture(self, &request).await?) })
    }

    fn sentence(&self, request: SentenceRequest) -> Coming<'_, Vec<f32>> {
        Box::pin(async move { Ok(Node::sentence(self, &request).await?) })
    }

    fn probe(&self) -> Coming<'_, ()> {
        Box::pin(async move { Ok(Node::probe(self).await?) })
    }
}
