//! Large weights are left in their file.
//!
//! ONNX Runtime reads a model file whole, copies its weights, and keeps both until the session stands: twice the weights
//! at the worst moment. Weights of another file it maps, page by page, as it needs them. A tensor in a model file is
//! as good a piece of "another file" as any.

use std::path::Path;

use bytes::Bytes;

use crate::onnx::proto::{Graph, Pair};

/// Smaller tensors stay in the graph, where the optimiser looks at them.
const LEAST_BYTES: usize = 64 << 10;

/// Replaces the large initialisers of `graph`, decoded from `bytes`, by references into `file`. Tells whether there were
/// any.
pub(super) fn externalize(graph: &mut Graph, bytes: &Bytes, file: &Path) -> bool {
    let Some(name) = file.file_name().and_then(|name| name.to_str()) else { return false };
    let pair = |key: &str, value: String| Pair { key: key.to_owned(), value };
    let mut any = false;
    for tensor in &mut graph.initializer {
        let length = tensor.raw_data.len();
        // Decoded tensors are slices of the file's bytes; those that a rewriting made are not.
        let offset = (tensor.raw_data.as_ptr() as usize).checked_sub(bytes.as_ptr() as usize);
        let Some(offset) = offset.filter(|offset| offset + length <= bytes.len()) else { continue };
        if length < LEAST_BYTES {
            continue;
        }
        tensor.raw_data = Bytes::new();
        tensor.data_location = 1;
        tensor.external_data = vec![
            pair("location", name.to_owned()),
            pair("offset", offset.to_string()),
            pair("length", length.to_string()),
        ];
        any = true;
    }
    any
}
