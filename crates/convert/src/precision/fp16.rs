//! Half precision.
//!
//! Operators that are safe in half precision are listed; all others stay islands of 32-bit floats, with casts around.
//! Each value exists in the types in which somebody takes it. Inputs and outputs of the model keep their types, and so
//! does whatever the bodies of `If` and `Loop` see.
use std::{collections::HashSet, path::Path};

use half::f16;

use super::{
    Precision, PrecisionError, Report,
    constants::{Constants, attribute, is, is_standard},
    output::{Output, bytes_of, cleanly, dims},
    scope::{bodies, captured},
    types::floats,
};
use crate::onnx::{
    Attr, ModelFile, OnnxError, node,
    proto::{Attribute, AttributeKind, ElementType, Node, Tensor},
};

/// Operators that are computed in half precision, sorted. Squares, means, powers and sums are not among them: they leave the
/// range of half precision, as in a normalisation written out in single steps.
#[rustfmt::skip]
const SAFE: &[&str] = &[
    "Abs", "Add", "ArgMax", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "ConstantOfShape", "Conv",
    "ConvTranspose", "DepthToSpace", "Div", "Dropout", "Einsum", "Elu", "Equal", "Erf", "Expand", "Flatten", "Gather",
    "GatherElements", "GatherND", "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "Greater", "GreaterOrEqual",
    "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LayerNormalization", "LeakyRelu", "Less",
    "LessOrEqual", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg", "PRelu", "Pad", "ReduceMax", "ReduceMin", "Relu",
    "Reshape", "ScatterElements", "ScatterND", "Shape", "Sigmoid", "Size", "Slice", "Softmax", "SpaceToDepth", "Split",
    "Squeeze", "Sub", "Tanh", "Tile", "Transpose", "Trilu", "Unsqueeze", "Where",
];

/// Finite constants beyond the range become this instead of the largest number, 65 504: they are masks that scores are
/// added to, and a row that is masked as a whole must not become infinite.
const MASK: f32 = 30_000.0;

/// A model in half precision: `out`, and `out` plus `.data`. Inputs and outputs keep their types.
///
/// If it fails, neither file is left. Another program may see an unfinished file; callers write to a temporary folder
/// and rename it.
pub fn fp16(input: &ModelFile, out: &Path) -> Result<Report, PrecisionError> {
    cleanly(out, || {
        let graph = input.graph();
        let constants = Constants::of(graph);
        let outside = graph.input.iter().chain(&graph.output).map(|value| value.name.as_str());
        let mut pass = Pass {
            input,
            output: Output::create(input, out)?,
            floats: floats(graph, &constants),
            fixed: outside.chain(graph.node.iter().flat_map(captured)).map(str::to_owned).collect(),
            constants,
            made: HashSet::new(),
            nodes: Vec::new(),
            report: Report::default(),
        };
        pass.report.bytes_before = bytes_of(input, &pass.constants)?;
        for value in &graph.input {
            if pass.constants.get(&value.name).is_none() {
                pass.made.insert((value.name.clone(), Form::Single));
            }
        }
        for node in &graph.node {
            pass.node(node)?;
        }
        for output in &graph.output {
            pass.take_any(&output.name, Form::Single)?;
        }
        pass.finish()
    })
}

/// In which type a value exists.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Single,
    Half,
}

impl Form {
    fn kind(self) -> ElementType {
        match self {
            Self::Single => ElementType::F32,
            Self::Half => ElementType::F16,
        }
    }
}

struct Pass<'a> {
    input: &'a ModelFile,
    constants: Constants<'a>,
    output: Output<'a>,
    /// Values that the input has in 32-bit floats.
    floats: HashSet<String>,
    /// Values whose name must keep meaning what it meant.
    fixed: HashSet<String>,
    /// Floats that exist in the output, by their name in the input.
    made: HashSet<(String, Form)>,
    nodes: Vec<Node>,
    report: Report,
}

