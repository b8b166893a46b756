//! The pipelines against references that are not ours.

mod clip;
mod faces;
mod ocr_golden;
mod ocr_viewfinder;
mod quality;
mod support;
