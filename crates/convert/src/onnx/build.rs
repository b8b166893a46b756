//! Short ways to write nodes.
use super::proto::{Attribute, AttributeKind, Node};

/// A constant of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Attr {
    /// An integer.
    Int(i64),
    /// A number.
    Float(f32),
    /// Integers.
    Ints(Vec<i64>),
    /// A text.
    Text(&'static str),
}

/// A node with one output; the node has the output's name.
pub fn node(
    operator: &str,
    domain: &str,
    inputs: &[&str],
    output: &str,
    attributes: &[(&str, Attr)],
) -> Node {
    Node {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: output.to_owned(),
        op_type: operator.to_owned(),
        domain: domain.to_owned(),
        attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
        ..Node::default()
    }
}

fn attribute(name: &str, value: &Attr) -> Attribute {
    let mut out = Attribute { name: name.to_owned(), ..Attribute::default() };
    let kind = match value {
        Attr::Int(value) => {
            out.i = *value;
            AttributeKind::Int
        }
        Attr::Float(value) => {
            out.f = *value;
            AttributeKind::Float
        }
        Attr::Ints(values) => {
            out.ints.clone_from(values);
            AttributeKind::Ints
        }
        Attr::Text(text) => {
            out.s = text.as_bytes().into();
            AttributeKind::String
        }
    };
    out.set_kind(kind);
    out
}
