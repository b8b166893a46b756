use std::fmt;

use crate::truncate::short;

/// Who has to act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// The request or the picture in it.
    Caller,
    /// This server or its configuration.
    Server,
    /// A remote party: a model source, another node.
    Remote,
}

/// What else fails for the same reason. Whoever asks for many pictures goes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorScope {
    /// This picture's bytes, whoever is asked.
    Picture,
    /// This picture, with whoever was asked: it broke over it. Others go well, and others may manage it.
    Attempt,
    /// This answer: it was none of its protocol's, which says nothing of the picture.
    Answer,
    /// Every picture that needs this model.
    Model,
    /// Every picture, on this machine.
    Machine,
    /// Whatever is asked right now. It passes by itself.
    Passing,
    /// What this node is asked, until somebody sets it up differently.
    Setup,
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident, $code:literal, $scope:ident, $fault:ident, $retry:literal, $status:literal;)*) => {
        /// Every way a task can fail: a stable code, what else fails with it, who is at fault, whether trying again can
        /// help, HTTP status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $name,)* }

        impl ErrorCode {
            /// All codes, for documentation.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$name,)*];

            /// The stable, machine-readable code.
            pub fn as_str(self) -> &'static str { match self { $(Self::$name => $code,)* } }

            /// What else fails for the same reason.
            pub fn scope(self) -> ErrorScope { match self { $(Self::$name => ErrorScope::$scope,)* } }

            /// Who has to act.
            pub fn fault(self) -> Fault { match self { $(Self::$name => Fault::$fault,)* } }

            /// Can the same request succeed later, unchanged?
            pub fn retryable(self) -> bool { match self { $(Self::$name => $retry,)* } }

            /// The HTTP status that says it.
            pub fn http_status(self) -> u16 { match self { $(Self::$name => $status,)* } }
        }
    };
}

error_codes! {
    //                   code                     scope    fault   retry  status
    /// The upload has no bytes.
    ImageEmpty,          "image_empty",           Picture, Caller, false, 400;
    /// The bytes are no picture in a known format, or hold nothing decodable.
    ImageUndecodable,    "image_undecodable",     Picture, Caller, false, 422;
    /// More bytes than the limit.
    ImageTooManyBytes,   "image_too_many_bytes",  Picture, Caller, false, 413;
    /// More pixels, or a longer side, than the limit.
    ImageTooLarge,       "image_too_large",       Picture, Caller, false, 413;
    /// Width or height is zero.
    ImageZeroSize,       "image_zero_size",       Picture, Caller, false, 400;
    /// Nothing in the catalogue, the configuration or the model cache has this name.
    ModelUnknown,        "model_unknown",         Model,   Caller, false, 404;
    /// The model exists but cannot do what was asked of it.
    ModelUnsuited,       "model_unsuited",        Model,   Caller, false, 400;
    /// The model is not in the store, and offline mode forbids fetching it.
    ModelMissingOffline, "model_missing_offline", Model,   Server, false, 503;
    /// The model is not in the store, and requests may not have it fetched.
    ModelNotAllowed,     "model_not_allowed",     Model,   Caller, false, 404;
    /// No source delivered the model.
    ModelUnavailable,    "model_unavailable",     Model,   Remote, true,  503;
    /// Nobody offers the model as ONNX, so it cannot be fetched; its files must be brought.
    ModelNoSource,       "model_no_source",       Model,   Server, false, 503;
    /// The model's files are there but do not load.
    ModelBroken,         "model_broken",          Model,   Server, false, 500;
    /// The model, made in another precision, strays too far from the published one.
    ModelImprecise,      "model_imprecise",       Model,   Server, false, 503;
    /// No room is left on the disk for a model or a library.
    DiskFull,            "disk_full",             Model,   Server, false, 507;
    /// A program that decodes such pictures is missing on the machine.
    DecoderMissing,      "decoder_missing",       Setup,   Server, false, 415;
    /// The ONNX Runtime library is missing or too old.
    RuntimeUnavailable,  "runtime_unavailable",   Machine, Server, false, 503;
    /// The configured accelerator cannot be used, and falling back is not allowed.
    DeviceUnavailable,   "device_unavailable",    Machine, Server, false, 503;
    /// The device ran out of memory.
    OutOfMemory,         "out_of_memory",         Passing, Server, true,  503;
    /// The network failed while running.
    InferenceFailed,     "inference_failed",      Attempt, Server, false, 500;
    /// The queue is full.
    Busy,                "busy",                  Passing, Server, true,  503;
    /// The server is stopping.
    Stopping,            "stopping",              Passing, Server, true,  503;
    /// Another node cannot be reached, or is in trouble.
    NodeUnavailable,     "node_unavailable",      Passing, Remote, true,  503;
    /// Another node gave no answer in time.
    NodeTimedOut,        "node_timed_out",        Passing, Remote, true,  504;
    /// What another node answered is no answer.
    NodeGarbage,         "node_garbage",          Answer,  Remote, false, 502;
    /// Another node refuses to answer us.
    NodeRefused,         "node_refused",          Setup,   Remote, false, 502;
    /// The node's protocol cannot carry the question.
    NodeUnsuited,        "node_unsuited",         Setup,   Server, false, 503;
    /// A defect in this program.
    Internal,            "internal",              Attempt, Server, false, 500;
}

/// A failed task.
///
/// Cloneable, so that one failed load can be told to everyone who waited for it. The message is fit for a log
/// and for a caller: it holds no secret and no path that a request could have chosen.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub struct TaskError {
    /// What kind of failure.
    pub code: ErrorCode,
    /// One line for people.
    pub message: String,
    /// The node that said so; none for the engine in this process.
    pub node: Option<String>,
}

impl TaskError {
    /// An error with its message, of which the beginning is kept.
    pub fn new(code: ErrorCode, message: impl fmt::Display) -> Self {
        Self { code, message: short(message), node: None }
    }

    /// An answer is missing, or is of another kind than its question: a defect of the backend.
    pub fn another_answer() -> Self {
        Self::new(ErrorCode::Internal, "the engine answered another question than it was asked")
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_its_message() {
        assert_eq!(TaskError::new(ErrorCode::Busy, format_args!("{} wait", 7)).to_string(), "7 wait");
    }
}
