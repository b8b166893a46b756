//! The pipelines: read text ([`ocr`]), embed pictures and sentences ([`clip`]), find and embed faces ([`face`]).
//!
//! Each stage is a file. Stages call networks through [`Network`], a small synchronous trait, so every one of
//! them runs in tests with a fake; this crate knows nothing of ONNX Runtime, HTTP or async.

mod dump;
#[cfg(test)]
mod fake;
mod network;

pub mod clip;
pub mod face;
pub mod ocr;

pub use dump::Dump;
pub use network::{Data, Network, NetworkError, Parallel, Sequential, Tensor, View};
pub use ocr::OcrError;
