//! A graph that grows node by node while its weights go from the checkpoint to the disk.
use std::path::Path;

use crate::{
    ConvertError,
    checkpoint::Weights,
    onnx::{
        Attr, ModelWriter, node,
        proto::{
            Dimension, ElementType, Extent, Graph as GraphProto, Model, OperatorSet, Pair, Shape, TensorType,
            Type, ValueInfo,
        },
    },
};

/// Version of ONNX's operators: the first with the error function's GELU as one operator.
const OPERATORS: i64 = 20;
/// Version of the file format that came with it.
const FORMAT: i64 = 9;

/// Builds one network. Values are named by the strings that operations return.
pub(super) struct Graph<'a> {
    writer: ModelWriter,
    weights: &'a Weights,
    progress: &'a dyn Fn(u64),
    proto: GraphProto,
    made: usize,
}

impl<'a> Graph<'a> {
    pub(super) fn new(
        path: &Path,
        name: &str,
        weights: &'a Weights,
        progress: &'a dyn Fn(u64),
    ) -> Result<Self, ConvertError> {
        let proto = GraphProto { name: name.to_owned(), ..GraphProto::default() };
        Ok(Self { writer: ModelWriter::create(path)?, weights, progress, proto, made: 0 })
    }

    /// Declares an input; axes without an extent are free and carry a name.
    pub(super) fn input(&mut self, name: &str, kind: ElementType, axes: &[Axis]) -> String {
        self.proto.input.push(value(name, kind, axes));
        name.to_owned()
    }

    /// Declares the value as the network's output, under a name of its own.
    pub(super) fn output(&mut self, from: &str, name: &str, axes: &[Axis]) {
        self.proto.node.push(node("Identity", "", &[from], name, &[]));
        self.proto.output.push(value(name, ElementType::F32, axes));
    }

