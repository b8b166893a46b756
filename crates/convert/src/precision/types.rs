//! Element types of a graph's values.
use std::collections::{HashMap, HashSet};

use super::{
    constants::{Constants, attribute, integer, is_standard},
    scope::bodies,
};
use crate::onnx::proto::{ElementType, Graph, Node, ValueInfo};

/// Names of all values that are 32-bit floats.
pub(super) fn floats(graph: &Graph, constants: &Constants<'_>) -> HashSet<String> {
    let mut types: HashMap<String, ElementType> =
        constants.all().map(|tensor| (tensor.name.clone(), tensor.data_type())).collect();
    scan(graph, &mut types);
    types.into_iter().filter(|(_, kind)| *kind == ElementType::F32).map(|(name, _)| name).collect()
}

/// Notes the types of a graph's values, in the order in which they are computed.
fn scan(graph: &Graph, types: &mut HashMap<String, ElementType>) {
    for tensor in &graph.initializer {
        types.insert(tensor.name.clone(), tensor.data_type());
    }
    for value in graph.input.iter().chain(&graph.output).chain(&graph.value_info) {
        if let Some(kind) = declared(value) {
            types.insert(value.name.clone(), kind);
        }
    }
    for node in &graph.node {
        for (index, output) in node.output.iter().enumerate() {
            if !output.is_empty()
                && let Some(kind) = output_type(node, index, types)
                && (!types.contains_key(output) || is_certain(node))
            {
                types.insert(output.clone(), kind);
            }
        }
    }
}

fn declared(value: &ValueInfo) -> Option<ElementType> {
    let kind = value.r#type.as_ref()?.tensor_type.as_ref()?.elem_type();
    (kind != ElementType::Undefined).then_some(kind)
}

/// Does the node itself say its output's type, whatever the file notes about it?
fn is_certain(node: &Node) -> bool {
    is_standard(node) && node.op_type == "Cast"
}

/// The type of one output. Most operators pass on that of their first input.
fn output_type(node: &Node, index: usize, types: &HashMap<String, ElementType>) -> Option<ElementType> {
    let input = |index: usize| node.input.get(index).and_then(|name| types.get(name)).copied();
    let code = |value: i64| ElementType::try_from(value as i32).ok();
    let told = |name: &str| integer(node, name).and_then(code);
    match (node.op_type.as_str(), index) {
        ("Cast", _) => told("to"),
        ("Shape" | "Size" | "ArgMax" | "ArgMin" | "NonZero" | "NonMaxSuppression", _)
        | ("TopK" | "MaxPool", 1)
        | ("Unique", 1..) => Some(ElementType::I64),
        ("Equal" | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "IsNaN" | "IsInf", _)
        | ("Dropout", 1) => Some(ElementType::Bool),
        ("ConstantOfShape", _) => Some(
            attribute(node, "value")
                .and_then(|value| value.t.as_ref())
                .map_or(ElementType::F32, crate::onnx::proto::Tensor::data_type),
        ),
        ("Constant", _) => node.attribute.first().and_then(|value| match value.name.as_str() {
            "value_int" | "value_ints" => Some(ElementType::I64),
            "value_string" | "value_strings" => Some(ElementType::String),
            _ => None,
        }),
        ("RandomNormal" | "RandomUniform" | "HannWindow" | "HammingWindow" | "BlackmanWindow", _) => {
            told("dtype").or(Some(ElementType::F32))
        }
        ("EyeLike" | "RandomNormalLike" | "RandomUniformLike" | "Bernoulli", _) => told("dtype").or(input(0)),
        ("Multinomial", _) => told("dtype").or(Some(ElementType::I32)),
        ("MatMulInteger" | "ConvInteger", _) => Some(ElementType::I32),
        ("DynamicQuantizeLinear", 1) => Some(ElementType::F32),
        ("DynamicQuantizeLinear", _) => Some(ElementType::U8),
        ("DequantizeLinear" | "Where" | "CastLike", _) => input(1),
        ("QuantizeLinear", _) => input(2).or(Some(ElementType::U8)),
        ("QLinearMatMul" | "QLinearConv", _) => input(7),
        ("OneHot", _) => input(2),
        ("If", _) => bodies(node).find_map(|body| body_output(body, index, types)),
        ("Loop" | "Scan", _) => {
            // The outputs of a loop's body begin with its condition.
            let shift = usize::from(node.op_type == "Loop");
            bodies(node).find_map(|body| body_output(body, index + shift, types))
        }
        _ => input(0),
    }
}

/// The type of a body's output.
fn body_output(body: &Graph, index: usize, types: &HashMap<String, ElementType>) -> Option<ElementType> {
    let output = body.output.get(index)?;
    declared(output).or_else(|| {
        let mut inside = types.clone();
        scan(body, &mut inside);
        inside.get(&output.name).copied()
    })
}
