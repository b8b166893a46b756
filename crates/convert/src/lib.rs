//! Published CLIP weights as ONNX files, without Python.
//!
//! - [`checkpoint`] reads what `PyTorch` and Hugging Face write, executing nothing.
//! - [`onnx`] reads and writes model files, weights beside the graph.

pub mod checkpoint;
pub mod onnx;
