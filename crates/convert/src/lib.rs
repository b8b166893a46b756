//! Published CLIP weights as ONNX files, without Python.
//!
//! - [`checkpoint`] reads what `PyTorch` and Hugging Face write, executing nothing.
//! - [`chinese_clip`] writes the networks of Chinese-CLIP.
//! - [`precision`] turns networks into half precision and int8.
//! - [`onnx`] reads and writes model files, weights beside the graph.

pub mod checkpoint;
pub mod chinese_clip;
mod error;
pub mod onnx;
pub mod precision;

pub use error::ConvertError;
