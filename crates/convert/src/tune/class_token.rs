//! The last block of a vision transformer for its class token alone.
//!
//! Such a network answers with what became of its first token. After the last exchange between tokens everything is done
//! to each alone, and nobody looks at what became of the others: the answer's `Gather` can as well come before. That is
//! two thirds of the last block.

use std::collections::{HashMap, HashSet};

use crate::{
    onnx::{
        node,
        proto::{ElementType, Graph, Node, Tensor},
    },
    precision::constants::{Constants, attribute, integer, is, is_standard},
};

use super::{Consumers, has_bodies};

/// The axis of a value that counts tokens; values are `[batch, token, channel]`.
const AXIS: i64 = 1;

/// The first version of ONNX's operators in which `Slice` takes its bounds as inputs.
const SLICE_BY_INPUTS: i64 = 10;

/// Rewrites the graph if it answers with its first token; tells whether it does.
pub(super) fn rewrite(graph: &mut Graph, opset: i64) -> bool {
    if opset < SLICE_BY_INPUTS || has_bodies(graph) {
        return false;
    }
    let Some(ClassTokenTail { nodes, frontier }) = ClassTokenTail::find(graph) else { return false };
    let bounds = [("start", 0), ("end", 1), ("axis", AXIS)].map(|(name, value)| integers(name, value));
    let cut = |name: &String| {
        let inputs = [name, bounds[0].name.as_str(), &bounds[1].name, &bounds[2].name];
        node("Slice", "", &inputs, &format!("{name}/first"), &[])
    };
    for name in &frontier {
        let first = format!("{name}/first");
        for &at in &nodes {
            for input in graph.node[at].input.iter_mut().filter(|input| *input == name) {
                input.clone_from(&first);
            }
        }
    }
    // A value is cut right after it is made; an input of the graph, before anything else.
    for node in std::mem::take(&mut graph.node) {
        let cuts: Vec<Node> = node.output.iter().filter(|name| frontier.contains(*name)).map(cut).collect();
        graph.node.push(node);
        graph.node.extend(cuts);
    }
    let inputs = graph.input.iter().map(|value| &value.name).filter(|name| frontier.contains(*name));
    graph.node.splice(0..0, inputs.map(cut).collect::<Vec<_>>());
    graph.initializer.extend(bounds);
    true
}

/// The part of a graph that only the first token's answer needs, and that mixes no tokens.
struct ClassTokenTail {
    /// Places of its nodes.
    nodes: Vec<usize>,
    /// Values that it takes from the rest of the graph.
    frontier: HashSet<String>,
}

impl ClassTokenTail {
    fn find(graph: &Graph) -> Option<Self> {
        let (constants, users, ranks) = (Constants::of(graph), Consumers::of(graph), ranks(graph));
        let mut ends = (0..graph.node.len()).filter(|&at| takes_first(&graph.node[at], &constants));
        ends.find_map(|end| {
            let alone = Self::before(graph, end, &constants, &users)?;
            let is_worth_it = alone.nodes.iter().any(|&at| is(&graph.node[at], "MatMul"));
            let is_sure = alone.frontier.iter().all(|name| ranks.get(name.as_str()) == Some(&3));
            (is_worth_it && is_sure).then_some(alone)
        })
    }

    /// Goes from the node at `end`, which takes the first token, towards the inputs.
    fn before(graph: &Graph, end: usize, constants: &Constants<'_>, users: &Consumers<'_>) -> Option<Self> {
        let mut inside = HashSet::from([end]);
        let mut frontier = HashSet::from([graph.node[end].input.first()?.as_str()]);
        // Nodes stand in an order of computing: a value's users come after its maker.
        for (at, node) in graph.node[..end].iter().enumerate().rev() {
            let [output] = node.output.as_slice() else { continue };
            let is_ours = frontier.contains(output.as_str())
                && !users.outputs.contains(output.as_str())
                && users.of_value(output).iter().all(|user| inside.contains(user));
            if let Some(takes) = tokens(node, constants).filter(|_| is_ours) {
                inside.insert(at);
                frontier.remove(output.as_str());
                frontier.extend(takes);
            }
        }
        let frontier = frontier.into_iter().map(str::to_owned).collect();
        Some(Self { nodes: inside.into_iter().collect(), frontier })
    }
}

