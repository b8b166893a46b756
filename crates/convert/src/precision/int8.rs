//! Matrix products in 8-bit integers.
//!
//! Only products with constant weights change: embedding tables, normalisations, biases, convolutions and products of
//! two activations (attention) stay as they are. A patch embedding is one percent of an encoder's work, and integer
//! convolutions are slower than float ones.
//!
//! Weights have a scale for each output channel. Activations are quantised when the network runs, with one scale for
//! the whole tensor, except for their few largest channels: those of transformers are 30 to 100 times larger than the
//! rest, and one scale for all would leave the others no digits. They go through a small float product beside the
//! integer one, chosen anew for each input, by the sum of their fourth powers: ONNX Runtime sums seven times as fast as it
//! finds a maximum, and a single large value still stands out. This costs a quarter of the integer product's time. And each
//! channel's activations and weights are balanced, which costs nothing. Measured on `MiniLM`, cosine to the original: 0.9944
//! without either, 0.9993 with large channels apart, 0.9996 with both; a scale for each block of 32 channels
//! (`MatMulNBits`) gives 0.9997, at twice the time.
//!
//! All operators are ONNX's own; ONNX Runtime fuses them into its integer kernels when it loads the file.
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::Path,
};

use super::{
    Precision, PrecisionError, Report,
    constants::{Constants, attribute, is},
    output::{Output, bytes_of, cleanly, dims, used},
    plan::{Activation, Matrix, Plan, Product},
    quantise::{Weights, balance},
};
use crate::onnx::{
    Attr, ModelFile, OnnxError, node,
    proto::{ElementType, Node},
};

/// The first operator set with all operators used here.
const OLDEST: i64 = 11;

/// From this operator set on, `ReduceSum` takes its axes as an input.
const AXES_ARE_INPUT: i64 = 13;

/// Constants that all activations share.
const COUNT: &str = "viewfinder/int8/count";
const ZEROS: &str = "viewfinder/int8/zeros";
const FIRST: &str = "viewfinder/int8/first";

/// So many channels of an activation are left out of the integers. Four would do for `MiniLM`.
const LARGE_CHANNELS: usize = 8;

/// Writes the model with its products in 8-bit integers to `out`, and `out` plus `.data`.
///
/// If it fails, neither file is left. Another program may see an unfinished file; callers write to a temporary folder
/// and rename it.
pub fn int8(input: &ModelFile, out: &Path) -> Result<Report, PrecisionError> {
    cleanly(out, || {
        let found = input
            .model
            .opset_import
            .iter()
            .find(|set| set.domain.is_empty() || set.domain == "ai.onnx")
            .map_or(1, |set| set.version);
        if found < OLDEST {
            return Err(PrecisionError::OldOperators { found, needed: OLDEST });
        }
        let constants = Constants::of(input.graph());
        let mut plan = Plan::of(input.graph(), &constants);
        let mut pass = Pass {
            report: Report {
                converted: plan.products.len(),
                kept: plan.kept,
                bytes_before: bytes_of(input, &constants)?,
                ..Report::default()
            },
            input,
            constants,
            output: Output::create(input, out)?,
            axes_are_input: found >= AXES_ARE_INPUT,
            nodes: Vec::new(),
            activations: HashSet::new(),
            balances: HashMap::new(),
            weights: HashMap::new(),
            columns: HashSet::new(),
        };
        if !plan.products.is_empty() {
            pass.shared_constants()?;
        }
        for (at, node) in input.graph().node.iter().enumerate() {
            match plan.products.remove(&at) {
                Some(product) => pass.product(node, &product, &plan.takers[&product.activation])?,
                None if plan.absorbed.contains(&at) => {}
                None => pass.nodes.push(node.clone()),
            }
        }
        pass.finish()
    })
}

struct Pass<'a> {
    input: &'a ModelFile,
    constants: Constants<'a>,
    output: Output<'a>,
    axes_are_input: bool,
    nodes: Vec<Node>,
    /// Prefixes of activations whose parts exist.
    activations: HashSet<String>,
    /// Balances, with their names, by the weights they are made for.
    balances: HashMap<BTreeSet<Matrix>, (String, Vec<f32>)>,
    /// Prefixes of weights and their output channels, by themselves, the name of their balance and the bits of their factor.
    weights: HashMap<(Matrix, String, u32), (String, usize)>,
    /// Numbers of columns for which there is a shape.
    columns: HashSet<usize>,
    report: Report,
}

