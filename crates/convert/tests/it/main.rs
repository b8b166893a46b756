//! The crate against files of the real tools, and against hostile ones.

mod checkpoint;
mod hostile;
mod strides;
mod support;
