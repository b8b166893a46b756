use crate::{checkpoint::CheckpointError, onnx::OnnxError};

/// A conversion that came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The weights cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The weights are of no network that is known here.
    #[error("this is no Chinese-CLIP as it is known here: {0}")]
    Architecture(String),
    /// A model file cannot be read or written.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
}
