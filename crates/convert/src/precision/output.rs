//! The model that a pass writes.
use std::{
    collections::HashSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::{PRECISION_KEY, Precision, PrecisionError, constants::Constants, scope::captured};
use crate::onnx::{
    ModelFile, ModelWriter, OnnxError,
    proto::{ElementType, Graph, Model, Node, Pair, Tensor, ValueInfo},
};

/// A model being written: its weights so far.
pub(super) struct Output<'a> {
    input: &'a ModelFile,
    writer: ModelWriter,
    tensors: Vec<Tensor>,
    bytes: u64,
}

impl<'a> Output<'a> {
    pub(super) fn create(input: &'a ModelFile, path: &Path) -> Result<Self, PrecisionError> {
        Ok(Self { input, writer: ModelWriter::create(path)?, tensors: Vec::new(), bytes: 0 })
    }

    /// Adds a constant.
    pub(super) fn constant(
        &mut self,
        name: &str,
        kind: ElementType,
        dims: &[usize],
        bytes: &[u8],
    ) -> Result<(), PrecisionError> {
        self.bytes += bytes.len() as u64;
        self.tensors.push(self.writer.weight(name, kind, dims, bytes)?);
        Ok(())
    }

    /// Adds a constant of the input as it is.
    pub(super) fn copy_tensor(&mut self, tensor: &Tensor) -> Result<(), PrecisionError> {
        let carried = self.copied(tensor)?;
        self.tensors.push(carried);
        Ok(())
    }

    fn copied(&mut self, tensor: &Tensor) -> Result<Tensor, PrecisionError> {
        if is_opaque(tensor) {
            return Ok(tensor.clone());
        }
        let bytes = self.input.bytes(tensor)?;
        self.bytes += bytes.len() as u64;
        Ok(self.writer.weight(&tensor.name, tensor.data_type(), &dims(tensor), &bytes)?)
    }

    /// Brings what bodies keep in the input's other files over to the output's.
    fn bodies(&mut self, nodes: &mut [Node]) -> Result<(), PrecisionError> {
        for attribute in nodes.iter_mut().flat_map(|node| &mut node.attribute) {
            for body in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                for tensor in body.initializer.iter_mut().filter(|tensor| tensor.data_location == 1) {
                    *tensor = self.copied(tensor)?;
                }
                self.bodies(&mut body.node)?;
            }
            for tensor in attribute.t.iter_mut().filter(|tensor| tensor.data_location == 1) {
                tensor.raw_data = self.input.bytes(tensor)?;
                tensor.external_data.clear();
                tensor.data_location = 0;
            }
        }
        Ok(())
    }

    /// Writes the graph and says how many bytes all constants have.
    pub(super) fn finish(
        mut self,
        mut nodes: Vec<Node>,
        value_info: Vec<ValueInfo>,
        precision: Precision,
    ) -> Result<u64, PrecisionError> {
        self.bodies(&mut nodes)?;
        let mut model = shell(&self.input.model);
        if let Some(graph) = &mut model.graph {
            // Listed inputs that are constants could be replaced from outside; ONNX Runtime then optimises less.
            let own: HashSet<&str> = self.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
            let given: HashSet<&str> =
                self.input.graph().initializer.iter().map(|tensor| tensor.name.as_str()).collect();
            graph
                .input
                .retain(|input| !own.contains(input.name.as_str()) && !given.contains(input.name.as_str()));
            graph.node = nodes;
            graph.initializer = self.tensors;
            graph.value_info = value_info;
        }
        // The first version in which constants need not be inputs.
        model.ir_version = model.ir_version.max(4);
        model.metadata_props.retain(|pair| pair.key != PRECISION_KEY);
        model.metadata_props.push(Pair { key: PRECISION_KEY.into(), value: precision.to_string() });
        self.writer.finish(&model)?;
        Ok(self.bytes)
    }
}

/// The model without what a pass writes anew.
fn shell(model: &Model) -> Model {
    let graph = model.graph.as_ref().map(|graph| Graph {
        name: graph.name.clone(),
        doc_string: graph.doc_string.clone(),
        input: graph.input.clone(),
        output: graph.output.clone(),
        quantization_annotation: graph.quantization_annotation.clone(),
        sparse_initializer: graph.sparse_initializer.clone(),
        metadata_props: graph.metadata_props.clone(),
        ..Graph::default()
    });
    Model {
        ir_version: model.ir_version,
        producer_name: model.producer_name.clone(),
        producer_version: model.producer_version.clone(),
        domain: model.domain.clone(),
        model_version: model.model_version,
        doc_string: model.doc_string.clone(),
        graph,
        opset_import: model.opset_import.clone(),
        metadata_props: model.metadata_props.clone(),
        training_info: model.training_info.clone(),
        functions: model.functions.clone(),
    }
}

/// Runs a pass; if it fails, nothing of it is left.
pub(super) fn cleanly<T>(
    out: &Path,
    pass: impl FnOnce() -> Result<T, PrecisionError>,
) -> Result<T, PrecisionError> {
    pass().inspect_err(|_| {
        let mut data = OsString::from(out);
        data.push(".data");
        for file in [out.to_owned(), PathBuf::from(data)] {
            // It need not exist, and the first error is the one that matters.
            drop(fs::remove_file(file));
        }
    })
}

/// Texts in the graph, and types newer than this program: they stay as they are.
fn is_opaque(tensor: &Tensor) -> bool {
    tensor.data_location != 1
        && matches!(
            ElementType::try_from(tensor.data_type),
            Err(_) | Ok(ElementType::Undefined | ElementType::String)
        )
}

/// A tensor's extents.
pub(super) fn dims(tensor: &Tensor) -> Vec<usize> {
    tensor.dims.iter().map(|&extent| extent as usize).collect()
}

/// Bytes of all constants of the input.
pub(super) fn bytes_of(input: &ModelFile, constants: &Constants<'_>) -> Result<u64, OnnxError> {
    constants.all().try_fold(0, |sum, tensor| {
        let external =
            tensor.external_data.iter().find(|pair| pair.key == "length" && tensor.data_location == 1);
        // Weights beside the graph are large; their length is known without reading them.
        Ok(sum
            + match external.and_then(|pair| pair.value.parse().ok()) {
                Some(length) => length,
                None if is_opaque(tensor) => tensor.raw_data.len() as u64,
                None => input.bytes(tensor)?.len() as u64,
            })
    })
}

/// Names that something still uses: nodes, their bodies, and the graph's outputs.
pub(super) fn used<'n>(nodes: &'n [Node], outputs: &'n [ValueInfo]) -> HashSet<&'n str> {
    let mut used: HashSet<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
    for node in nodes {
        used.extend(node.input.iter().map(String::as_str));
        used.extend(captured(node));
    }
    used
}
