//! The crate against files of the real tools and the real ONNX Runtime, and against hostile files.

mod checkpoint;
mod hostile;
mod net;
mod precision;
mod strides;
mod support;
mod tune;
