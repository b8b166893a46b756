//! Model files: the graph in `model.onnx`, large tensors beside it in `model.onnx.data`.

pub mod proto;
