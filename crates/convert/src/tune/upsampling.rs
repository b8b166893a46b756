//! Two upsamplings by transposed convolutions as two small products and one rearrangement.
//!
//! A transposed convolution of 2×2 with stride 2 gives each pixel four children, each by a product of its own. What
//! follows until the next such layer is done to every pixel alone, so all sixteen grandchildren of a pixel can be
//! computed before any is put in its place. PP-OCR's detectors end so; as published, their last layers work on maps of
//! a quarter of the picture's pixels, which is where they need the most memory.

use crate::{
    onnx::{
        Attr, node,
        proto::{Graph, Tensor},
    },
    precision::constants::{Constants, attribute, integer, is},
};

use super::{Consumers, floats, has_bodies, values};

/// Children of a pixel in one upsampling: two rows of two.
const CHILDREN: usize = 4;

/// Rewrites the first such pair of layers; tells whether there is one.
pub(super) fn rewrite(graph: &mut Graph) -> bool {
    let Some(Pair { first, between, second }) = Pair::find(graph) else { return false };
    for (at, input, tensor) in between {
        graph.node[at].input[input].clone_from(&tensor.name);
        graph.initializer.push(tensor);
    }
    let output = graph.node[second.at].output[0].clone();
    let grandchildren = format!("{output}/grandchildren");
    let place =
        node("DepthToSpace", "", &[&grandchildren], &output, &[("blocksize", Attr::Int(CHILDREN as i64))]);
    graph.node[second.at].output[0] = grandchildren;
    let [first_weights, second_weights] = [first.of_first(), second.of_second()];
    for (layer, weights, copies) in
        [(&first, first_weights, CHILDREN), (&second, second_weights, CHILDREN * CHILDREN)]
    {
        let output = &graph.node[layer.at].output[0];
        let rows = copies * layer.outputs;
        let columns = weights.len() / rows;
        let bias =
            layer.bias.as_ref().map(|bias| floats(format!("{output}/bias"), &[rows], bias.repeat(copies)));
        let weights = floats(format!("{output}/weights"), &[rows, columns, 1, 1], weights);
        let mut inputs = vec![graph.node[layer.at].input[0].as_str(), &weights.name];
        inputs.extend(bias.as_ref().map(|bias| bias.name.as_str()));
        graph.node[layer.at] = node("Conv", "", &inputs, output, &[("kernel_shape", Attr::Ints(vec![1, 1]))]);
        graph.initializer.push(weights);
        graph.initializer.extend(bias);
    }
    graph.node.insert(second.at + 1, place);
    true
}

/// Two upsamplings, and constants of the nodes between them as the rewritten graph needs them: node, input, tensor.
struct Pair {
    first: Layer,
    between: Vec<(usize, usize, Tensor)>,
    second: Layer,
}

impl Pair {
    fn find(graph: &Graph) -> Option<Self> {
        if has_bodies(graph) {
            return None;
        }
        let (constants, users) = (Constants::of(graph), Consumers::of(graph));
        (0..graph.node.len()).find_map(|at| {
            let first = Layer::read(graph, at, &constants)?;
            Self::from(graph, first, &constants, &users)
        })
    }

