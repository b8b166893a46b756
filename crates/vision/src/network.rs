use std::fmt;
use viewfinder_core::{ErrorCode, TaskError};

/// Values of an input tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// 32-bit floats (pictures).
    F32(Vec<f32>),
    /// 64-bit integers (Chinese-CLIP's token ids).
    I64(Vec<i64>),
    /// 32-bit integers (OpenCLIP's and M-CLIP's token ids and masks).
    I32(Vec<i32>),
}

/// An input tensor. Owned, so that a runtime can take the buffer without copying it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Extent of each axis, outermost first.
    pub shape: Vec<usize>,
    /// As many values as the product of `shape`.
    pub data: Data,
}

impl Tensor {
    /// A float tensor, for pictures usually `[N, C, H, W]`.
    pub fn f32(shape: impl Into<Vec<usize>>, data: Vec<f32>) -> Self {
        Self { shape: shape.into(), data: Data::F32(data) }
    }

    /// A 64-bit integer tensor.
    pub fn i64(shape: impl Into<Vec<usize>>, data: Vec<i64>) -> Self {
        Self { shape: shape.into(), data: Data::I64(data) }
    }

    /// A 32-bit integer tensor.
    pub fn i32(shape: impl Into<Vec<usize>>, data: Vec<i32>) -> Self {
        Self { shape: shape.into(), data: Data::I32(data) }
    }
}

/// An output tensor, borrowed from the runtime for the length of one callback.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// Extent of each axis, outermost first.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub data: &'a [f32],
}

/// Why a network gave no answer.
///
/// Cloneable, so that one failure can be reported to every request that shared a batch.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct NetworkError {
    /// What the runtime said, fit for a log.
    pub message: String,
    /// The device ran out of memory: dropping idle models and trying once more can help.
    pub out_of_memory: bool,
}

impl From<NetworkError> for TaskError {
    fn from(error: NetworkError) -> Self {
        let code = if error.out_of_memory { ErrorCode::OutOfMemory } else { ErrorCode::InferenceFailed };
        Self::new(code, error)
    }
}

impl NetworkError {
    /// A failure for which trying again is pointless.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), out_of_memory: false }
    }
}

/// A loaded neural network, callable from several threads at once.
pub trait Network: Send + Sync {
    /// Runs the network on `inputs`, given in the order the model declares them, and hands all outputs, in the
    /// model's order, to `read`. Integer and half-precision outputs are converted to `f32` first.
    fn run(&self, inputs: Vec<Tensor>, read: &mut dyn FnMut(&[View<'_>])) -> Result<(), NetworkError>;

    /// A custom metadata property of the model file, such as the alphabet (`character`) of a text recogniser.
    fn metadata(&self, key: &str) -> Option<String>;

    /// Declared inputs: name and shape, with `None` for an axis of free size.
    fn inputs(&self) -> &[(String, Vec<Option<usize>>)];

    /// Declared outputs: name and shape, with `None` for an axis of free size.
    fn outputs(&self) -> &[(String, Vec<Option<usize>>)];
}

/// A way to spread independent pieces of one picture's work over idle cores.
pub trait Parallel: Sync {
    /// Calls `work(0) … work(count - 1)`, each once, in any order, possibly at the same time; returns when all
    /// are done.
    fn for_each(&self, count: usize, work: &(dyn Fn(usize) + Sync));
}

/// Does everything on the calling thread.
pub struct Sequential;

impl Parallel for Sequential {
    fn for_each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(work);
    }
}
