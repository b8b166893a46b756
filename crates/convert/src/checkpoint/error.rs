//! What can be wrong with a checkpoint.
use std::{io, path::PathBuf};

/// Why a checkpoint, or one tensor of it, cannot be read. Each text is one line; names come quoted and escaped, because
/// they are the file's.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Neither of the known formats, by content.
    #[error("{} is neither a PyTorch checkpoint nor safetensors", .path.display())]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
    },
    /// `PyTorch`'s format before version 1.6, which is no zip.
    #[error("{} is in the format of PyTorch before 1.6: load it in a newer PyTorch and save it again", .path.display())]
    Legacy {
        /// The file.
        path: PathBuf,
    },
    /// The tensors carry neither `cn_clip`'s nor `ChineseCLIPModel`'s names.
    #[error("these are not the weights of a Chinese-CLIP: there is neither {cn_clip:?} nor {hugging_face:?}")]
    NotChineseClip {
        /// A name that every model of the `cn_clip` package has.
        cn_clip: &'static str,
        /// A name that every `ChineseCLIPModel` has.
        hugging_face: &'static str,
    },
    /// The file ends, or its compressed data do, before a part of it does.
    #[error("{item:?} is cut short: {expected} bytes expected, {found} found")]
    Truncated {
        /// The archive's member or the part of the file.
        item: String,
        /// Bytes it should have.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// A part of the file goes over a limit.
    #[error("{item:?} goes over the limit of {limit} {unit}")]
    TooLarge {
        /// The archive's member, the tensor or the part of the file.
        item: String,
        /// The limit.
        limit: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// A part of the file does not make sense.
    #[error("{item:?} is damaged: {reason}")]
    Malformed {
        /// The archive's member, the tensor or the part of the file.
        item: String,
        /// What is wrong.
        reason: String,
    },
    /// The pickle wants to call something that tensors are not made with. Nothing was called.
    #[error("the checkpoint wants to call {global:?}, which no tensor needs; it may be malicious")]
    Forbidden {
        /// The Python name.
        global: String,
    },
    /// A valid checkpoint, but one with something that is not read here.
    #[error("{item:?} cannot be read here: {reason}")]
    Unsupported {
        /// The archive's member or the tensor.
        item: String,
        /// What is not supported.
        reason: String,
    },
    /// Two members of the archive, or two tensors, have one name.
    #[error("{name:?} is there twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A storage has another size than its elements need.
    #[error("{member:?} should hold {expected} bytes and holds {found}")]
    StorageSize {
        /// The archive's member.
        member: String,
        /// Bytes its elements need.
        expected: u64,
        /// Bytes the archive declares.
        found: u64,
    },
    /// A tensor reaches beyond its storage.
    #[error("tensor {tensor:?} reaches {needed} bytes into a storage of {found}")]
    OutOfStorage {
        /// The tensor.
        tensor: String,
        /// The byte after its last one.
        needed: u64,
        /// The size of its storage.
        found: u64,
    },
    /// There is no such tensor.
    #[error("tensor {tensor:?} is missing")]
    Missing {
        /// Its name.
        tensor: String,
    },
    /// A tensor has another shape than the model needs.
    #[error("tensor {tensor:?} should have the shape {expected:?} and has {found:?}")]
    Shape {
        /// The tensor.
        tensor: String,
        /// The shape needed.
        expected: Vec<usize>,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A tensor holds NaN or an infinity, or a value that is one as `f32`.
    #[error("tensor {tensor:?} is not finite: element {index} is {value}")]
    NotFinite {
        /// The tensor.
        tensor: String,
        /// The first such element, in row-major order.
        index: usize,
        /// Its value.
        value: f32,
    },
    /// Reading failed.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}
