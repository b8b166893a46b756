//! Pixels: decode pictures safely, orient, resize, warp and draw.
//!
//! Every kernel states which library it reproduces and how exactly, because the models downstream were
//! trained and measured behind those libraries (OpenCV, Pillow, libjpeg-turbo).
//! This crate knows nothing of models and does no I/O beyond the bytes it is handed.

mod raster;

pub use raster::RgbImage;
