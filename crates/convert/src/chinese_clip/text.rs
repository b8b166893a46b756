//! Chinese-CLIP's text model: BERT (RoBERTa-wwm-ext or RBT3), of which the class token's last state is projected.
use super::{
    architecture::Text,
    graph::{Axis, Graph},
};
use crate::{ConvertError, onnx::Attr, onnx::proto::ElementType};

const EPSILON: f32 = 1e-12;
/// Added to the scores of padding, as BERT does; the exponential of that is zero in 32 bits.
const MASKED: f32 = -10_000.0;

/// Writes the text network: ids `[batch, length]`, zeros behind the sentence, to `[batch, embedding]`, not normalised.
///
/// Padding gets no attention at all, so a sentence has the same vector at any length that holds it. In the last
/// layer only the class token asks, since only its row is used.
pub(super) fn build(graph: &mut Graph<'_>, text: &Text, embedding: usize) -> Result<(), ConvertError> {
    let Text { vocabulary, positions, width, inner, layers, heads } = *text;
    let ids = graph.input("text", ElementType::I64, &[Axis::Free("batch"), Axis::Free("length")]);

    let words = graph.weight("bert.embeddings.word_embeddings.weight", &[vocabulary, width])?;
    let x = graph.op("Gather", &[&words, &ids], &[]);
    let places = places(graph, &ids, positions, width)?;
    let x = graph.op("Add", &[&x, &places], &[]);
    let x = graph.normalise(&x, "bert.embeddings.LayerNorm", width, EPSILON)?;
    let mut x = graph.reshape(&x, &[-1, width as i64])?;

    let zero = graph.integer(0)?;
    let padding = graph.op("Equal", &[&ids, &zero], &[]);
    let padding = graph.op("Cast", &[&padding], &[("to", Attr::Int(ElementType::F32 as i64))]);
    let masked = graph.number(MASKED)?;
    let mask = graph.op("Mul", &[&padding, &masked], &[]);
    let axes = graph.integers(&[1, 2])?;
    let mask = graph.op("Unsqueeze", &[&mask, &axes], &[]);
    // Rows are kept flat for the products; this is how they fall back into sentences.
    let sizes = graph.op("Shape", &[&ids], &[]);
    let by_sentence = |graph: &mut Graph<'_>, rows: &str, parts: usize| {
        let columns = graph.integers(&[(parts * width) as i64])?;
        let shape = graph.op("Concat", &[&sizes, &columns], &[("axis", Attr::Int(0))]);
        Ok::<_, ConvertError>(graph.op("Reshape", &[rows, &shape], &[]))
    };

    for layer in 0..layers {
        let name = |part: &str| format!("bert.encoder.layer.{layer}.{part}");
        let parts = |which: &[&str], end: &str| -> Vec<String> {
            which.iter().map(|part| name(&format!("attention.self.{part}.{end}"))).collect()
        };
        let [q, k, v] = if layer + 1 == layers {
            let rows = by_sentence(graph, &x, 1)?;
            let class = graph.pick(&rows, 1, 0)?;
            let q = graph.layer(&class, &name("attention.self.query"), width, width)?;
            let q = graph.reshape(&q, &[-1, 1, width as i64])?;
            let both = ["key", "value"];
            let weight =
                graph.stacked(&name("attention.kv.weight"), &parts(&both, "weight"), &[width, width])?;
            let bias = graph.stacked(&name("attention.kv.bias"), &parts(&both, "bias"), &[width])?;
            let kv = graph.linear(&x, &weight, &bias);
            let kv = by_sentence(graph, &kv, 2)?;
            let [k, v] = graph.split(&kv, 2);
            x = class;
            [q, k, v]
        } else {
            let all = ["query", "key", "value"];
            let weight =
                graph.stacked(&name("attention.qkv.weight"), &parts(&all, "weight"), &[width, width])?;
            let bias = graph.stacked(&name("attention.qkv.bias"), &parts(&all, "bias"), &[width])?;
            let qkv = graph.linear(&x, &weight, &bias);
            let qkv = by_sentence(graph, &qkv, 3)?;
            graph.split(&qkv, 2)
        };
        let mixed = graph.attention([&q, &k, &v], Some(&mask), width, heads)?;
        let out = graph.layer(&mixed, &name("attention.output.dense"), width, width)?;
        x = graph.op("Add", &[&out, &x], &[]);
        x = graph.normalise(&x, &name("attention.output.LayerNorm"), width, EPSILON)?;

        let y = graph.layer(&x, &name("intermediate.dense"), inner, width)?;
        let y = graph.op("Gelu", &[&y], &[("approximate", Attr::Text("none"))]);
        let y = graph.layer(&y, &name("output.dense"), width, inner)?;
        x = graph.op("Add", &[&y, &x], &[]);
        x = graph.normalise(&x, &name("output.LayerNorm"), width, EPSILON)?;
    }

    let projection = graph.weight("text_projection", &[width, embedding])?;
    let x = graph.op("MatMul", &[&x, &projection], &[]);
    graph.output(&x, super::TEXT_OUTPUT, &[Axis::Free("batch"), Axis::Fixed(embedding)]);
    Ok(())
}

/// What is added to the words' vectors: that of the place, and that of the first sentence (there is no second).
fn places(graph: &mut Graph<'_>, ids: &str, positions: usize, width: usize) -> Result<String, ConvertError> {
    let mut table = graph.read("bert.embeddings.position_embeddings.weight", &[positions, width])?;
    let kinds = graph.read("bert.embeddings.token_type_embeddings.weight", &[2, width])?;
    for row in table.chunks_exact_mut(width) {
        for (value, first) in row.iter_mut().zip(&kinds) {
            *value += first;
        }
    }
    let table = graph.constant("bert.embeddings.places", &[positions, width], &table)?;
    let start = graph.integers(&[0])?;
    let length = graph.op("Shape", &[ids], &[("start", Attr::Int(1)), ("end", Attr::Int(2))]);
    Ok(graph.op("Slice", &[&table, &start, &length], &[]))
}