impl Pass<'_> {
    /// Writes the product and whatever `Gemm` adds to it.
    fn product(
        &mut self,
        original: &Node,
        product: &Product<'_>,
        takers: &BTreeSet<Matrix>,
    ) -> Result<(), PrecisionError> {
        let kind = product.kind;
        let balance = self.balance(takers, product.activation.channels)?;
        let (weight, outputs) = self.weight(product, takers, &balance)?;
        let x = self.activation(&product.activation, kind, &balance)?;
        let columns = self.flat(outputs)?;
        let [output] = original.output.as_slice() else { return Ok(()) };
        let name = |part: &str| format!("{output}/int8/{part}");
        let sum = product.bias.map_or(output.as_str(), |bias| bias.sum);
        let mut last = name("sum");
        let mut add = |operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attr)]| {
            self.nodes.push(node(operator, "", inputs, output, attributes));
        };
        let f32 = ("to", Attr::Int(ElementType::F32 as i64));
        let (values, scales) = (format!("{weight}/values"), format!("{weight}/scales"));
        // The integer product. In this very form ONNX Runtime recognises it.
        let zero = format!("{x}/zero");
        add("MatMulInteger", &[&format!("{x}/values"), &values, &zero], &name("integers"), &[]);
        add("Cast", &[&name("integers")], &name("floats"), std::slice::from_ref(&f32));
        add("Mul", &[&format!("{x}/scale"), &scales], &name("scale"), &[]);
        add("Mul", &[&name("floats"), &name("scale")], &name("most"), &[]);
        let mut most = name("most");
        if let Some(bias) = product.bias {
            // Right here, it costs nothing.
            add("Add", &[&most, bias.row], &name("biased"), &[]);
            most = name("biased");
        }
        // The large channels.
        let large = format!("{x}/large");
        add("Gather", &[&values, &large], &name("rows"), &[("axis", Attr::Int(0))]);
        add("Cast", &[&name("rows")], &name("float_rows"), &[f32]);
        add("Mul", &[&name("float_rows"), &scales], &name("large_weights"), &[]);
        add("Reshape", &[&most, &columns], &name("flat"), &[]);
        let inputs = [&format!("{x}/large_channels"), &name("large_weights"), &name("flat")];
        add("Gemm", &inputs.map(String::as_str), &name("all_channels"), &[]);
        add("Shape", &[&most], &name("shape"), &[]);
        add("Reshape", &[&name("all_channels"), &name("shape")], &last, &[]);
        if kind == ElementType::F16 {
            let to = [("to", Attr::Int(ElementType::F16 as i64))];
            add("Cast", &[&last], &name("half"), &to);
            last = name("half");
        }
        let addend = original.input.get(2).filter(|addend| !addend.is_empty() && product.bias.is_none());
        if let Some(addend) = addend {
            let beta = attribute(original, "beta").map_or(1.0, |beta| beta.f);
            let mut addend = addend.clone();
            if beta != 1.0 {
                let bytes = match kind {
                    ElementType::F16 => half::f16::from_f32(beta).to_le_bytes().to_vec(),
                    _ => beta.to_le_bytes().to_vec(),
                };
                self.output.constant(&name("beta"), kind, &[], &bytes)?;
                add("Mul", &[&addend, &name("beta")], &name("addend"), &[]);
                addend = name("addend");
            }
            add("Add", &[&last, &addend], &name("all"), &[]);
        }
        // The last one takes the product's place.
        if let Some(node) = self.nodes.last_mut() {
            node.output = vec![sum.to_owned()];
            node.name.clone_from(&original.name);
        }
        Ok(())
    }

    /// Quantises an activation, once for all products that take it; returns the prefix of its parts.
    fn activation(
        &mut self,
        activation: &Activation<'_>,
        kind: ElementType,
        balance: &str,
    ) -> Result<String, PrecisionError> {
        let Activation { name: x, channels } = *activation;
        let prefix = format!("{x}/int8/{channels}");
        if !self.activations.insert(prefix.clone()) {
            return Ok(prefix);
        }
        let columns = self.flat(channels)?;
        let name = |part: &str| format!("{prefix}/{part}");
        let mut add = |operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[(&str, Attr)]| {
            let outputs: Vec<_> = outputs.iter().map(|part| name(part)).collect();
            let mut node = node(operator, "", inputs, &outputs[0], attributes);
            node.output = outputs;
            self.nodes.push(node);
        };
        let mut x = x.to_owned();
        if kind == ElementType::F16 {
            add("Cast", &[&x], &["float"], &[("to", Attr::Int(ElementType::F32 as i64))]);
            x = name("float");
        }
        // The largest channels.
        add("Reshape", &[&x, &columns], &["rows"], &[]);
        add("Mul", &[&name("rows"), &name("rows")], &["squares"], &[]);
        add("Mul", &[&name("squares"), &name("squares")], &["powers"], &[]);
        let whole = ("keepdims", Attr::Int(0));
        if self.axes_are_input {
            add("ReduceSum", &[&name("powers"), FIRST], &["sizes"], &[whole]);
        } else {
            add("ReduceSum", &[&name("powers")], &["sizes"], &[("axes", Attr::Ints(vec![0])), whole]);
        }
        add("Mul", &[&name("sizes"), &fourth_power(balance)], &["balanced_sizes"], &[]);
        let inputs = [name("balanced_sizes"), COUNT.to_owned()];
        let inputs = inputs.each_ref().map(String::as_str);
        add("TopK", &inputs, &["large_sizes", "large"], &[("sorted", Attr::Int(0))]);
        add("Gather", &[&name("rows"), &name("large")], &["picked"], &[("axis", Attr::Int(1))]);
        add("Gather", &[balance, &name("large")], &["picked_balance"], &[("axis", Attr::Int(0))]);
        add("Mul", &[&name("picked"), &name("picked_balance")], &["large_channels"], &[]);
        // The others.
        add("ScatterElements", &[balance, &name("large"), ZEROS], &["mask"], &[("axis", Attr::Int(0))]);
        add("Mul", &[&x, &name("mask")], &["rest"], &[]);
        add("DynamicQuantizeLinear", &[&name("rest")], &["values", "scale", "zero"], &[]);
        Ok(prefix)
    }

    /// Writes the constants that all activations share.
    fn shared_constants(&mut self) -> Result<(), PrecisionError> {
        let mut add = |name: &str, kind: ElementType, count: usize, bytes: &[u8]| {
            self.output.constant(name, kind, &[count], bytes)
        };
        add(COUNT, ElementType::I64, 1, &(LARGE_CHANNELS as i64).to_le_bytes())?;
        add(ZEROS, ElementType::F32, LARGE_CHANNELS, &[0; LARGE_CHANNELS * 4])?;
        if self.axes_are_input {
            add(FIRST, ElementType::I64, 1, &0_i64.to_le_bytes())?;
        }
        Ok(())
    }

    /// The name of a shape with all axes but the last in one.
    fn flat(&mut self, columns: usize) -> Result<String, PrecisionError> {
        let name = format!("viewfinder/int8/rows_of/{columns}");
        if self.columns.insert(columns) {
            let shape = [(-1_i64).to_le_bytes(), (columns as i64).to_le_bytes()].concat();
            self.output.constant(&name, ElementType::I64, &[2], &shape)?;
        }
        Ok(name)
    }

    /// Balances an activation with all weights that take it; returns the balance's name.
    fn balance(&mut self, takers: &BTreeSet<Matrix>, channels: usize) -> Result<String, PrecisionError> {
        if let Some((name, _)) = self.balances.get(takers) {
            return Ok(name.clone());
        }
        let mut energies = vec![0.0; channels];
        for matrix in takers {
            self.with_weights(matrix, |weights| weights.add_energies(&mut energies))?;
        }
        let values = balance(&energies);
        let name = format!("viewfinder/int8/balance/{}", self.balances.len());
        self.output.constant(&name, ElementType::F32, &[channels], &little_endian(&values))?;
        let powers: Vec<f32> = values.iter().map(|value| value.powi(4)).collect();
        self.output.constant(&fourth_power(&name), ElementType::F32, &[channels], &little_endian(&powers))?;
        self.balances.insert(takers.clone(), (name.clone(), values));
        Ok(name)
    }

    /// Quantises weights, once for all products that take them alike; returns the prefix of their parts, and the number of
    /// output channels.
    fn weight(
        &mut self,
        product: &Product<'_>,
        takers: &BTreeSet<Matrix>,
        balance: &str,
    ) -> Result<(String, usize), PrecisionError> {
        let key = (product.matrix.clone(), balance.to_owned(), product.factor.to_bits());
        if let Some(prefix) = self.weights.get(&key) {
            return Ok(prefix.clone());
        }
        let balance = &self.balances[takers].1;
        let (mut quantised, outputs) =
            self.with_weights(&product.matrix, |weights| (weights.quantise(balance), weights.outputs))?;
        for scale in &mut quantised.scales {
            *scale *= product.factor;
        }
        let prefix = format!("{}/int8/{}", product.matrix.tensor, self.weights.len());
        let bytes: Vec<u8> = quantised.values.iter().map(|&value| value as u8).collect();
        let shape = [product.activation.channels, outputs];
        self.output.constant(&format!("{prefix}/values"), ElementType::I8, &shape, &bytes)?;
        let bytes = little_endian(&quantised.scales);
        self.output.constant(&format!("{prefix}/scales"), ElementType::F32, &[outputs], &bytes)?;
        self.weights.insert(key, (prefix.clone(), outputs));
        Ok((prefix, outputs))
    }

    /// Reads weights for as long as `work` needs them.
    fn with_weights<T>(
        &self,
        matrix: &Matrix,
        work: impl FnOnce(Weights<'_>) -> T,
    ) -> Result<T, PrecisionError> {
        let bad = |reason: &str| OnnxError::Tensor { tensor: matrix.tensor.clone(), reason: reason.into() };
        let tensor = self.constants.get(&matrix.tensor).ok_or_else(|| bad("it is missing"))?;
        let values = self.input.floats(tensor)?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(bad("it holds values that are not finite").into());
        }
        let extents = dims(tensor);
        let (inputs, outputs) =
            if matrix.transposed { (extents[1], extents[0]) } else { (extents[0], extents[1]) };
        Ok(work(Weights { values: &values, inputs, outputs, transposed: matrix.transposed }))
    }

    fn finish(mut self) -> Result<Report, PrecisionError> {
        let graph = self.input.graph();
        // What stood between weights and products has no use any more.
        let mut needed = used(&[], &graph.output);
        let mut keep = vec![true; self.nodes.len()];
        for (node, keep) in self.nodes.iter().zip(&mut keep).rev() {
            let passes = ["Constant", "Identity", "Cast", "Transpose"].iter().any(|kind| is(node, kind));
            *keep = !passes || node.output.iter().any(|output| needed.contains(output.as_str()));
            if *keep {
                needed.extend(used(std::slice::from_ref(node), &[]));
            }
        }
        let literals =
            graph.node.iter().filter(|node| is(node, "Constant")).filter_map(|node| node.output.first());
        let names = graph.initializer.iter().map(|tensor| &tensor.name).chain(literals);
        for tensor in
            names.filter(|name| needed.contains(name.as_str())).filter_map(|name| self.constants.get(name))
        {
            self.output.copy_tensor(tensor)?;
        }
        let mut keep = keep.into_iter();
        self.nodes.retain(|node| {
            let literal = is(node, "Constant") && self.constants.get(&node.output[0]).is_some();
            keep.next() == Some(true) && !literal
        });
        let made: HashSet<&str> =
            self.nodes.iter().flat_map(|node| node.output.iter().map(String::as_str)).collect();
        let mut value_info = graph.value_info.clone();
        value_info.retain(|value| made.contains(value.name.as_str()));
        self.report.bytes_after = self.output.finish(self.nodes, value_info, Precision::Int8)?;
        Ok(self.report)
    }
}

/// What the fourth powers of a balance are called.
fn fourth_power(balance: &str) -> String {
    format!("{balance}/fourth_power")
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
