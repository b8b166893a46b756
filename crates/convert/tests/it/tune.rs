//! Rewritten graphs beside the originals, in the real ONNX Runtime.
use std::{
    path::{Path, PathBuf},
    slice::from_ref,
};

use viewfinder_convert::{
    onnx::{
        Attr,
        proto::{Model, Tensor as Weight},
    },
    tune,
};
use viewfinder_test_support::fixtures;
use viewfinder_vision::Tensor;

use crate::net::{Net, integers, noise, run, run_rewritten};

/// Saves a network, and returns it with its rewritten form.
fn tuned(net: Net, folder: &Path) -> (PathBuf, Option<Model>) {
    let file = folder.join("model.onnx");
    net.save(&file, 17);
    let model = tune(&file).unwrap().map(|bytes| decode(&bytes));
    if let Some(graph) = model.as_ref().and_then(|model| model.graph.as_ref()) {
        let used = |name: &String| graph.node.iter().any(|node| node.input.contains(name));
        // ONNX Runtime complains of weights that nobody takes.
        assert!(graph.initializer.iter().all(|tensor| used(&tensor.name)));
    }
    (file, model)
}

fn decode(bytes: &[u8]) -> Model {
    prost::Message::decode(bytes).unwrap()
}

fn operators(model: &Model) -> Vec<&str> {
    model.graph.as_ref().unwrap().node.iter().map(|node| node.op_type.as_str()).collect()
}

/// The largest difference between what the file and its rewritten form answer, as a share of the largest answer.
fn difference(file: &Path, input: &Tensor) -> f32 {
    let (expected, found) = (run(file, from_ref(input)), run_rewritten(file, from_ref(input)));
    assert_eq!(expected[0].len(), found[0].len());
    let greatest = |values: &mut dyn Iterator<Item = f32>| values.map(f32::abs).fold(0.0, f32::max);
    let largest = greatest(&mut expected[0].iter().copied());
    assert!(largest > 1e-3);
    greatest(&mut expected[0].iter().zip(&found[0]).map(|(a, b)| a - b)) / largest
}

/// What PP-OCR's detectors end with: 5 channels to 6 to `outputs`.
fn head(outputs: usize) -> Net {
    let twice = [("strides", Attr::Ints(vec![2, 2])), ("kernel_shape", Attr::Ints(vec![2, 2]))];
    let variance: Vec<f32> = noise(7, 6).iter().map(|value| 0.5 + value * value).collect();
    Net::new()
        .weight("w1", &[5, 6, 2, 2], &noise(1, 120))
        .weight("b1", &[6], &noise(2, 6))
        .weight("add", &[1, 6, 1, 1], &noise(3, 6))
        .weight("scale", &[6], &noise(4, 6))
        .weight("shift", &[6], &noise(5, 6))
        .weight("mean", &[6], &noise(6, 6))
        .weight("variance", &[6], &variance)
        .weight("w2", &[6, outputs as i64, 2, 2], &noise(8, 24 * outputs))
        .weight("b2", &[1], &noise(9, 1))
        .with("ConvTranspose", &["x", "w1", "b1"], "up", &twice)
        .op("Add", &["up", "add"], "added")
        .op("BatchNormalization", &["added", "scale", "shift", "mean", "variance"], "normal")
        .op("Relu", &["normal"], "positive")
        .op("Identity", &["positive"], "same")
        .with("ConvTranspose", &["same", "w2"], "up again", &twice)
        .op("Add", &["up again", "b2"], "biased")
        .op("Sigmoid", &["biased"], "y")
        .output("y")
}

#[test]
fn two_upsamplings_become_products() {
    let folder = tempfile::tempdir().unwrap();
    for outputs in [1, 3] {
        let (file, model) = tuned(head(outputs), folder.path());
        let model = model.unwrap();
        assert!(!operators(&model).contains(&"ConvTranspose"));
        let difference = difference(&file, &Tensor::f32([2, 5, 3, 4], noise(10, 120)));
        assert!(difference < 1e-5, "{outputs} outputs: {difference}");
    }
}

#[test]
fn an_upsampling_that_others_look_at_stays() {
    let folder = tempfile::tempdir().unwrap();
    let seen = |name: &str| head(1).output(name);
    let shared = head(1).op("Relu", &["added"], "also").output("also");
    for net in [seen("up"), seen("same"), shared] {
        assert!(tuned(net, folder.path()).1.is_none());
    }
}

