//! Published CLIP weights as ONNX files, without Python.
//!
//! - [`checkpoint`] reads what `PyTorch` and Hugging Face write, executing nothing.
//! - [`onnx`] reads and writes model files, weights beside the graph.
//! - [`precision`] makes half-precision and int8 models of existing ones.

pub mod checkpoint;
pub mod onnx;
pub mod precision;
