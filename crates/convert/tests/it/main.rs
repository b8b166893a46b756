//! Conversion, checked with ONNX Runtime itself.

mod net;
mod precision;
