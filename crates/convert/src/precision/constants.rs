//! Constant tensors of a graph, wherever it keeps them.
use std::{borrow::Cow, collections::HashMap};

use crate::onnx::proto::{Attribute, ElementType, Graph, Node, Tensor};

/// Values known before the network runs: initialisers and `Constant` nodes.
pub(crate) struct Constants<'a> {
    tensors: HashMap<&'a str, Cow<'a, Tensor>>,
    makers: HashMap<&'a str, &'a Node>,
}

/// A product's weights, found behind whatever the exporter put between.
pub(crate) struct Weight<'a> {
    /// As the file has them.
    pub(crate) tensor: &'a Tensor,
    /// A transposition stands between.
    pub(crate) transposed: bool,
    /// Their type where the product takes them.
    pub(crate) kind: ElementType,
}

impl<'a> Constants<'a> {
    pub(crate) fn of(graph: &'a Graph) -> Self {
        let mut tensors: HashMap<&str, Cow<'_, Tensor>> =
            graph.initializer.iter().map(|tensor| (tensor.name.as_str(), Cow::Borrowed(tensor))).collect();
        let mut makers = HashMap::new();
        for node in &graph.node {
            makers.extend(node.output.iter().map(|name| (name.as_str(), node)));
            if let (Some(tensor), [output]) = (literal(node), node.output.as_slice()) {
                tensors.insert(output, Cow::Owned(Tensor { name: output.clone(), ..tensor }));
            }
        }
        Self { tensors, makers }
    }

    /// The constant of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name).map(AsRef::as_ref)
    }

    /// All constants.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Tensor> {
        self.tensors.values().map(AsRef::as_ref)
    }

    /// The node that makes a value.
    pub(crate) fn maker(&self, name: &str) -> Option<&'a Node> {
        self.makers.get(name).copied()
    }

    /// The constant behind a value that is one but for its type and the order of its two axes.
    pub(crate) fn weight(&self, name: &str) -> Option<Weight<'_>> {
        let (mut name, mut transposed, mut kind) = (name, false, None);
        loop {
            if let Some(tensor) = self.get(name) {
                return Some(Weight { tensor, transposed, kind: kind.unwrap_or(tensor.data_type()) });
            }
            let node = self.maker(name)?;
            match node.op_type.as_str() {
                "Identity" => {}
                "Cast" => {
                    let to = integer(node, "to").and_then(|to| ElementType::try_from(to as i32).ok())?;
                    kind = kind.or(Some(to));
                }
                "Transpose" if attribute(node, "perm").is_none_or(|perm| perm.ints == [1, 0]) => {
                    transposed = !transposed;
                }
                _ => return None,
            }
            name = node.input.first()?;
        }
    }
}

/// Is it one of ONNX's own operators, of this kind?
pub(crate) fn is(node: &Node, operator: &str) -> bool {
    node.op_type == operator && is_standard(node)
}

/// Is it one of ONNX's own operators?
pub(crate) fn is_standard(node: &Node) -> bool {
    node.domain.is_empty() || node.domain == "ai.onnx"
}

/// An attribute.
pub(crate) fn attribute<'n>(node: &'n Node, name: &str) -> Option<&'n Attribute> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

/// An integer attribute.
pub(crate) fn integer(node: &Node, name: &str) -> Option<i64> {
    attribute(node, name).map(|attribute| attribute.i)
}

/// The tensor of a `Constant` node; none if it holds integers or text in an attribute of their own.
fn literal(node: &Node) -> Option<Tensor> {
    if !is(node, "Constant") {
        return None;
    }
    let floats = |dims: Vec<i64>, values: Vec<f32>| {
        let mut tensor = Tensor { dims, float_data: values, ..Tensor::default() };
        tensor.set_data_type(ElementType::F32);
        tensor
    };
    if let Some(value) = attribute(node, "value") {
        value.t.clone()
    } else if let Some(value) = attribute(node, "value_float") {
        Some(floats(Vec::new(), vec![value.f]))
    } else {
        let values = &attribute(node, "value_floats")?.floats;
        Some(floats(vec![values.len() as i64], values.clone()))
    }
}
