//! Published graphs rewritten for a processor: the same answers in less time and memory.
//!
//! Nothing is written to disk. The graph is changed in memory, and its weights stay where they are, in the published
//! file, from which ONNX Runtime maps them.

mod class_token;
mod in_place;
mod upsampling;

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
};

use bytes::Bytes;
use prost::Message as _;

use crate::onnx::{
    OnnxError, io_at,
    proto::{Graph, Model},
};

/// Rewrites the model `file` and returns it as the bytes of a model whose large weights are in `file`; none if there is
/// nothing to gain.
///
/// Whoever opens the result has to tell ONNX Runtime that external weights are in the folder of `file`. The file must
/// not be overwritten in place while it is in use.
///
/// Each rewriting looks for its own pattern, so it can be given any model: upsampling heads as text detectors end
/// with (`upsampling`), vision transformers that answer with their class token (`class_token`), and large weights
/// (`in_place`).
pub fn tune(file: &Path) -> Result<Option<Vec<u8>>, OnnxError> {
    let bytes = Bytes::from(fs::read(file).map_err(io_at(file))?);
    let not = |reason: String| OnnxError::NotAModel { path: file.to_owned(), reason };
    let mut model = Model::decode(bytes.clone()).map_err(|error| not(error.to_string()))?;
    let opset = model.opset_import.iter().find(|set| matches!(set.domain.as_str(), "" | "ai.onnx"));
    let opset = opset.map_or(0, |set| set.version);
    let Some(graph) = &mut model.graph else { return Ok(None) };
    let rewritten = upsampling::rewrite(graph) | class_token::rewrite(graph, opset);
    if rewritten {
        // Extents of values in between may be others now; ONNX Runtime infers them anyway.
        graph.value_info.clear();
    }
    let lightened = in_place::refer(graph, &bytes, file);
    Ok((rewritten || lightened).then(|| model.encode_to_vec()))
}

/// Who takes the values of a graph.
struct Users<'a> {
    nodes: HashMap<&'a str, Vec<usize>>,
    outputs: HashSet<&'a str>,
}

impl<'a> Users<'a> {
    fn of(graph: &'a Graph) -> Self {
        let mut nodes: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, node) in graph.node.iter().enumerate() {
            for name in &node.input {
                nodes.entry(name).or_default().push(at);
            }
        }
        Self { nodes, outputs: graph.output.iter().map(|value| value.name.as_str()).collect() }
    }

    /// The places of the nodes that take a value, one entry for each time.
    fn of_value(&self, name: &str) -> &[usize] {
        self.nodes.get(name).map_or(&[], Vec::as_slice)
    }

    /// The place of the one node that takes a value, if nothing else does.
    fn only(&self, name: &str) -> Option<usize> {
        match self.of_value(name) {
            &[user] if !self.outputs.contains(name) => Some(user),
            _ => None,
        }
    }
}

/// Do bodies of `If`, `Loop` or `Scan` stand in the graph? They may take any value unseen.
fn has_bodies(graph: &Graph) -> bool {
    let bodies = |node: &crate::onnx::proto::Node| {
        node.attribute.iter().any(|attribute| attribute.g.is_some() || !attribute.graphs.is_empty())
    };
    graph.node.iter().any(bodies)
}