    fn from(graph: &Graph, first: Layer, constants: &Constants<'_>, users: &Consumers<'_>) -> Option<Self> {
        let mut between = Vec::new();
        let mut at = first.at;
        loop {
            let value = graph.node[at].output.first()?;
            at = users.only(value)?;
            let node = &graph.node[at];
            let takes: &[usize] = match node.op_type.as_str() {
                "Relu" => &[],
                "Add" => &[usize::from(node.input.first()? == value)],
                "BatchNormalization"
                    if node.output.len() == 1 && integer(node, "training_mode").unwrap_or(0) == 0 =>
                {
                    &[1, 2, 3, 4]
                }
                _ => {
                    let second = Layer::read(graph, at, constants)?;
                    let fits = second.inputs == first.outputs && node.input.first()? == value;
                    return fits.then_some(Self { first, between, second });
                }
            };
            for &input in takes {
                let tensor = constants.weight(node.input.get(input)?)?.tensor;
                let mut values = values(tensor)?;
                if values.len() == 1 && node.op_type == "Add" {
                    continue;
                }
                let mut dims = tensor.dims.clone();
                let channels = dims.iter_mut().find(|extent| **extent == first.outputs as i64)?;
                *channels *= CHILDREN as i64;
                let per_channel = match (node.op_type.as_str(), dims.as_slice()) {
                    ("Add", [1, _, 1, 1] | [_, 1, 1]) | ("BatchNormalization", [_]) => {
                        values.len() == first.outputs
                    }
                    _ => false,
                };
                if !per_channel {
                    return None;
                }
                values = values.repeat(CHILDREN);
                let name = format!("{}/{input}", node.output[0]);
                between.push((at, input, Tensor { dims, ..floats(name, &[], values) }));
            }
        }
    }
}

/// A transposed convolution of 2×2 with stride 2.
struct Layer {
    /// Place of its node.
    at: usize,
    inputs: usize,
    outputs: usize,
    /// By input, output, row and column.
    weights: Vec<f32>,
    bias: Option<Vec<f32>>,
}

impl Layer {
    fn read(graph: &Graph, at: usize, constants: &Constants<'_>) -> Option<Self> {
        let node = &graph.node[at];
        let all = |name: &str, wanted: i64| {
            attribute(node, name).is_none_or(|found| found.ints.iter().all(|&value| value == wanted))
        };
        let plain = is(node, "ConvTranspose")
            && attribute(node, "strides").is_some_and(|strides| strides.ints == [2, 2])
            && (all("kernel_shape", 2) && all("pads", 0) && all("dilations", 1) && all("output_padding", 0))
            && integer(node, "group").unwrap_or(1) == 1
            && attribute(node, "output_shape").is_none()
            && attribute(node, "auto_pad").is_none_or(|pad| pad.s == "NOTSET");
        if !plain {
            return None;
        }
        let tensor = constants.weight(node.input.get(1)?)?.tensor;
        let &[inputs, outputs, 2, 2] = tensor.dims.as_slice() else { return None };
        let bias = match node.input.get(2).filter(|name| !name.is_empty()) {
            Some(name) => Some(values(constants.weight(name)?.tensor)?),
            None => None,
        };
        let (inputs, outputs) = (usize::try_from(inputs).ok()?, usize::try_from(outputs).ok()?);
        let weights = values(tensor).filter(|_| bias.as_ref().is_none_or(|bias| bias.len() == outputs))?;
        Some(Self { at, inputs, outputs, weights, bias })
    }

    fn weight(&self, input: usize, output: usize, child: usize) -> f32 {
        self.weights[(input * self.outputs + output) * CHILDREN + child]
    }

    /// Weights that give each pixel its children: a row for each child and output, a column for each input.
    fn of_first(&self) -> Vec<f32> {
        let mut rows = Vec::with_capacity(self.weights.len());
        for child in 0..CHILDREN {
            for output in 0..self.outputs {
                rows.extend((0..self.inputs).map(|input| self.weight(input, output, child)));
            }
        }
        rows
    }

    /// Weights that give the children theirs: a row for each grandchild, as `DepthToSpace` wants them (by row, column,
    /// output), a column for each child and input.
    fn of_second(&self) -> Vec<f32> {
        let columns = CHILDREN * self.inputs;
        let mut rows = vec![0.0; CHILDREN * CHILDREN * self.outputs * columns];
        for child in 0..CHILDREN {
            for grandchild in 0..CHILDREN {
                let (row, column) = (child / 2 * 2 + grandchild / 2, child % 2 * 2 + grandchild % 2);
                for output in 0..self.outputs {
                    let start =
                        ((row * CHILDREN + column) * self.outputs + output) * columns + child * self.inputs;
                    for input in 0..self.inputs {
                        rows[start + input] = self.weight(input, output, grandchild);
                    }
                }
            }
        }
        rows
    }
}
