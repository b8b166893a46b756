use std::time::Duration;
use viewfinder_core::{ErrorCode, ErrorScope, TaskError};

/// Why a node did not answer.
///
/// Messages are one short line and hold neither keys nor what a URL could hide, whatever the peer sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// There is no connection, or it broke before the answer was complete.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// No complete answer within the time given.
    #[error("gave no answer within {0:?}")]
    TimedOut(Duration),
    /// An answer that is none of its protocol's, or not one to the question.
    #[error("gave a senseless answer: {0}")]
    Garbage(String),
    /// It has too much to do, or is stopping.
    #[error("is busy")]
    Busy {
        /// When to come back, if it said so.
        retry_after: Option<Duration>,
    },
    /// It said no.
    #[error("refused with status {status}: {message}")]
    Refused {
        /// The HTTP status: 200 where MT Photos' services say so in the answer, and the code's own where the header of
        /// the picture was enough to know and nothing was sent.
        status: u16,
        /// What it means to the engine, if it said so or if that can be told.
        code: Option<ErrorCode>,
        /// One line for people.
        message: String,
    },
    /// It wants another key than ours.
    #[error("{}", if *given { "does not accept the key that it is shown" } else { "wants a key, and none is set" })]
    Key {
        /// Was it shown one?
        given: bool,
    },
    /// Its protocol cannot carry the question. Nothing was sent.
    #[error("cannot be asked this: {0}")]
    Unsuited(&'static str),
}

impl NodeError {
    /// What happened, as metrics call it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut(_) => "timed_out",
            Self::Garbage(_) => "garbage",
            Self::Busy { .. } => "busy",
            Self::Refused { .. } => "refused",
            Self::Key { .. } => "key",
            Self::Unsuited(_) => "unsuited",
        }
    }

    /// Is the picture such that every node would refuse it?
    pub fn is_the_pictures_fault(&self) -> bool {
        matches!(self, Self::Refused { code: Some(code), .. } if code.scope() == ErrorScope::Picture)
    }

    /// Can another node answer the same question?
    pub fn may_help_elsewhere(&self) -> bool {
        !self.is_the_pictures_fault()
    }

    /// The engine's word for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TimedOut(_) => ErrorCode::NodeTimedOut,
            Self::Garbage(_) => ErrorCode::NodeGarbage,
            Self::Busy { .. } => ErrorCode::Busy,
            Self::Unsuited(_) => ErrorCode::NodeUnsuited,
            // A peer's defect is not one of ours.
            Self::Refused { code: Some(code), .. }
                if is_told_on(code.scope()) && *code != ErrorCode::Internal =>
            {
                *code
            }
            Self::Unreachable(_) | Self::Refused { status: 500.., .. } => ErrorCode::NodeUnavailable,
            Self::Refused { .. } | Self::Key { .. } => ErrorCode::NodeRefused,
        }
    }

    /// The engine's error, which names the node unless the picture is to blame.
    pub fn at(&self, node: &str) -> TaskError {
        match self {
            Self::Refused { message, .. } if self.is_the_pictures_fault() => {
                TaskError::new(self.code(), message)
            }
            _ => TaskError::new(self.code(), format!("node {node} {self}")),
        }
    }
}

/// Is an error of this scope the same for whoever asked the peer as for those whom it asks for?
fn is_told_on(scope: ErrorScope) -> bool {
    matches!(scope, ErrorScope::Picture | ErrorScope::Attempt | ErrorScope::Model)
}
