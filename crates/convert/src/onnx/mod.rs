//! Model files: the graph in `model.onnx`, large tensors beside it in `model.onnx.data`.
//!
//! Weights beside the graph are not bound to the two gigabytes of a message, and ONNX Runtime maps them into memory
//! instead of copying them.

mod build;
mod order;
pub mod proto;
mod read;
mod write;

pub use build::{Attr, node};
pub(crate) use order::flaw;
pub use read::ModelFile;
pub use write::ModelWriter;

use std::{io, path::PathBuf};

/// A model file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is no ONNX model.
    #[error("{} is not an ONNX model: {reason}", path.display())]
    NotAModel {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A weight cannot be used.
    #[error("weight {tensor}: {reason}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What is wrong.
        reason: String,
    },
}

/// Attaches the path to an I/O error.
pub(crate) fn io_at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> OnnxError {
    let path = path.into();
    move |source| OnnxError::Io { path, source }
}
