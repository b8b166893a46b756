//! The pipelines against references that are not ours.

mod clip;
mod faces;
mod ocr_golden;
mod support;
