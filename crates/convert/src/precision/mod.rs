//! Smaller number types for models that exist: half precision for accelerators, 8-bit integers for processors.
//!
//! Both passes take any ONNX file and work tensor by tensor: the graph and a few tensors are in memory, never all
//! weights.

pub(crate) mod constants;
mod fp16;
mod int8;
mod output;
mod plan;
mod quantise;
mod scope;
mod types;

pub use fp16::fp16;
pub use int8::int8;

use std::{fmt, str::FromStr};

use crate::onnx::OnnxError;
use viewfinder_core::{ErrorCode, TaskError};

/// Property of a model file that says which [`Precision`] it was written in.
pub const PRECISION_KEY: &str = "viewfinder.precision";

/// The number type that a model's large products are computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32-bit floats, as published.
    Fp32,
    /// 16-bit floats: half the size, for accelerators. A processor gains nothing from it.
    Fp16,
    /// 8-bit integers in matrix products: about a quarter of the size, for processors.
    Int8,
}

impl Precision {
    /// Every precision.
    pub const ALL: &[Self] = &[Self::Fp32, Self::Fp16, Self::Int8];

    /// The name used in configuration and in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of a precision that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a precision; choose fp32, fp16 or int8")]
pub struct UnknownPrecision(String);

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim().to_ascii_lowercase();
        let found = Self::ALL.iter().find(|precision| precision.as_str() == wanted);
        found.copied().ok_or_else(|| UnknownPrecision(text.to_owned()))
    }
}

/// What a pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Products with constant weights (`MatMul`, `Gemm`; for half precision also `Conv`) in the new type.
    pub converted: usize,
    /// Those left in the type they had.
    pub kept: usize,
    /// Bytes of all constant tensors before.
    pub bytes_before: u64,
    /// Bytes of all constant tensors after.
    pub bytes_after: u64,
    /// Values beyond the range of half precision that were brought into it (masks, as a rule).
    pub clamped: usize,
    /// Values other than zero that are zero in half precision.
    pub vanished: usize,
}

/// A model that cannot be converted.
#[derive(Debug, thiserror::Error)]
pub enum PrecisionError {
    /// Reading or writing failed, or a weight cannot be used.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The operators that are needed do not exist in the model's operator set.
    #[error("the model uses operator set {found}; {needed} is the oldest that can be converted")]
    OldOperators {
        /// The model's.
        found: i64,
        /// The oldest that will do.
        needed: i64,
    },
}

impl From<PrecisionError> for TaskError {
    fn from(error: PrecisionError) -> Self {
        Self::new(ErrorCode::ModelUnsuited, error)
    }
}
