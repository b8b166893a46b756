//! Maps in whole blocks of channels.
//!
//! ONNX Runtime's convolutions keep maps in blocks of channels as wide as the processor's registers. Maps that do not
//! fill their blocks have to be brought into the ordinary layout before they can be joined with others, and back. So a
//! convolution of joined maps becomes a sum of convolutions, one for each map, which is the same; and maps are filled
//! up with channels of zeros, which it computes anyway.

use std::collections::HashSet;

use crate::{
    onnx::{
        node,
        proto::{Graph, Node, Tensor},
    },
    precision::constants::{Constants, integer, is},
};

use super::{Consumers, floats, has_bodies, values};

/// Rewrites convolutions of joined maps that do not fill blocks of `block` channels; tells whether there are any.
pub(super) fn rewrite(graph: &mut Graph, block: usize) -> bool {
    if has_bodies(graph) {
        return false;
    }
    let mut any = false;
    while let Some(joined) = ConcatConvolution::find(graph, block) {
        joined.split(graph);
        any = true;
    }
    if any {
        for at in 0..graph.node.len() {
            if let Some(change) = Maps::of(graph, at, block) {
                change.fill(graph);
            }
        }
    }
    any
}

/// A convolution of joined maps.
struct ConcatConvolution {
    /// Places of the nodes.
    join: usize,
    convolution: usize,
    /// The node that adds the bias, if the convolution has none.
    bias: Option<(usize, Vec<f32>)>,
    /// Channels of each map.
    channels: Vec<usize>,
    weights: Kernel,
}

impl ConcatConvolution {
    fn find(graph: &Graph, block: usize) -> Option<Self> {
        let (constants, users) = (Constants::of(graph), Consumers::of(graph));
        (0..graph.node.len()).find_map(|join| {
            let node = &graph.node[join];
            if !is(node, "Concat") || integer(node, "axis") != Some(1) {
                return None;
            }
            let channels: Vec<usize> =
                node.input.iter().map(|map| channels(map, &constants)).collect::<Option<_>>()?;
            let convolution = users.only(&node.output[0])?;
            let weights = Kernel::read(&graph.node[convolution], &constants)?;
            let fits = weights.inputs == channels.iter().sum::<usize>()
                && channels.iter().any(|count| count % block != 0);
            let bias = users.only(&graph.node[convolution].output[0]).and_then(|at| {
                let (_, bias) = per_channel(&graph.node[at], weights.outputs, &constants)?;
                (graph.node[convolution].input.len() == 2).then_some((at, bias))
            });
            fits.then_some(Self { join, convolution, bias, channels, weights })
        })
    }

    fn split(self, graph: &mut Graph) {
        let maps = graph.node[self.join].input.clone();
        let whole = graph.node[self.convolution].clone();
        let last = &graph.node[self.bias.as_ref().map_or(self.convolution, |(at, _)| *at)];
        let output = last.output[0].clone();
        let mut nodes = Vec::new();
        let mut start = 0;
        for (index, (map, channels)) in maps.iter().zip(&self.channels).enumerate() {
            let name = format!("{output}/{index}");
            let kernel = self.weights.columns(start, *channels);
            start += channels;
            let weights = kernel.tensor(format!("{name}/weights"));
            let mut input = vec![map.clone(), weights.name.clone()];
            graph.initializer.push(weights);
            if index == 0 {
                input.extend(whole.input.get(2).cloned());
                if let Some((_, bias)) = &self.bias {
                    let bias = floats(format!("{name}/bias"), &[bias.len()], bias.clone());
                    input.push(bias.name.clone());
                    graph.initializer.push(bias);
                }
            }
            nodes.push(Node { input, output: vec![name.clone()], name: name.clone(), ..whole.clone() });
            if index > 0 {
                let so_far =
                    if index == 1 { format!("{output}/0") } else { format!("{output}/sum {}", index - 1) };
                let sum =
                    if index + 1 == maps.len() { output.clone() } else { format!("{output}/sum {index}") };
                nodes.push(node("Add", "", &[&so_far, &name], &sum, &[]));
            }
        }
        let mut gone = vec![self.join, self.convolution];
        gone.extend(self.bias.map(|(at, _)| at));
        let old = std::mem::take(&mut graph.node);
        for (at, node) in old.into_iter().enumerate() {
            if at == self.convolution {
                graph.node.append(&mut nodes);
            }
            if !gone.contains(&at) {
                graph.node.push(node);
            }
        }
    }
}

/// Maps that have one number of channels, because only operators that treat each channel alone stand between.
#[derive(Default)]
struct Maps {
    /// Convolutions that make one of them, and constants that are added.
    makers: Vec<usize>,
    added: Vec<(usize, usize, Vec<f32>)>,
    /// Convolutions that take one.
    takers: Vec<usize>,
    /// Channels that they shall have.
    filled: usize,
}

