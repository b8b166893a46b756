//! The crate against golden results of OpenCV, Pillow and RapidOCR, and against hostile input.

mod decoders;
mod drawing;
mod hostile;
mod kernels;
mod support;
