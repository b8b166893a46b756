//! ONNX Runtime: library, sessions, worker threads, time-to-live, memory.
