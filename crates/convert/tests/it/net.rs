//! Small networks, written and run.
use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use half::f16;
use viewfinder_convert::onnx::{
    Attr, node,
    proto::{
        Attribute, AttributeKind, ElementType, Graph, Model, Node, OperatorSet, Tensor, TensorType, Type,
        ValueInfo,
    },
};
use viewfinder_engine::runtime::{Calls, Cores, Device, Library, Runtime, RuntimeConfig, Session};
use viewfinder_test_support::ort_library;
use viewfinder_vision::{Network as _, Tensor as Input};

/// A network being written.
#[derive(Clone, Default)]
pub(crate) struct Net {
    pub(crate) graph: Graph,
}

impl Net {
    /// With one input `x` of floats.
    pub(crate) fn new() -> Self {
        Self::default().input("x", ElementType::F32)
    }

    pub(crate) fn input(mut self, name: &str, kind: ElementType) -> Self {
        self.graph.input.push(value(name, kind));
        self
    }

    pub(crate) fn output(mut self, name: &str) -> Self {
        self.graph.output.push(value(name, ElementType::F32));
        self
    }

    pub(crate) fn weight(mut self, name: &str, dims: &[i64], values: &[f32]) -> Self {
        self.graph.initializer.push(tensor(name, dims, values));
        self
    }

    pub(crate) fn op(self, operator: &str, inputs: &[&str], output: &str) -> Self {
        self.with(operator, inputs, output, &[])
    }

    pub(crate) fn with(self, operator: &str, inputs: &[&str], output: &str, with: &[(&str, Attr)]) -> Self {
        self.node(node(operator, "", inputs, output, with))
    }

    pub(crate) fn node(mut self, node: Node) -> Self {
        self.graph.node.push(node);
        self
    }

    /// A `Constant` node.
    pub(crate) fn literal(self, tensor: Tensor) -> Self {
        let mut constant = node("Constant", "", &[], &tensor.name, &[]);
        let mut value = Attribute { name: "value".into(), t: Some(tensor), ..Attribute::default() };
        value.set_kind(AttributeKind::Tensor);
        constant.attribute.push(value);
        self.node(constant)
    }

    pub(crate) fn save(self, path: &Path, opset: i64) {
        let model = Model {
            ir_version: 8,
            graph: Some(Graph { name: "net".into(), ..self.graph }),
            opset_import: vec![OperatorSet { domain: String::new(), version: opset }],
            ..Model::default()
        };
        std::fs::write(path, prost::Message::encode_to_vec(&model)).unwrap();
    }
}

fn value(name: &str, kind: ElementType) -> ValueInfo {
    let mut tensor_type = TensorType::default();
    tensor_type.set_elem_type(kind);
    let r#type = Type { tensor_type: Some(tensor_type), ..Type::default() };
    ValueInfo { name: name.into(), r#type: Some(r#type), ..ValueInfo::default() }
}

/// A tensor of floats.
pub(crate) fn tensor(name: &str, dims: &[i64], values: &[f32]) -> Tensor {
    assert_eq!(dims.iter().product::<i64>(), values.len() as i64);
    let mut tensor =
        Tensor { name: name.into(), dims: dims.into(), float_data: values.into(), ..Tensor::default() };
    tensor.set_data_type(ElementType::F32);
    tensor
}

/// A tensor of half floats.
pub(crate) fn half(name: &str, dims: &[i64], values: &[f32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect();
    let mut tensor =
        Tensor { name: name.into(), dims: dims.into(), raw_data: bytes.into(), ..Tensor::default() };
    tensor.set_data_type(ElementType::F16);
    tensor
}

/// A tensor of integers.
pub(crate) fn integers(name: &str, dims: &[i64], values: &[i64]) -> Tensor {
    let mut tensor =
        Tensor { name: name.into(), dims: dims.into(), int64_data: values.into(), ..Tensor::default() };
    tensor.set_data_type(ElementType::I64);
    tensor
}

/// Runs a model; all its outputs.
pub(crate) fn run(file: &Path, inputs: &[Input]) -> Vec<Vec<f32>> {
    outputs(&runtime().open(file, Calls::Many).unwrap(), inputs)
}

/// Runs a model as it is rewritten for a processor; all its outputs.
pub(crate) fn run_rewritten(file: &Path, inputs: &[Input]) -> Vec<Vec<f32>> {
    let graph = viewfinder_convert::tune(file).unwrap().unwrap();
    outputs(&runtime().open_rewritten(file, &graph, Calls::Many).unwrap(), inputs)
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let library = Library::load(&ort_library()).unwrap();
        let config = RuntimeConfig { device: Device::Cpu, device_id: 0, cpu_fallback: false, threads: 1 };
        Runtime::new(library, config, Arc::new(Cores::new(2))).unwrap()
    })
}

fn outputs(session: &Session, inputs: &[Input]) -> Vec<Vec<f32>> {
    let mut out = Vec::new();
    session
        .run(inputs.to_vec(), &mut |views| out = views.iter().map(|view| view.data.to_vec()).collect())
        .unwrap();
    out
}

/// Normally distributed numbers, always the same for a seed.
pub(crate) fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 24) as f32
    };
    (0..count).map(|_| (0..6).map(|_| uniform()).sum::<f32>() * 1.414 - 4.242).collect()
}

/// Cosine of the angle between two vectors of one length.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// A model in a folder of its own.
pub(crate) fn path(folder: &Path, name: &str) -> PathBuf {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder.join("model.onnx")
}
