//! Other sizes of a picture.

mod bilinear;
mod convolution;

pub use bilinear::bilinear;
pub use convolution::{bicubic, lanczos};
