//! Types of elements.
use half::{bf16, f16};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// IEEE double precision.
    F64,
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of single precision.
    BF16,
    /// Signed, 64 bits.
    I64,
    /// Signed, 32 bits.
    I32,
    /// Signed, 16 bits.
    I16,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 8 bits.
    U8,
    /// A byte, 0 or 1.
    Bool,
}

impl Dtype {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Dtype::F64 | Dtype::I64 => 8,
            Dtype::F32 | Dtype::I32 => 4,
            Dtype::F16 | Dtype::BF16 | Dtype::I16 => 2,
            Dtype::I8 | Dtype::U8 | Dtype::Bool => 1,
        }
    }

    /// The type among those that can be read as `f32`.
    pub(super) fn float(self) -> Option<Float> {
        match self {
            Dtype::F64 => Some(Float::F64),
            Dtype::F32 => Some(Float::F32),
            Dtype::F16 => Some(Float::F16),
            Dtype::BF16 => Some(Float::BF16),
            _ => None,
        }
    }
}

/// The types that are read as `f32`; both formats store them with the lowest byte first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Float {
    F64,
    F32,
    F16,
    BF16,
}

impl Float {
    /// Appends the elements in `bytes`.
    pub(super) fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Float::F64 => out.extend(elements(bytes).map(|b| f64::from_le_bytes(b) as f32)),
            Float::F32 => out.extend(elements(bytes).map(f32::from_le_bytes)),
            Float::F16 => out.extend(elements(bytes).map(|b| f16::from_le_bytes(b).to_f32())),
            Float::BF16 => out.extend(elements(bytes).map(|b| bf16::from_le_bytes(b).to_f32())),
        }
    }
}

fn elements<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_float_becomes_f32() {
        let decode = |float: Float, bytes: &[u8]| {
            let mut out = vec![7.0];
            float.decode(bytes, &mut out);
            out.split_off(1)
        };
        assert_eq!(decode(Float::F64, &[(-0.1f64).to_le_bytes(), 3f64.to_le_bytes()].concat()), [-0.1, 3.0]);
        assert_eq!(decode(Float::F32, &1e-40f32.to_le_bytes()), [1e-40]);
        assert_eq!(decode(Float::F16, &[0x00, 0x3c, 0x01, 0x00]), [1.0, 2f32.powi(-24)]);
        assert_eq!(decode(Float::BF16, &[0x80, 0xbf]), [-1.0]);
        assert_eq!(decode(Float::F64, &1e300f64.to_le_bytes()), [f32::INFINITY]);
    }
}
