//! Which products of a graph become integers.
use std::collections::{BTreeSet, HashMap};

use super::constants::{Constants, Weight, attribute, integer, is};
use crate::onnx::proto::{ElementType, Graph};

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
}

/// All products of a graph.
#[derive(Default)]
pub(super) struct Plan<'a> {
    /// By the place of their node.
    pub(super) products: HashMap<usize, Product<'a>>,
    /// All weights that an activation is multiplied with.
    pub(super) takers: HashMap<Activation<'a>, BTreeSet<Matrix>>,
    /// How many products with constant weights are left as they are.
    pub(super) kept: usize,
}

impl<'a> Plan<'a> {
    pub(super) fn of(graph: &'a Graph, constants: &Constants<'_>) -> Self {
        let mut plan = Self::default();
        for (at, node) in graph.node.iter().enumerate() {
            let gemm = is(node, "Gemm");
            let [name, weight, ..] = node.input.as_slice() else { continue };
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
            let factor = attribute(node, "alpha").filter(|_| gemm).map_or(1.0, |alpha| alpha.f);
            plan.products.insert(at, Product { activation, matrix, kind: weight.kind, factor });
        }
        plan
    }
}

/// Number of channels that weights take, if they are worth quantising.
fn channels(weight: &Weight<'_>, transposed: bool) -> Option<usize> {
    let [rows, columns] = weight.tensor.dims.as_slice() else { return None };
    let channels = usize::try_from(if transposed { *columns } else { *rows }).ok()?;
    let is_float = matches!(weight.kind, ElementType::F32 | ElementType::F16);
    (is_float && channels >= FEWEST_CHANNELS && rows.min(columns) > &0).then_some(channels)
}
