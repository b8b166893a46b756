//! What makes a graph one that can be computed: its nodes stand in an order, and make each value once.
use std::collections::HashSet;

use super::proto::Graph;

/// What is wrong with a graph; nothing, as a rule. Whoever follows values back to where they come from comes to an end in graphs
/// that pass, and every node has an output.
pub(crate) fn flaw(graph: &Graph) -> Option<String> {
    look(graph, &mut Vec::new())
}

/// `around` are the values of the graphs around this one, which is a body of `If`, `Loop` or `Scan` then.
fn look<'a>(graph: &'a Graph, around: &mut Vec<HashSet<&'a str>>) -> Option<String> {
    let given = graph.input.iter().map(|value| value.name.as_str());
    around.push(given.chain(graph.initializer.iter().map(|tensor| tensor.name.as_str())).collect());
    let found = graph.node.iter().find_map(|node| {
        let unknown =
            |name: &&String| !name.is_empty() && !around.iter().any(|known| known.contains(&***name));
        if let Some(name) = node.input.iter().find(unknown) {
            return Some(format!("{:?} is taken before anything makes it", short(name)));
        }
        let bodies = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
        for body in bodies {
            if let Some(flaw) = look(body, around) {
                return Some(flaw);
            }
        }
        if node.output.is_empty() {
            return Some(format!("a node {:?} makes nothing", short(&node.op_type)));
        }
        let own = around.last_mut()?;
        let twice = node.output.iter().find(|name| !name.is_empty() && !own.insert(name));
        twice.map(|name| format!("{:?} is made twice", short(name)))
    });
    around.pop();
    found
}

/// Names are the file's, and may be anything.
fn short(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::{
        node,
        proto::{Attribute, Node, ValueInfo},
    };

    fn graph(nodes: Vec<Node>) -> Graph {
        let input = vec![ValueInfo { name: "x".into(), ..ValueInfo::default() }];
        Graph { node: nodes, input, ..Graph::default() }
    }

    fn op(inputs: &[&str], output: &str) -> Node {
        node("Add", "", inputs, output, &[])
    }

    #[test]
    fn nodes_stand_in_an_order_and_make_each_value_once() {
        let body = |inner: Node| {
            let g = Some(graph(vec![inner]));
            Node { attribute: vec![Attribute { g, ..Attribute::default() }], ..op(&["a"], "z") }
        };
        for (nodes, flawed) in [
            (vec![op(&["x", ""], "a"), op(&["a", "x"], "b")], None),
            (vec![op(&["x"], "a"), body(op(&["a", "x"], "b"))], None),
            (vec![op(&["b"], "a"), op(&["x"], "b")], Some("\"b\" is taken before")),
            (vec![op(&["a"], "a")], Some("\"a\" is taken before")),
            (vec![op(&["x"], "a"), op(&["a"], "x")], Some("\"x\" is made twice")),
            (vec![op(&["x"], "a"), op(&["x"], "a")], Some("\"a\" is made twice")),
            (vec![Node { output: Vec::new(), ..op(&["x"], "") }], Some("\"Add\" makes nothing")),
            (vec![op(&["x"], "a"), body(op(&["z"], "b"))], Some("\"z\" is taken before")),
        ] {
            let found = flaw(&graph(nodes));
            assert_eq!(found.is_some(), flawed.is_some(), "{found:?}");
            assert!(flawed.is_none_or(|words| found.unwrap().contains(words)));
        }
    }
}
