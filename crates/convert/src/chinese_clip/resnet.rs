//! Chinese-CLIP's `ResNet`: three convolutions for a stem, strides made by average pooling, attention in place of the
//! last pooling.
use super::{
    architecture::ResNet,
    graph::{Axis, Graph},
};
use crate::{ConvertError, onnx::Attr, onnx::proto::ElementType};

/// Of batch normalisation.
const EPSILON: f32 = 1e-5;
/// A bottleneck's output has this many times its inner channels.
const EXPANSION: usize = 4;

/// Writes the image network: `[batch, 3, side, side]` to `[batch, embedding]`, not normalised.
pub(super) fn build(graph: &mut Graph<'_>, resnet: &ResNet, embedding: usize) -> Result<(), ConvertError> {
    let ResNet { side, width, blocks, heads } = *resnet;
    let axes = [Axis::Free("batch"), Axis::Fixed(3), Axis::Fixed(side), Axis::Fixed(side)];
    let image = graph.input("image", ElementType::F32, &axes);
    let mut x = convolve(graph, &image, "visual", 1, [width / 2, 3, 3], 2)?;
    x = graph.op("Relu", &[&x], &[]);
    for (index, out) in [(2, width / 2), (3, width)] {
        x = convolve(graph, &x, "visual", index, [out, width / 2, 3], 1)?;
        x = graph.op("Relu", &[&x], &[]);
    }
    x = halve(graph, &x);

    let mut channels = width;
    for (stage, &count) in blocks.iter().enumerate() {
        let inner = width << stage;
        for block in 0..count {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let prefix = format!("visual.layer{}.{block}", stage + 1);
            x = bottleneck(graph, &x, &prefix, channels, inner, stride)?;
            channels = inner * EXPANSION;
        }
    }
    attention_pool(graph, &x, channels, side / 32, heads, embedding)
}

fn bottleneck(
    graph: &mut Graph<'_>,
    x: &str,
    prefix: &str,
    channels: usize,
    inner: usize,
    stride: usize,
) -> Result<String, ConvertError> {
    let outer = inner * EXPANSION;
    let y = convolve(graph, x, prefix, 1, [inner, channels, 1], 1)?;
    let y = graph.op("Relu", &[&y], &[]);
    let y = convolve(graph, &y, prefix, 2, [inner, inner, 3], 1)?;
    let mut y = graph.op("Relu", &[&y], &[]);
    if stride > 1 {
        y = halve(graph, &y);
    }
    let y = convolve(graph, &y, prefix, 3, [outer, inner, 1], 1)?;
    let short = if stride > 1 || channels != outer {
        let short = if stride > 1 { halve(graph, x) } else { x.to_owned() };
        let names = (format!("{prefix}.downsample.0"), format!("{prefix}.downsample.1"));
        convolve_named(graph, &short, (&names.0, &names.1), [outer, channels, 1], 1)?
    } else {
        x.to_owned()
    };
    let y = graph.op("Add", &[&y, &short], &[]);
    Ok(graph.op("Relu", &[&y], &[]))
}

/// Average pooling of two by two.
fn halve(graph: &mut Graph<'_>, x: &str) -> String {
    let two = Attr::Ints(vec![2, 2]);
    graph.op("AveragePool", &[x], &[("kernel_shape", two.clone()), ("strides", two)])
}

/// The convolution and normalisation that a prefix has by number.
fn convolve(
    graph: &mut Graph<'_>,
    x: &str,
    prefix: &str,
    index: usize,
    shape: [usize; 3],
    stride: usize,
) -> Result<String, ConvertError> {
    let names = (format!("{prefix}.conv{index}"), format!("{prefix}.bn{index}"));
    convolve_named(graph, x, (&names.0, &names.1), shape, stride)
}

/// A convolution with the batch normalisation behind it folded into its weights. `shape`: channels out, channels in,
/// kernel size.
fn convolve_named(
    graph: &mut Graph<'_>,
    x: &str,
    (kernel, norm): (&str, &str),
    [out, inner, size]: [usize; 3],
    stride: usize,
) -> Result<String, ConvertError> {
    let dims = [out, inner, size, size];
    let mut weights = graph.read(&format!("{kernel}.weight"), &dims)?;
    let part = |name: &str| graph.read(&format!("{norm}.{name}"), &[out]);
    let (scale, mut bias) = (part("weight")?, part("bias")?);
    let (mean, variance) = (part("running_mean")?, part("running_var")?);
    for (channel, values) in weights.chunks_exact_mut(inner * size * size).enumerate() {
        let factor = scale[channel] / (variance[channel] + EPSILON).sqrt();
        for value in values {
            *value *= factor;
        }
        bias[channel] -= mean[channel] * factor;
    }
    let weights = graph.constant(&format!("{kernel}.weight"), &dims, &weights)?;
    let bias = graph.constant(&format!("{kernel}.bias"), &[out], &bias)?;
    let attributes = [
        ("kernel_shape", Attr::Ints(vec![size as i64; 2])),
        ("strides", Attr::Ints(vec![stride as i64; 2])),
        ("pads", Attr::Ints(vec![size as i64 / 2; 4])),
    ];
    Ok(graph.op("Conv", &[x, &weights, &bias], &attributes))
}

/// Attention in which only the mean of all places asks; its answer, projected, is the output.
fn attention_pool(
    graph: &mut Graph<'_>,
    x: &str,
    channels: usize,
    grid: usize,
    heads: usize,
    embedding: usize,
) -> Result<(), ConvertError> {
    let name = |part: &str| format!("visual.attnpool.{part}");
    let tokens = grid * grid + 1;
    let places = graph.reshape(x, &[0, channels as i64, -1])?;
    let places = graph.transpose(&places, &[0, 2, 1]);
    let axes = graph.integers(&[1])?;
    let mean = graph.op("ReduceMean", &[&places, &axes], &[("keepdims", Attr::Int(1))]);
    let x = graph.op("Concat", &[&mean, &places], &[("axis", Attr::Int(1))]);
    let positions = graph.weight(&name("positional_embedding"), &[tokens, channels])?;
    let x = graph.op("Add", &[&x, &positions], &[]);

    let asking = graph.pick(&x, 1, 0)?;
    let q = graph.layer(&asking, &name("q_proj"), channels, channels)?;
    let q = graph.reshape(&q, &[-1, 1, channels as i64])?;
    let rows = graph.reshape(&x, &[-1, channels as i64])?;
    let both = |end: &str| ["k_proj", "v_proj"].map(|part| name(&format!("{part}.{end}")));
    let weight = graph.stacked(&name("kv_proj.weight"), &both("weight"), &[channels, channels])?;
    let bias = graph.stacked(&name("kv_proj.bias"), &both("bias"), &[channels])?;
    let kv = graph.linear(&rows, &weight, &bias);
    let kv = graph.reshape(&kv, &[-1, tokens as i64, 2 * channels as i64])?;
    let [k, v] = graph.split(&kv, 2);
    let mixed = graph.attention([&q, &k, &v], None, channels, heads)?;
    let x = graph.layer(&mixed, &name("c_proj"), embedding, channels)?;
    graph.output(&x, super::IMAGE_OUTPUT, &[Axis::Free("batch"), Axis::Fixed(embedding)]);
    Ok(())
}