impl Pass<'_> {
    /// What a value is called in one of its types.
    fn name(&self, value: &str, form: Form) -> String {
        match (form, self.fixed.contains(value)) {
            (Form::Half, true) => format!("{value}/half"),
            (Form::Single, false) => format!("{value}/single"),
            _ => value.to_owned(),
        }
    }

    /// Makes sure that a value exists in the type wanted; returns its name.
    fn take(&mut self, value: &str, form: Form) -> Result<String, PrecisionError> {
        let name = self.name(value, form);
        if !self.made.insert((value.to_owned(), form)) {
            return Ok(name);
        }
        if let Some(tensor) = self.constants.get(value) {
            match form {
                Form::Single => self.output.copy_tensor(&Tensor { name: name.clone(), ..tensor.clone() })?,
                Form::Half => {
                    let single = self.input.bytes(tensor)?;
                    let numbers = single.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number));
                    let bytes: Vec<u8> =
                        numbers.flat_map(|number| self.report.half(number).to_le_bytes()).collect();
                    self.output.constant(&name, ElementType::F16, &dims(tensor), &bytes)?;
                }
            }
            return Ok(name);
        }
        let other = if form == Form::Half { Form::Single } else { Form::Half };
        if !self.made.contains(&(value.to_owned(), other)) {
            return Err(OnnxError::Tensor {
                tensor: value.to_owned(),
                reason: "it is used before it is computed".into(),
            }
            .into());
        }
        let from = self.name(value, other);
        let mut cast = node("Cast", "", &[&from], &name, &[("to", Attr::Int(form.kind() as i64))]);
        // The node that makes the other form may have the value's name.
        cast.name = format!("{value}/cast/{}", if form == Form::Half { "half" } else { "single" });
        self.nodes.push(cast);
        Ok(name)
    }

    fn node(&mut self, original: &Node) -> Result<(), PrecisionError> {
        if let [output] = original.output.as_slice()
            && is(original, "Constant")
            && self.constants.get(output).is_some()
        {
            return Ok(());
        }
        for name in captured(original) {
            self.take_any(name, Form::Single)?;
        }
        let form = self.form(original)?;
        if ["MatMul", "Gemm", "Conv"].iter().any(|kind| is(original, kind))
            && original.input.get(1).is_some_and(|weight| self.constants.weight(weight).is_some())
        {
            match form {
                Form::Half => self.report.converted += 1,
                Form::Single => self.report.kept += 1,
            }
        }
        let mut node = original.clone();
        for input in node.input.iter_mut().filter(|input| !input.is_empty()) {
            *input = self.take_any(input, form)?;
        }
        for output in &mut node.output {
            if self.floats.contains(output) {
                self.made.insert((output.clone(), form));
                *output = self.name(output, form);
            }
        }
        if form == Form::Half && original.output.iter().any(|output| self.floats.contains(output)) {
            self.attributes(&mut node)?;
        }
        self.nodes.push(node);
        Ok(())
    }

    /// [`Pass::take`] for values of any type; those that are no 32-bit floats stay what they are.
    fn take_any(&mut self, value: &str, form: Form) -> Result<String, PrecisionError> {
        if self.floats.contains(value) {
            return self.take(value, form);
        }
        if let Some(tensor) = self.constants.get(value)
            && self.made.insert((value.to_owned(), Form::Single))
        {
            self.output.copy_tensor(tensor)?;
        }
        Ok(value.to_owned())
    }

    /// The type that a node is computed in.
    fn form(&self, node: &Node) -> Result<Form, PrecisionError> {
        let is_float = |name: Option<&String>| name.is_some_and(|name| self.floats.contains(name));
        let made_by = |index: usize, operator: &str| {
            let maker = node.input.get(index).and_then(|input| self.constants.maker(input));
            maker.is_some_and(|maker| is(maker, operator))
        };
        let single = match node.op_type.as_str() {
            _ if !is_standard(node) || bodies(node).next().is_some() => true,
            // They do not look at the values; whichever exists will do.
            "Shape" | "Size" => {
                node.input.first().is_some_and(|input| !self.made.contains(&(input.clone(), Form::Half)))
            }
            // Integers beyond 2048 do not survive.
            "Cast" => is_float(node.input.first()) != is_float(node.output.first()),
            // The rest of a normalisation written out in single steps.
            "Sub" if made_by(1, "ReduceMean") => true,
            "Div" if made_by(1, "Sqrt") => true,
            // Old exports have their attention like this. ONNX Runtime 1.32 crashes when it takes a transposition of
            // the first axis into a product and a cast stands between, its own casts for processors included.
            "Transpose" if moves_first_axis(node) => true,
            "MatMul" if node.input.iter().any(|input| self.is_turned(input)) => true,
            operator => SAFE.binary_search(&operator).is_err() || self.takes_tiny_number(node)?,
        };
        Ok(if single { Form::Single } else { Form::Half })
    }

    /// Is a value transposed with its first axis elsewhere, but for a factor and its type?
    fn is_turned(&self, value: &str) -> bool {
        let Some(maker) = self.constants.maker(value) else { return false };
        match maker.op_type.as_str() {
            "Transpose" => moves_first_axis(maker),
            "Mul" | "Div" | "Cast" => maker.input.iter().any(|input| self.is_turned(input)),
            _ => false,
        }
    }

    /// Is a constant of the node, such as the epsilon that keeps a divisor from zero, too small for half precision?
    fn takes_tiny_number(&self, node: &Node) -> Result<bool, PrecisionError> {
        for input in node.input.iter().filter(|input| self.floats.contains(*input)) {
            if let Some(tensor) = self.constants.get(input)
                && tensor.dims.iter().product::<i64>() == 1
            {
                let number = self.input.floats(tensor)?[0];
                if number != 0.0 && number.abs() < f16::MIN_POSITIVE.to_f32() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Types that stand in a node.
    fn attributes(&mut self, node: &mut Node) -> Result<(), PrecisionError> {
        if is(node, "Cast") {
            for to in node.attribute.iter_mut().filter(|attribute| attribute.name == "to") {
                to.i = ElementType::F16 as i64;
            }
        }
        if is(node, "ConstantOfShape") {
            let number = match node.attribute.first().and_then(|value| value.t.as_ref()) {
                Some(tensor) => self.input.floats(tensor)?.first().copied().unwrap_or(0.0),
                None => 0.0,
            };
            let mut tensor = Tensor { dims: vec![1], ..Tensor::default() };
            tensor.raw_data = self.report.half(number).to_le_bytes().to_vec().into();
            tensor.set_data_type(ElementType::F16);
            let mut value = Attribute { name: "value".into(), t: Some(tensor), ..Attribute::default() };
            value.set_kind(AttributeKind::Tensor);
            node.attribute = vec![value];
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Report, PrecisionError> {
        // Types between nodes are left for the reader to find.
        self.report.bytes_after = self.output.finish(self.nodes, Vec::new(), Precision::Fp16)?;
        Ok(self.report)
    }
}

/// Does a transposition of three or more axes move the first?
fn moves_first_axis(transpose: &Node) -> bool {
    attribute(transpose, "perm").is_some_and(|perm| perm.ints.len() > 2 && perm.ints.first() != Some(&0))
}

impl Report {
    /// A number in half precision.
    fn half(&mut self, number: f32) -> f16 {
        if number.is_finite() && number.abs() > f16::MAX.to_f32() {
            self.clamped += 1;
            return f16::from_f32(MASK.copysign(number));
        }
        let half = f16::from_f32(number);
        if number != 0.0 && half == f16::ZERO {
            self.vanished += 1;
        }
        half
    }
}
