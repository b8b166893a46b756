//! Compares converted networks with the reference's on made-up inputs.
//!
//! Arguments: ONNX Runtime's library; the reference's image and text network; a folder with `visual/model.onnx` and
//! `textual/model.onnx`. Prints one JSON object per comparison: `{"network", "batch", "cosine", "difference"}`, the lowest
//! cosine of the batch and the largest difference relative to the largest component.

use std::{io::Write as _, path::Path, sync::Arc};

use serde_json::json;
use viewfinder_engine::runtime::{Calls, Cores, Device, Library, Runtime, RuntimeConfig, Session};
use viewfinder_vision::{Network as _, Tensor};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [library, image, text, converted] = &arguments[..] else { panic!("four arguments are needed") };
    let library = Library::load(Path::new(library)).expect("the library loads");
    let config = RuntimeConfig { device: Device::Cpu, device_id: 0, cpu_fallback: false, threads: 2 };
    let runtime = Runtime::new(library, config, Arc::new(Cores::new(2))).expect("the runtime starts");
    let open = |path: &Path| runtime.open(path, Calls::Many).unwrap_or_else(|error| panic!("{error}"));
    let converted = Path::new(converted);
    for (name, reference) in [("visual", image), ("textual", text)] {
        // One after the other: the largest would not fit twice.
        let network = open(Path::new(reference));
        let inputs = [1, 5].map(|batch| input(&network, batch));
        let expected = inputs.each_ref().map(|input| run(&network, input));
        drop(network);
        let network = open(&converted.join(name).join("model.onnx"));
        for ((input, expected), batch) in inputs.iter().zip(&expected).zip([1, 5]) {
            let (cosine, difference) = compare(&run(&network, input), expected, batch);
            let line = json!({ "network": name, "batch": batch, "cosine": cosine, "difference": difference });
            writeln!(std::io::stdout(), "{line}").expect("standard output is open");
        }
    }
}

/// Noise for pictures, sentences of several lengths for ids.
fn input(network: &Session, batch: usize) -> Tensor {
    let shape: Vec<usize> = network.inputs()[0].1.iter().map(|extent| extent.unwrap_or(batch)).collect();
    if let [_, channels, height, width] = shape[..] {
        let count = batch * channels * height * width;
        let values = (0..count).map(|index| ((index as f32) * 12.9898).sin() * 2.0).collect();
        return Tensor::f32([batch, channels, height, width], values);
    }
    let length = shape[1];
    let mut ids = vec![0; batch * length];
    for (row, ids) in ids.chunks_mut(length).enumerate() {
        let used = (6 + 9 * row).min(length);
        for (place, id) in ids[..used].iter_mut().enumerate() {
            *id = 200 + (row * 977 + place * 331) as i64 % 20_000;
        }
        ids[0] = 101;
        ids[used - 1] = 102;
    }
    Tensor::i64([batch, length], ids)
}

fn run(network: &Session, input: &Tensor) -> Vec<f32> {
    let mut answer = Vec::new();
    network
        .run(vec![input.clone()], &mut |outputs| answer = outputs[0].data.to_vec())
        .unwrap_or_else(|error| panic!("{error}"));
    answer
}

fn compare(found: &[f32], expected: &[f32], batch: usize) -> (f64, f64) {
    assert_eq!(found.len(), expected.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let width = expected.len() / batch;
    let rows = found.chunks(width).zip(expected.chunks(width));
    let cosine = rows.map(|(a, b)| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()).fold(1.0, f64::min);
    let largest = expected.iter().fold(0.0, |most: f64, value| most.max(f64::from(value.abs())));
    let worst = found.iter().zip(expected).fold(0.0, |most: f64, (a, b)| most.max(f64::from((a - b).abs())));
    (cosine, worst / largest)
}
