//! Floats as bytes, little end first.

pub(crate) fn to_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub(crate) fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    floats(bytes).collect()
}

/// The product with a vector kept as bytes, of the same width.
pub(crate) fn dot(bytes: &[u8], vector: &[f32]) -> f32 {
    floats(bytes).zip(vector).map(|(a, b)| a * b).sum()
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}
