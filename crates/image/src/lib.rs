//! Pixels: decode pictures safely, orient, resize, warp and draw.
//!
//! Every kernel states which library it reproduces and how exactly, because the models downstream were
//! trained and measured behind those libraries (OpenCV, Pillow, libjpeg-turbo).
//! This crate knows nothing of models and does no I/O beyond the bytes it is handed.

// Helpers of pixel loops are compiled for AVX2 only where they are inlined into a function that is.
#![allow(clippy::inline_always)]

mod accelerate;
mod crop;
mod decode;
pub mod draw;
pub mod encode;
mod orientation;
pub mod pad;
mod raster;
pub mod resize;
pub mod rotate;
pub mod warp;

pub use crop::crop;
pub use decode::{DecodeError, Decoded, Format, Header, Limits, decode, header, is_raw};
pub use orientation::Orientation;
pub use raster::RgbImage;
