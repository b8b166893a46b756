//! What a command's end means to the shell that started it.
use std::fmt;
use std::io;

use viewfinder_core::{ErrorCode, ErrorScope, Fault, TaskError};
use viewfinder_models::ModelError;

use crate::config::ConfigError;
use crate::output;

/// Exit code of wrong use and of a wrong configuration.
pub(crate) const USAGE: u8 = 2;

/// What helps where no source delivered a model.
const SOURCES: &str = "`viewfinder models pull NAME` asks all sources again at once, `viewfinder doctor` tells which answer; a mirror of \
                       Hugging Face: HF_ENDPOINT=https://… (store.hf_endpoint)";

/// How a command ended that did what it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it.
    Done,
    /// Some inputs failed, each with its message.
    SomeFailed,
    /// Something is missing on this machine, and was said.
    EnvironmentLacking,
}

impl Outcome {
    /// The exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::SomeFailed => 1,
            Self::EnvironmentLacking => 3,
        }
    }
}

/// Why a command could not go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Wrong use or configuration.
    Usage(anyhow::Error),
    /// Something is missing on this machine.
    Environment(anyhow::Error),
    /// Anything else, such as an output that cannot be written.
    Other(anyhow::Error),
}

impl Failure {
    /// Says it on the standard error, and answers the exit code.
    ///
    /// A reader that closed the pipe has what it wanted: that is no failure.
    pub(crate) fn report(&self) -> u8 {
        let (error, code) = match self {
            Self::Usage(error) => (error, USAGE),
            Self::Environment(error) => (error, 3),
            Self::Other(error) => (error, 1),
        };
        let broken_pipe = error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe);
        if broken_pipe {
            return 0;
        }
        for line in self.to_string().lines() {
            output::complain(line);
        }
        if error.downcast_ref().is_some_and(|error: &TaskError| error.code == ErrorCode::ModelUnavailable) {
            output::complain(SOURCES);
        }
        code
    }
}

/// The error with its causes.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(error) | Self::Environment(error) | Self::Other(error)) = self;
        write!(f, "{error:#}")
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.into())
    }
}

/// An engine that cannot work at all: the fault lies in the configuration or with the machine, not in a picture.
impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        match error.code {
            code if fails_all(code) && code.fault() == Fault::Caller => Self::Usage(error.into()),
            code if fails_all(code) => Self::Environment(error.into()),
            _ => Self::Other(error.into()),
        }
    }
}

/// A store that cannot deliver: a name that does not exist is wrong use, anything else the machine's or a source's fault.
impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Unknown { .. } | ModelError::NoRole { .. } | ModelError::Catalogue(_) => {
                Self::Usage(error.into())
            }
            _ => Self::Environment(error.into()),
        }
    }
}

/// Does every picture fail for this reason?
pub(crate) fn fails_all(code: ErrorCode) -> bool {
    matches!(code.scope(), ErrorScope::Model | ErrorScope::Machine)
}
