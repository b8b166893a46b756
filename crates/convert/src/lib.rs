//! Published weights as ONNX files and graphs that suit the machine, without Python.
//!
//! - [`checkpoint`] reads what `PyTorch` and Hugging Face write, executing nothing.
//! - [`chinese_clip`] writes the networks of Chinese-CLIP.
//! - [`precision`] turns networks into half precision and int8.
//! - [`onnx`] reads and writes model files, weights beside the graph.
//! - [`tune`] rewrites graphs in memory for a processor.

pub mod checkpoint;
pub mod chinese_clip;
mod error;
pub mod onnx;
pub mod precision;
mod tune;

pub use error::ConvertError;
pub use tune::tune;