/// Does it take the first token of each picture?
fn takes_first(node: &Node, constants: &Constants<'_>) -> bool {
    let zero = |tensor: &Tensor| {
        tensor.data_type() == ElementType::I64
            && tensor.dims.iter().all(|&extent| extent == 1)
            && (tensor.int64_data == [0] || *tensor.raw_data == [0; 8])
    };
    is(node, "Gather")
        && integer(node, "axis") == Some(AXIS)
        && node.input.get(1).and_then(|name| constants.get(name)).is_some_and(zero)
}

/// The values in which a node takes tokens, if it does the same to each token alone.
fn tokens<'n>(node: &'n Node, constants: &Constants<'_>) -> Option<Vec<&'n str>> {
    if !is_standard(node) {
        return None;
    }
    let input = |index: usize| node.input.get(index).map(String::as_str);
    let constant = |index: usize| input(index).and_then(|name| constants.weight(name));
    match node.op_type.as_str() {
        "Identity" | "Cast" | "Erf" | "Tanh" | "Sigmoid" | "Relu" | "Gelu" | "Sqrt" | "Neg" => {
            Some(vec![input(0)?])
        }
        "Add" | "Sub" | "Mul" | "Div" | "Pow" => {
            let mut takes = Vec::new();
            for index in 0..2 {
                match constant(index) {
                    // One number, or one for each channel.
                    Some(weight) if weight.tensor.dims.len() <= 1 => {}
                    Some(_) => return None,
                    None => takes.push(input(index)?),
                }
            }
            Some(takes)
        }
        "MatMul" => {
            let by_channels = constant(0).is_none() && constant(1)?.tensor.dims.len() == 2;
            by_channels.then_some(vec![input(0)?])
        }
        "LayerNormalization" => {
            let over_channels = integer(node, "axis").is_none_or(|axis| axis == -1 || axis == 2);
            let known = (1..node.input.len()).all(|index| constant(index).is_some());
            (over_channels && known).then_some(vec![input(0)?])
        }
        "ReduceMean" => {
            let over_channels =
                attribute(node, "axes").is_some_and(|axes| axes.ints == [-1] || axes.ints == [2]);
            (over_channels && integer(node, "keepdims").unwrap_or(1) == 1).then_some(vec![input(0)?])
        }
        _ => None,
    }
}

/// Number of axes of values, as far as the operators tell.
fn ranks(graph: &Graph) -> HashMap<&str, usize> {
    let mut ranks: HashMap<&str, usize> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor.dims.len())).collect();
    let constants = Constants::of(graph);
    for node in &graph.node {
        let of = |index: usize| {
            let name = node.input.get(index)?.as_str();
            ranks.get(name).copied().or_else(|| constants.get(name).map(|tensor| tensor.dims.len()))
        };
        let rank = match node.op_type.as_str() {
            "Transpose" => attribute(node, "perm").map(|perm| perm.ints.len()),
            "Reshape" => node.input.get(1).and_then(|name| {
                constants.get(name)?.dims.first().and_then(|&extent| usize::try_from(extent).ok())
            }),
            "Add" | "Sub" | "Mul" | "Div" | "Pow" | "MatMul" => of(0).zip(of(1)).map(|(a, b)| a.max(b)),
            "Concat" => (0..node.input.len()).find_map(of),
            "Identity" | "Cast" | "Erf" | "Tanh" | "Sigmoid" | "Relu" | "Gelu" | "Softmax"
            | "LayerNormalization" => of(0),
            _ => None,
        };
        if let ([output, ..], Some(rank)) = (node.output.as_slice(), rank) {
            ranks.insert(output, rank);
        }
    }
    ranks
}

/// A list of one integer.
fn integers(name: &str, value: i64) -> Tensor {
    let mut tensor = Tensor {
        name: format!("class token/{name}"),
        dims: vec![1],
        int64_data: vec![value],
        ..Tensor::default()
    };
    tensor.set_data_type(ElementType::I64);
    tensor
}
