//! Names that the bodies of `If`, `Loop` and `Scan` take from the graph around them.
use std::collections::HashSet;

use crate::onnx::proto::{Graph, Node};

/// The bodies of a node.
pub(super) fn bodies(node: &Node) -> impl Iterator<Item = &Graph> {
    node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs))
}

/// Names a node's bodies use and do not define themselves.
///
/// A name that a body defines after a nested body took it from outside counts as its own; ONNX forbids such graphs.
pub(super) fn captured(node: &Node) -> HashSet<&str> {
    bodies(node).flat_map(free).collect()
}

fn free(body: &Graph) -> HashSet<&str> {
    let own: HashSet<&str> = body
        .input
        .iter()
        .map(|value| value.name.as_str())
        .chain(body.initializer.iter().map(|tensor| tensor.name.as_str()))
        .chain(body.node.iter().flat_map(|node| node.output.iter().map(String::as_str)))
        .collect();
    let mut used: HashSet<&str> = body.output.iter().map(|value| value.name.as_str()).collect();
    for node in &body.node {
        used.extend(node.input.iter().map(String::as_str));
        used.extend(captured(node));
    }
    used.retain(|name| !name.is_empty() && !own.contains(name));
    used
}
