//! Which products of a graph become integers.
use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    constants::{Constants, Weight, attribute, integer, is},
    scope::captured,
};
use crate::onnx::proto::{ElementType, Graph, Node};

/// Products over fewer channels stay floats: there is nothing to gain.
const FEWEST_CHANNELS: usize = 32;

/// Weights of a product.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Matrix {
    /// The constant that holds them.
    pub(super) tensor: String,
    /// It has a row for each output, not for each input.
    pub(super) transposed: bool,
}

/// What a product takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Activation<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Extent of its last axis.
    pub(super) channels: usize,
}

/// A product of an activation and constant weights.
pub(super) struct Product<'a> {
    pub(super) activation: Activation<'a>,
    pub(super) matrix: Matrix,
    /// The type of activation, weights and result.
    pub(super) kind: ElementType,
    /// What the result is multiplied with.
    pub(super) factor: f32,
    pub(super) bias: Option<Bias<'a>>,
}

/// A constant that is added to each row of a product, by itself or by an `Add` behind it.
#[derive(Clone, Copy)]
pub(super) struct Bias<'a> {
    /// The constant, one axis of 32-bit floats.
    pub(super) row: &'a str,
    /// What the sum is called.
    pub(super) sum: &'a str,
}

/// All products of a graph.
#[derive(Default)]
pub(super) struct Plan<'a> {
    /// By the place of their node.
    pub(super) products: HashMap<usize, Product<'a>>,
    /// Places of the `Add` nodes that products take over.
    pub(super) absorbed: HashSet<usize>,
    /// All weights that an activation is multiplied with.
    pub(super) takers: HashMap<Activation<'a>, BTreeSet<Matrix>>,
    /// How many products with constant weights are left as they are.
    pub(super) kept: usize,
}

impl<'a> Plan<'a> {
    pub(super) fn of(graph: &'a Graph, constants: &Constants<'_>) -> Self {
        let mut plan = Self::default();
        let only_takers = only_takers(graph);
        for (at, node) in graph.node.iter().enumerate() {
            let gemm = is(node, "Gemm");
            let [name, weight, ..] = node.input.as_slice() else { continue };
            let [output] = node.output.as_slice() else { continue };
            if !(gemm || is(node, "MatMul")) || constants.weight(name).is_some() {
                continue;
            }
            let Some(weight) = constants.weight(weight) else { continue };
            let transposed = weight.transposed ^ (gemm && integer(node, "transB") == Some(1));
            let turned = gemm && integer(node, "transA") == Some(1);
            let Some(channels) = channels(&weight, transposed).filter(|_| !turned) else {
                plan.kept += 1;
                continue;
            };
            let activation = Activation { name, channels };
            let matrix = Matrix { tensor: weight.tensor.name.clone(), transposed };
            plan.takers.entry(activation.clone()).or_default().insert(matrix.clone());
            let outputs = weight.tensor.dims[usize::from(!transposed)];
            let fits = |row: &str| {
                let row = constants.get(row).filter(|_| weight.kind == ElementType::F32);
                row.is_some_and(|row| row.dims == [outputs] && row.data_type() == ElementType::F32)
            };
            let next = only_takers.get(output.as_str()).copied().filter(|next| is(&graph.node[*next], "Add"));
            let bias = if gemm {
                gemm_bias(node, fits)
            } else {
                next.and_then(|next| bias_behind(&graph.node[next], fits))
            };
            if bias.is_some() && !gemm {
                plan.absorbed.extend(next);
            }
            let factor = attribute(node, "alpha").filter(|_| gemm).map_or(1.0, |alpha| alpha.f);
            plan.products.insert(at, Product { activation, matrix, kind: weight.kind, factor, bias });
        }
        plan
    }
}

/// The row that a `Gemm` adds by itself.
fn gemm_bias(node: &Node, fits: impl Fn(&str) -> bool) -> Option<Bias<'_>> {
    let row = node.input.get(2).filter(|row| fits(row))?;
    let once = attribute(node, "beta").is_none_or(|beta| beta.f == 1.0);
    once.then_some(Bias { row, sum: node.output.first()? })
}

/// The row that an `Add` behind a product adds.
fn bias_behind(add: &Node, fits: impl Fn(&str) -> bool) -> Option<Bias<'_>> {
    let row = add.input.iter().find(|row| fits(row))?;
    Some(Bias { row, sum: add.output.first()? })
}

/// The node that takes a value, for values that nothing else takes.
fn only_takers(graph: &Graph) -> HashMap<&str, usize> {
    let mut takers: HashMap<&str, Option<usize>> =
        graph.output.iter().map(|output| (output.name.as_str(), None)).collect();
    for (at, node) in graph.node.iter().enumerate() {
        for name in node.input.iter().map(String::as_str).chain(captured(node)) {
            takers.entry(name).and_modify(|taker| *taker = None).or_insert(Some(at));
        }
    }
    takers.into_iter().filter_map(|(name, taker)| Some((name, taker?))).collect()
}

/// Number of channels that weights take, if they are worth quantising.
fn channels(weight: &Weight<'_>, transposed: bool) -> Option<usize> {
    let [rows, columns] = weight.tensor.dims.as_slice() else { return None };
    let channels = usize::try_from(if transposed { *columns } else { *rows }).ok()?;
    let is_float = matches!(weight.kind, ElementType::F32 | ElementType::F16);
    (is_float && channels >= FEWEST_CHANNELS && rows.min(columns) > &0).then_some(channels)
}