impl Maps {
    /// The maps to which that belongs which the convolution at `at` makes, if they do not fill their blocks and can be made to.
    fn of(graph: &Graph, at: usize, block: usize) -> Option<Self> {
        let (constants, users) = (Constants::of(graph), Consumers::of(graph));
        let channels = Kernel::read(&graph.node[at], &constants)?.outputs;
        let mut maps = Self { filled: channels.next_multiple_of(block), ..Self::default() };
        if maps.filled == channels {
            return None;
        }
        maps.makers.push(at);
        let mut open = vec![graph.node[at].output[0].as_str()];
        let mut known = HashSet::new();
        while let Some(map) = open.pop() {
            if !known.insert(map) {
                continue;
            }
            if users.outputs.contains(map) {
                return None;
            }
            for &user in users.of_value(map) {
                let node = &graph.node[user];
                if let Some(kernel) = Kernel::read(node, &constants) {
                    if node.input[1..].iter().any(|input| input == map) || kernel.inputs != channels {
                        return None;
                    }
                    maps.takers.push(user);
                    continue;
                }
                if let Some((input, values)) = per_channel(node, channels, &constants) {
                    maps.added.push((user, input, values));
                } else if !(is(node, "Relu") || is(node, "MaxPool") && node.output.len() == 1) {
                    return None;
                }
                open.push(&node.output[0]);
            }
        }
        Some(maps)
    }

    fn fill(self, graph: &mut Graph) {
        let constants = Constants::of(graph);
        let mut changes = Vec::new();
        let mut biases = Vec::new();
        for &at in &self.makers {
            let Some(kernel) = Kernel::read(&graph.node[at], &constants) else { return };
            changes.push((at, 1, kernel.filled(self.filled, kernel.inputs)));
            if let Some(bias) = graph.node[at].input.get(2) {
                let Some(bias) = constants.weight(bias).and_then(|weight| values(weight.tensor)) else {
                    return;
                };
                biases.push((at, 2, bias));
            }
        }
        for &at in &self.takers {
            let Some(kernel) = Kernel::read(&graph.node[at], &constants) else { return };
            changes.push((at, 1, kernel.filled(kernel.outputs, self.filled)));
        }
        biases.extend(self.added);
        drop(constants);
        for (at, input, kernel) in changes {
            let name = format!("{}/{}", graph.node[at].output[0], graph.node[at].input[input]);
            graph.initializer.push(kernel.tensor(name.clone()));
            graph.node[at].input[input] = name;
        }
        for (at, input, mut values) in biases {
            values.resize(self.filled, 0.0);
            let name = format!("{}/{}", graph.node[at].output[0], graph.node[at].input[input]);
            let dims: &[usize] = if input == 2 { &[self.filled] } else { &[1, self.filled, 1, 1] };
            graph.initializer.push(floats(name.clone(), dims, values));
            graph.node[at].input[input] = name;
        }
    }
}

/// The number of channels of a map, if a convolution tells.
fn channels(map: &str, constants: &Constants<'_>) -> Option<usize> {
    let mut map = map;
    loop {
        let maker = constants.maker(map)?;
        if let Some(kernel) = Kernel::read(maker, constants) {
            return Some(kernel.outputs);
        }
        let data = match maker.op_type.as_str() {
            "Relu" | "MaxPool" => 0,
            "Add" => usize::from(constants.get(maker.input.first()?).is_some()),
            _ => return None,
        };
        map = maker.input.get(data)?;
    }
}

/// Where a node takes a number for each of `channels` channels, and the numbers, if all it does is add them.
fn per_channel(node: &Node, channels: usize, constants: &Constants<'_>) -> Option<(usize, Vec<f32>)> {
    let [a, b] = node.input.as_slice() else { return None };
    let input = usize::from(constants.get(a).is_none());
    let tensor = constants.get([a, b][input]).filter(|_| is(node, "Add"))?;
    let (&[1, count, 1, 1] | &[count, 1, 1]) = tensor.dims.as_slice() else { return None };
    (count == channels as i64).then_some((input, values(tensor)?))
}

/// Weights of an ordinary convolution.
struct Kernel {
    outputs: usize,
    inputs: usize,
    sides: [usize; 2],
    /// By output, input, row and column.
    values: Vec<f32>,
}

impl Kernel {
    fn read(node: &Node, constants: &Constants<'_>) -> Option<Self> {
        if !is(node, "Conv") || integer(node, "group").unwrap_or(1) != 1 {
            return None;
        }
        let tensor = constants.get(node.input.get(1)?)?;
        let dims: Vec<usize> =
            tensor.dims.iter().map(|&extent| usize::try_from(extent).ok()).collect::<Option<_>>()?;
        let [outputs, inputs, height, width] = dims[..] else { return None };
        Some(Self { outputs, inputs, sides: [height, width], values: values(tensor)? })
    }

    /// For `count` of the inputs.
    fn columns(&self, start: usize, count: usize) -> Self {
        let area = self.sides[0] * self.sides[1];
        let rows = self.values.chunks_exact(self.inputs * area);
        let values = rows.flat_map(|row| &row[start * area..(start + count) * area]).copied().collect();
        Self { inputs: count, values, ..*self }
    }

    /// With outputs and inputs of zeros at the ends.
    fn filled(&self, outputs: usize, inputs: usize) -> Self {
        let area = self.sides[0] * self.sides[1];
        let mut values = Vec::with_capacity(outputs * inputs * area);
        for row in self.values.chunks_exact(self.inputs * area) {
            values.extend_from_slice(row);
            values.resize(values.len() + (inputs - self.inputs) * area, 0.0);
        }
        values.resize(outputs * inputs * area, 0.0);
        Self { outputs, inputs, values, ..*self }
    }

    fn tensor(self, name: String) -> Tensor {
        floats(name, &[self.outputs, self.inputs, self.sides[0], self.sides[1]], self.values)
    }
}
