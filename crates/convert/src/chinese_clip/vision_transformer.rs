//! Chinese-CLIP's vision transformer: patches, a class token, pre-normalised blocks with `QuickGELU`.
use super::{
    architecture::VisionTransformer,
    graph::{Axis, Graph},
};
use crate::{ConvertError, onnx::Attr, onnx::proto::ElementType};

const EPSILON: f32 = 1e-5;

/// Writes the image network: `[batch, 3, side, side]` to `[batch, embedding]`, not normalised.
///
/// Rows of all pictures lie behind each other, `[batch · tokens, width]`, so that every product is one plain matrix
/// product. In the last block only the class token asks, since only its row is used: a twelfth of a base-size network
/// shrinks to next to nothing.
pub(super) fn build(
    graph: &mut Graph<'_>,
    vision: &VisionTransformer,
    embedding: usize,
) -> Result<(), ConvertError> {
    let VisionTransformer { side, patch, width, layers, heads } = *vision;
    let grid = side / patch;
    let tokens = grid * grid + 1;
    let axes = [Axis::Free("batch"), Axis::Fixed(3), Axis::Fixed(side), Axis::Fixed(side)];
    let image = graph.input("image", ElementType::F32, &axes);

    let kernel = graph.weight("visual.conv1.weight", &[width, 3, patch, patch])?;
    let step = Attr::Ints(vec![patch as i64; 2]);
    let patches = graph.op("Conv", &[&image, &kernel], &[("kernel_shape", step.clone()), ("strides", step)]);
    let patches = graph.reshape(&patches, &[0, width as i64, -1])?;
    let patches = graph.transpose(&patches, &[0, 2, 1]);

    let class = graph.read("visual.class_embedding", &[width])?;
    let class = graph.constant("visual.class_embedding", &[1, 1, width], &class)?;
    let batch = graph.op("Shape", &[&image], &[("start", Attr::Int(0)), ("end", Attr::Int(1))]);
    let one_each = graph.integers(&[1, width as i64])?;
    let one_each = graph.op("Concat", &[&batch, &one_each], &[("axis", Attr::Int(0))]);
    let class = graph.op("Expand", &[&class, &one_each], &[]);
    let x = graph.op("Concat", &[&class, &patches], &[("axis", Attr::Int(1))]);
    let places = graph.weight("visual.positional_embedding", &[tokens, width])?;
    let x = graph.op("Add", &[&x, &places], &[]);
    let x = graph.normalise(&x, "visual.ln_pre", width, EPSILON)?;
    let mut x = graph.reshape(&x, &[-1, width as i64])?;

    for layer in 0..layers {
        let name = |part: &str| format!("visual.transformer.resblocks.{layer}.{part}");
        let y = graph.normalise(&x, &name("ln_1"), width, EPSILON)?;
        let last = layer + 1 == layers;
        let packed = graph.read(&name("attn.in_proj_weight"), &[3 * width, width])?;
        let packed_bias = graph.read(&name("attn.in_proj_bias"), &[3 * width])?;
        let by_picture = |parts: usize| [-1, tokens as i64, (parts * width) as i64];
        let [q, k, v] = if last {
            let first = |graph: &mut Graph<'_>, rows: &str| {
                let rows = graph.reshape(rows, &by_picture(1))?;
                graph.pick(&rows, 1, 0)
            };
            let asking = first(graph, &y)?;
            x = first(graph, &x)?;
            let (own, others) = packed.split_at(width * width);
            let (own_bias, others_bias) = packed_bias.split_at(width);
            let weight = graph.constant(&name("attn.q.weight"), &[width, width], own)?;
            let bias = graph.constant(&name("attn.q.bias"), &[width], own_bias)?;
            let q = graph.linear(&asking, &weight, &bias);
            let q = graph.reshape(&q, &[-1, 1, width as i64])?;
            let weight = graph.constant(&name("attn.kv.weight"), &[2 * width, width], others)?;
            let bias = graph.constant(&name("attn.kv.bias"), &[2 * width], others_bias)?;
            let kv = graph.linear(&y, &weight, &bias);
            let kv = graph.reshape(&kv, &by_picture(2))?;
            let [k, v] = graph.split(&kv, 2);
            [q, k, v]
        } else {
            let weight = graph.constant(&name("attn.qkv.weight"), &[3 * width, width], &packed)?;
            let bias = graph.constant(&name("attn.qkv.bias"), &[3 * width], &packed_bias)?;
            let qkv = graph.linear(&y, &weight, &bias);
            let qkv = graph.reshape(&qkv, &by_picture(3))?;
            graph.split(&qkv, 2)
        };
        let mixed = graph.attention([&q, &k, &v], None, width, heads)?;
        let out = graph.layer(&mixed, &name("attn.out_proj"), width, width)?;
        x = graph.op("Add", &[&x, &out], &[]);

        let y = graph.normalise(&x, &name("ln_2"), width, EPSILON)?;
        let y = graph.layer(&y, &name("mlp.c_fc"), 4 * width, width)?;
        let steep = graph.number(1.702)?;
        let gate = graph.op("Mul", &[&y, &steep], &[]);
        let gate = graph.op("Sigmoid", &[&gate], &[]);
        let y = graph.op("Mul", &[&y, &gate], &[]);
        let y = graph.layer(&y, &name("mlp.c_proj"), width, 4 * width)?;
        x = graph.op("Add", &[&x, &y], &[]);
    }

    let x = graph.normalise(&x, "visual.ln_post", width, EPSILON)?;
    let projection = graph.weight("visual.proj", &[width, embedding])?;
    let x = graph.op("MatMul", &[&x, &projection], &[]);
    graph.output(&x, super::IMAGE_OUTPUT, &[Axis::Free("batch"), Axis::Fixed(embedding)]);
    Ok(())
}
