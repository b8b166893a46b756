//! The question at the bottom: what is in this picture?
//!
//! Whoever asks writes [`PictureTask`]s; whatever answers is a [`Backend`]: the engine in this process, other machines, or
//! both. A failed task says with its [`ErrorCode`] who has to act and, with the code's [`ErrorScope`], what else will fail
//! for the same reason. [`ocr`] is what can be said about reading text, [`label`] what tasks are called, [`trace`] which
//! request it all belongs to. Nothing here knows how tasks are done, or how they travel but for the HTTP status of a code
//! and the headers of a trace.

mod answer;
mod backend;
mod cosine;
mod error;
mod memory;
mod status;
mod task;
mod truncate;

pub mod label;
pub mod ocr;
pub mod trace;

pub use answer::{Answer, Face, PictureAnswer};
pub use backend::{AnswerFuture, Backend};
pub use cosine::cosine;
pub use error::{ErrorCode, ErrorScope, Fault, TaskError};
pub use memory::resident_bytes;
pub use status::{EngineStatus, LoadedModel, NodeStatus};
pub use task::{Alpha, DecodeRules, PictureRequest, PictureTask, SentenceRequest};
pub use truncate::short;