    /// An operation with one result.
    pub(super) fn op(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, Attr)]) -> String {
        self.made += 1;
        let output = format!("{operator}_{}", self.made);
        self.proto.node.push(node(operator, "", inputs, &output, attributes));
        output
    }

    /// Cuts a value into equal parts.
    pub(super) fn split<const N: usize>(&mut self, input: &str, axis: i64) -> [String; N] {
        self.made += 1;
        let outputs: [String; N] = std::array::from_fn(|part| format!("Split_{}_{part}", self.made));
        let attributes = [("axis", Attr::Int(axis)), ("num_outputs", Attr::Int(N as i64))];
        let mut split = node("Split", "", &[input], &outputs[0], &attributes);
        split.output = outputs.to_vec();
        self.proto.node.push(split);
        outputs
    }

    /// A constant list of integers, such as a shape.
    pub(super) fn integers(&mut self, values: &[i64]) -> Result<String, ConvertError> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.made += 1;
        let name = format!("constant_{}", self.made);
        let tensor = self.writer.weight(&name, ElementType::I64, &[values.len()], &bytes)?;
        self.proto.initializer.push(tensor);
        Ok(name)
    }

    /// A constant integer without axes.
    pub(super) fn integer(&mut self, value: i64) -> Result<String, ConvertError> {
        self.made += 1;
        let name = format!("constant_{}", self.made);
        let tensor = self.writer.weight(&name, ElementType::I64, &[], &value.to_le_bytes())?;
        self.proto.initializer.push(tensor);
        Ok(name)
    }

    /// A constant number without axes.
    pub(super) fn number(&mut self, value: f32) -> Result<String, ConvertError> {
        self.made += 1;
        let name = format!("constant_{}", self.made);
        self.constant(&name, &[], &[value])
    }

    /// A weight whose values are at hand.
    pub(super) fn constant(
        &mut self,
        name: &str,
        dims: &[usize],
        values: &[f32],
    ) -> Result<String, ConvertError> {
        let tensor = self.writer.floats(name, dims, values)?;
        (self.progress)(size_of_val(values) as u64);
        self.proto.initializer.push(tensor);
        Ok(name.to_owned())
    }

    /// A weight of the checkpoint, as it is there.
    pub(super) fn weight(&mut self, name: &str, dims: &[usize]) -> Result<String, ConvertError> {
        let values = self.read(name, dims)?;
        self.constant(name, dims, &values)
    }

    /// The values of a weight of the checkpoint, to be changed first.
    pub(super) fn read(&self, name: &str, dims: &[usize]) -> Result<Vec<f32>, ConvertError> {
        Ok(self.weights.read(name, dims)?)
    }

    /// Several weights of the checkpoint behind each other, along their first axis.
    pub(super) fn stacked(
        &mut self,
        label: &str,
        names: &[String],
        dims: &[usize],
    ) -> Result<String, ConvertError> {
        let mut values = Vec::with_capacity(names.len() * dims.iter().product::<usize>());
        for name in names {
            values.extend(self.read(name, dims)?);
        }
        let mut all = dims.to_vec();
        all[0] *= names.len();
        self.constant(label, &all, &values)
    }

    /// `x · weightᵀ + bias` for `x` of `[rows, in]` and a weight of `[out, in]`, as `PyTorch` keeps them.
    pub(super) fn linear(&mut self, x: &str, weight: &str, bias: &str) -> String {
        self.op("Gemm", &[x, weight, bias], &[("transB", Attr::Int(1))])
    }

    /// A linear layer of the checkpoint: `prefix.weight` and `prefix.bias`.
    pub(super) fn layer(
        &mut self,
        x: &str,
        prefix: &str,
        out: usize,
        inner: usize,
    ) -> Result<String, ConvertError> {
        let weight = self.weight(&format!("{prefix}.weight"), &[out, inner])?;
        let bias = self.weight(&format!("{prefix}.bias"), &[out])?;
        Ok(self.linear(x, &weight, &bias))
    }

    /// Layer normalisation over the last axis: `prefix.weight` and `prefix.bias`.
    pub(super) fn normalise(
        &mut self,
        x: &str,
        prefix: &str,
        width: usize,
        epsilon: f32,
    ) -> Result<String, ConvertError> {
        let scale = self.weight(&format!("{prefix}.weight"), &[width])?;
        let shift = self.weight(&format!("{prefix}.bias"), &[width])?;
        let attributes = [("axis", Attr::Int(-1)), ("epsilon", Attr::Float(epsilon))];
        Ok(self.op("LayerNormalization", &[x, &scale, &shift], &attributes))
    }

    /// Gives a value another shape; one extent may be −1, and 0 keeps the input's.
    pub(super) fn reshape(&mut self, x: &str, shape: &[i64]) -> Result<String, ConvertError> {
        let shape = self.integers(shape)?;
        Ok(self.op("Reshape", &[x, &shape], &[]))
    }

    /// Swaps axes.
    pub(super) fn transpose(&mut self, x: &str, order: &[i64]) -> String {
        self.op("Transpose", &[x], &[("perm", Attr::Ints(order.to_vec()))])
    }

    /// Takes the entry at `index` of an axis, which goes.
    pub(super) fn pick(&mut self, x: &str, axis: i64, index: i64) -> Result<String, ConvertError> {
        let index = self.integer(index)?;
        Ok(self.op("Gather", &[x, &index], &[("axis", Attr::Int(axis))]))
    }

    /// Attention of several heads between `q` of `[batch, asking, width]` and `k`, `v` of `[batch, asked, width]`, with
    /// an optional `mask` that is added to the scores; gives `[batch · asking, width]`.
    pub(super) fn attention(
        &mut self,
        [q, k, v]: [&str; 3],
        mask: Option<&str>,
        width: usize,
        heads: usize,
    ) -> Result<String, ConvertError> {
        let size = width / heads;
        let by_head = [0, 0, heads as i64, size as i64];
        let q = self.reshape(q, &by_head)?;
        let q = self.transpose(&q, &[0, 2, 1, 3]);
        let k = self.reshape(k, &by_head)?;
        let k = self.transpose(&k, &[0, 2, 3, 1]);
        let v = self.reshape(v, &by_head)?;
        let v = self.transpose(&v, &[0, 2, 1, 3]);
        let scale = self.number((size as f32).sqrt().recip())?;
        let product = self.op("MatMul", &[&q, &k], &[]);
        let mut scores = self.op("Mul", &[&product, &scale], &[]);
        if let Some(mask) = mask {
            scores = self.op("Add", &[&scores, mask], &[]);
        }
        let shares = self.op("Softmax", &[&scores], &[("axis", Attr::Int(-1))]);
        let mixed = self.op("MatMul", &[&shares, &v], &[]);
        let mixed = self.transpose(&mixed, &[0, 2, 1, 3]);
        self.reshape(&mixed, &[-1, width as i64])
    }

    /// Writes the graph with what is known of it.
    pub(super) fn finish(self, properties: &[(&str, String)]) -> Result<(), ConvertError> {
        let pair = |(key, value): &(&str, String)| Pair { key: (*key).to_owned(), value: value.clone() };
        let model = Model {
            ir_version: FORMAT,
            producer_name: "viewfinder".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(self.proto),
            opset_import: vec![OperatorSet { domain: String::new(), version: OPERATORS }],
            metadata_props: properties.iter().map(pair).collect(),
            ..Model::default()
        };
        Ok(self.writer.finish(&model)?)
    }
}

/// Extent of an input's or output's axis.
#[derive(Clone, Copy)]
pub(super) enum Axis {
    Fixed(usize),
    Free(&'static str),
}

fn value(name: &str, kind: ElementType, axes: &[Axis]) -> ValueInfo {
    let dimension = |axis: &Axis| Dimension {
        extent: Some(match axis {
            Axis::Fixed(extent) => Extent::Fixed(*extent as i64),
            Axis::Free(name) => Extent::Named((*name).to_owned()),
        }),
    };
    let shape = Shape { dim: axes.iter().map(dimension).collect() };
    let mut tensor = TensorType { shape: Some(shape), ..TensorType::default() };
    tensor.set_elem_type(kind);
    let r#type = Type { tensor_type: Some(tensor), ..Type::default() };
    ValueInfo { name: name.to_owned(), r#type: Some(r#type), doc_string: String::new() }
}
