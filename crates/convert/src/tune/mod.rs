//! Published graphs rewritten for a processor: the same answers in less time and memory.
//!
//! Nothing is written to disk. The graph is changed in memory, and its weights stay where they are, in the published
//! file, from which ONNX Runtime maps them.

mod blocks;
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

use crate::{
    onnx::{
        OnnxError, flaw, io_at,
        proto::{ElementType, Graph, Model, Tensor},
    },
    precision::constants::is,
};

/// Rewrites the model `file` and returns it as the bytes of a model whose large weights are in `file`; none if there is
/// nothing to gain.
///
/// Whoever opens the result has to tell ONNX Runtime that external weights are in the folder of `file`. The file must
/// not be overwritten in place while it is in use.
///
/// Each rewriting looks for its own pattern, so it can be given any model: upsampling heads as text detectors end
/// with (`upsampling`), joined maps whose channels do not suit the processor (`blocks`), vision transformers that answer
/// with their class token (`class_token`), and large weights (`in_place`).
pub fn tune(file: &Path) -> Result<Option<Vec<u8>>, OnnxError> {
    let bytes = Bytes::from(fs::read(file).map_err(io_at(file))?);
    let not = |reason: String| OnnxError::NotAModel { path: file.to_owned(), reason };
    let mut model = Model::decode(bytes.clone()).map_err(|error| not(error.to_string()))?;
    let opset = model.opset_import.iter().find(|set| matches!(set.domain.as_str(), "" | "ai.onnx"));
    let opset = opset.map_or(0, |set| set.version);
    // What is wrong with a graph is the library's to say.
    let Some(graph) = model.graph.as_mut().filter(|graph| flaw(graph).is_none()) else { return Ok(None) };
    drop_identities(graph);
    let rewritten = upsampling::rewrite(graph)
        | blocks::rewrite(graph, channel_block())
        | class_token::rewrite(graph, opset);
    if rewritten {
        // Extents of values in between may be others now; ONNX Runtime infers them anyway.
        graph.value_info.clear();
        drop_unused_weights(graph);
    }
    let lightened = in_place::externalize(graph, &bytes, file);
    Ok((rewritten || lightened).then(|| model.encode_to_vec()))
}

/// Who takes the values of a graph.
struct Consumers<'a> {
    nodes: HashMap<&'a str, Vec<usize>>,
    outputs: HashSet<&'a str>,
}

impl<'a> Consumers<'a> {
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

/// Lets the users of copies take the original, so that patterns need not look through them.
fn drop_identities(graph: &mut Graph) {
    if has_bodies(graph) {
        return;
    }
    let outputs: HashSet<String> = graph.output.iter().map(|value| value.name.clone()).collect();
    let mut originals: HashMap<String, String> = HashMap::new();
    graph.node.retain_mut(|node| {
        for input in &mut node.input {
            if let Some(original) = originals.get(input) {
                input.clone_from(original);
            }
        }
        let original =
            node.input.first().filter(|_| is(node, "Identity") && !outputs.contains(&node.output[0]));
        if let Some(original) = original {
            originals.insert(node.output[0].clone(), original.clone());
            return false;
        }
        true
    });
}

/// Weights that a rewriting has replaced; ONNX Runtime would complain of each.
fn drop_unused_weights(graph: &mut Graph) {
    if has_bodies(graph) {
        return;
    }
    let values = |values: &[crate::onnx::proto::ValueInfo]| -> Vec<String> {
        values.iter().map(|value| value.name.clone()).collect()
    };
    let mut used: HashSet<String> = graph.node.iter().flat_map(|node| node.input.iter().cloned()).collect();
    used.extend(values(&graph.output));
    // A weight that is an input, too, is that input's usual value.
    used.extend(values(&graph.input));
    graph.initializer.retain(|tensor| used.contains(&tensor.name));
}

/// How many channels ONNX Runtime keeps together on this processor: as many floats as a register holds. One, which every
/// map fills, where that is not known.
fn channel_block() -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") { 16 } else { 8 }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        1
    }
}

/// The numbers of a tensor of 32-bit floats that stands in the graph.
fn values(tensor: &Tensor) -> Option<Vec<f32>> {
    if tensor.data_type() != ElementType::F32 || tensor.data_location != 0 {
        return None;
    }
    let values: Vec<f32> = if tensor.raw_data.is_empty() {
        tensor.float_data.clone()
    } else {
        tensor.raw_data.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
    };
    let count = tensor.dims.iter().try_fold(1_i64, |product, &extent| product.checked_mul(extent))?;
    (i64::try_from(values.len()) == Ok(count)).then_some(values)
}

fn floats(name: String, dims: &[usize], values: Vec<f32>) -> Tensor {
    let raw_data: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
    let dims = dims.iter().map(|&extent| extent as i64).collect();
    let mut tensor = Tensor { name, dims, raw_data: raw_data.into(), ..Tensor::default() };
    tensor.set_data_type(ElementType::F32);
    tensor
}