/// What PP-OCRv6's detectors begin with: two ways, one of them through convolutions, are joined for another.
fn stem() -> Net {
    let strides = |by: i64| [("strides", Attr::Ints(vec![by, by])), ("pads", Attr::Ints(vec![1, 1, 1, 1]))];
    let same = [("auto_pad", Attr::Text("SAME_UPPER"))];
    let pool = [("kernel_shape", Attr::Ints(vec![2, 2])), ("auto_pad", Attr::Text("SAME_UPPER"))];
    Net::new()
        .weight("w0", &[6, 3, 3, 3], &noise(1, 162))
        .weight("b0", &[1, 6, 1, 1], &noise(2, 6))
        .weight("w1", &[3, 6, 2, 2], &noise(3, 72))
        .weight("b1", &[3], &noise(4, 3))
        .weight("w2", &[6, 3, 2, 2], &noise(5, 72))
        .weight("b2", &[1, 6, 1, 1], &noise(6, 6))
        .weight("w3", &[5, 12, 3, 3], &noise(7, 540))
        .weight("b3", &[1, 5, 1, 1], &noise(8, 5))
        .with("Conv", &["x", "w0"], "c0", &strides(2))
        .op("Add", &["c0", "b0"], "a0")
        .op("Relu", &["a0"], "r0")
        .with("Conv", &["r0", "w1", "b1"], "c1", &same)
        .op("Relu", &["c1"], "r1")
        .with("Conv", &["r1", "w2"], "c2", &same)
        .op("Add", &["b2", "c2"], "a2")
        .op("Relu", &["a2"], "r2")
        .with("MaxPool", &["r0"], "p", &pool)
        .op("Identity", &["p"], "pool")
        .with("Concat", &["pool", "r2"], "joined", &[("axis", Attr::Int(1))])
        .with("Conv", &["joined", "w3"], "c3", &strides(2))
        .op("Add", &["c3", "b3"], "a3")
        .op("Relu", &["a3"], "y")
        .output("y")
}

#[cfg(target_arch = "x86_64")]
#[test]
fn joined_maps_are_taken_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let (file, model) = tuned(stem(), folder.path());
    let model = model.unwrap();
    assert!(!operators(&model).contains(&"Concat"));
    let difference = difference(&file, &Tensor::f32([2, 3, 20, 28], noise(9, 3360)));
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn joined_maps_that_others_look_at_stay() {
    let folder = tempfile::tempdir().unwrap();
    assert!(tuned(stem().output("joined"), folder.path()).1.is_none());
}

/// A transformer's last block: tokens are mixed, then each goes on alone, and the first is the answer.
fn block(index: i64) -> Net {
    let text = |perm: &[i64]| [("perm", Attr::Ints(perm.to_vec()))];
    Net::new()
        .weight("gain", &[8], &noise(1, 8))
        .weight("bias", &[8], &noise(2, 8))
        .weight("wide", &[8, 24], &noise(3, 192))
        .weight("wide bias", &[24], &noise(4, 24))
        .weight("narrow", &[24, 8], &noise(5, 192))
        .literal(integers("which", &[], &[index]))
        .with("Transpose", &["x"], "tokens", &text(&[1, 0, 2]))
        .with("Transpose", &["tokens"], "turned", &text(&[0, 2, 1]))
        .op("MatMul", &["tokens", "turned"], "scores")
        .op("Softmax", &["scores"], "shares")
        .op("MatMul", &["shares", "tokens"], "mixed")
        .op("Add", &["tokens", "mixed"], "sum")
        .op("LayerNormalization", &["sum", "gain", "bias"], "normal")
        .op("MatMul", &["normal", "wide"], "product")
        .op("Add", &["wide bias", "product"], "biased")
        .op("Sigmoid", &["biased"], "gate")
        .op("Mul", &["biased", "gate"], "active")
        .op("MatMul", &["active", "narrow"], "back")
        .op("Add", &["sum", "back"], "last")
        .with("Gather", &["last", "which"], "y", &[("axis", Attr::Int(1))])
        .output("y")
}

#[test]
fn the_last_block_is_computed_for_the_first_token() {
    let folder = tempfile::tempdir().unwrap();
    let (file, model) = tuned(block(0), folder.path());
    let model = model.unwrap();
    assert_eq!(operators(&model).iter().filter(|&&operator| operator == "Slice").count(), 2);
    let difference = difference(&file, &Tensor::f32([5, 2, 8], noise(6, 80)));
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn a_block_whose_tokens_matter_stays() {
    let folder = tempfile::tempdir().unwrap();
    assert!(tuned(block(1), folder.path()).1.is_none());
    assert!(tuned(block(0).output("last"), folder.path()).1.is_none());
}

#[test]
fn exported_vision_transformers_are_recognised() {
    let file = fixtures().join("models/open_clip_visual.onnx");
    let model = decode(&tune(&file).unwrap().unwrap());
    let slices = model.graph.unwrap().node.into_iter().filter(|node| node.output[0].ends_with("/first"));
    assert_eq!(slices.count(), 2);
    let difference = difference(&file, &Tensor::f32([1, 3, 32, 32], noise(1, 3 * 32 * 32)));
    assert!(difference < 1e-6, "{difference}");
}

#[test]
fn large_weights_stay_in_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let raw = noise(1, 160 * 160).iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let mut large =
        Weight { name: "w".into(), dims: vec![160, 160], raw_data: raw.into(), ..Weight::default() };
    large.set_data_type(viewfinder_convert::onnx::proto::ElementType::F32);
    let mut net = Net::new().op("MatMul", &["x", "w"], "y").output("y");
    net.graph.initializer.push(large);
    let (file, model) = tuned(net, folder.path());
    assert!(prost::Message::encoded_len(&model.unwrap()) < 1000);
    assert_eq!(difference(&file, &Tensor::f32([1, 160], noise(2, 160))), 0.0);
}

#[test]
fn what_is_no_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.onnx");
    std::fs::write(&file, b"not a model").unwrap();
    assert!(tune(&file).is_err());
    assert!(tune(&folder.path().join("missing.onnx")).is_err());
}
