//! Checkpoints of the real tools, and the same weights in every format.
use crate::support::{floats, one_tensor, open, torch};
use half::f16;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use viewfinder_convert::checkpoint::{Checkpoint, CheckpointError, Dtype, Weights};
use viewfinder_test_support::{
    checkpoint::{
        Architecture, Format, Precision, RN50, TINY, VIT_B_16, VIT_H_14, VIT_L_14, VIT_L_14_336, Vision,
        write,
    },
    fixtures,
    pickle::Pickle,
};
use zip::CompressionMethod::{Deflated, Stored};

const FORMATS: [Format; 4] =
    [Format::CnClip, Format::FlashAttention, Format::HuggingFace, Format::Safetensors];

fn written(folder: &TempDir, model: &Architecture, format: Format, precision: Precision) -> PathBuf {
    // The name says nothing: the format is found by content.
    let path = folder.path().join(format!("{format:?}.{precision:?}"));
    write(&path, model, format, precision).unwrap();
    path
}

fn weights(path: &Path) -> Weights {
    Weights::new(Checkpoint::open(path).unwrap()).unwrap()
}

#[test]
fn pytorchs_own_file_holds_the_made_up_weights() {
    let checkpoint = Checkpoint::open(&fixtures().join("models/tiny.pt")).unwrap();
    let tensors = TINY.tensors();
    let expected: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), expected);
    let mut buffer = vec![1.0; 9];
    for tensor in &tensors {
        let info = checkpoint.info(&tensor.name).unwrap();
        assert_eq!((info.shape, info.dtype), (tensor.shape.as_slice(), Dtype::F32), "{}", tensor.name);
        checkpoint.read_into(&tensor.name, &mut buffer).unwrap();
        assert_eq!(buffer, tensor.weights(), "{}", tensor.name);
    }
    assert_eq!(checkpoint.read("logit_scale").unwrap(), [2.659_26]);
}

#[test]
fn every_format_gives_the_same_weights() {
    let folder = TempDir::new().unwrap();
    for format in FORMATS {
        let weights = weights(&written(&folder, &TINY, format, Precision::Single));
        for tensor in TINY.tensors() {
            assert!(weights.contains(&tensor.name), "{format:?}: {}", tensor.name);
            assert_eq!(weights.shape(&tensor.name).unwrap(), tensor.shape, "{format:?}: {}", tensor.name);
            let read = weights.read(&tensor.name, &tensor.shape).unwrap();
            assert!(read == tensor.weights(), "{format:?}: {}", tensor.name);
        }
        assert_eq!(weights.layers("visual.transformer.resblocks").unwrap(), 2);
        assert_eq!(weights.layers("bert.encoder.layer").unwrap(), 2);
        assert_eq!(weights.layers("visual.layer1").unwrap(), 0);
        assert!(!weights.contains("bert.encoder.layer.2.output.dense.bias"));
    }
}

#[test]
fn derived_files_have_hugging_faces_own_names() {
    let names = std::fs::read(fixtures().join("models/tiny.hf.json")).unwrap();
    let names: BTreeMap<String, Vec<usize>> = serde_json::from_slice(&names).unwrap();
    let folder = TempDir::new().unwrap();
    for format in [Format::HuggingFace, Format::Safetensors] {
        let checkpoint = Checkpoint::open(&written(&folder, &TINY, format, Precision::Half)).unwrap();
        let found = checkpoint.tensors().map(|tensor| (tensor.name.to_owned(), tensor.shape.to_vec()));
        // Older versions keep these in the file.
        let found = found.filter(|(name, _)| !name.ends_with(".position_ids"));
        assert_eq!(found.collect::<BTreeMap<_, _>>(), names, "{format:?}");
    }
}

#[test]
fn half_precision_is_widened() {
    let folder = TempDir::new().unwrap();
    let rounded = |value: f32| f16::from_f32(value).to_f32();
    for format in FORMATS {
        let weights = weights(&written(&folder, &TINY, format, Precision::Half));
        for name in ["visual.proj", "visual.transformer.resblocks.1.attn.in_proj_weight", "logit_scale"] {
            let tensor = TINY.tensors().into_iter().find(|tensor| tensor.name == name).unwrap();
            let expected: Vec<f32> = tensor.weights().into_iter().map(rounded).collect();
            assert_eq!(weights.read(name, &tensor.shape).unwrap(), expected, "{format:?}: {name}");
        }
    }
}

#[test]
fn a_resnet_keeps_its_counters_apart() {
    let vision = Vision::ResNet { stages: [2, 1, 1, 1], width: 8 };
    let model = Architecture { name: "small", resolution: 64, vision, ..TINY };
    let folder = TempDir::new().unwrap();
    // Flash attention is only in the text's network then.
    for format in [Format::CnClip, Format::FlashAttention] {
        a_resnet_keeps_its_counters_apart_in(
            &model,
            &weights(&written(&folder, &model, format, Precision::Single)),
        );
    }
}

fn a_resnet_keeps_its_counters_apart_in(model: &Architecture, weights: &Weights) {
    for tensor in model.tensors() {
        let read = weights.read(&tensor.name, &tensor.shape);
        if tensor.is_counter() {
            let error = read.unwrap_err();
            assert!(matches!(error, CheckpointError::Unsupported { .. }), "{error}");
            assert_eq!(weights.checkpoint().info(&tensor.name).unwrap().dtype, Dtype::I64);
        } else {
            assert!(read.unwrap() == tensor.weights(), "{}", tensor.name);
        }
    }
    assert_eq!(weights.layers("visual.layer1").unwrap(), 2);
    assert_eq!(weights.layers("visual.layer4").unwrap(), 1);
    assert_eq!(weights.layers("visual.transformer.resblocks").unwrap(), 0);
}

#[test]
fn published_architectures_have_their_published_sizes() {
    // Parameters as the models' authors count them, in millions.
    let sizes = [(RN50, 77), (VIT_B_16, 188), (VIT_L_14, 406), (VIT_L_14_336, 407), (VIT_H_14, 958)];
    for (model, millions) in sizes {
        let weights = model.tensors().into_iter().filter(|tensor| !tensor.name.contains("running_"));
        let parameters: usize = weights.map(|tensor| tensor.len()).sum();
        assert_eq!((parameters + 500_000) / 1_000_000, millions, "{}", model.name);
    }
}

#[test]
fn wrong_and_missing_tensors_are_named() {
    let folder = TempDir::new().unwrap();
    for format in FORMATS {
        let weights = weights(&written(&folder, &TINY, format, Precision::Half));
        let wrong = weights.read("visual.proj", &[32, 128]).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "tensor \"visual.proj\" should have the shape [32, 128] and has [128, 32]"
        );
        let missing = weights.read("visual.transformer.resblocks.2.attn.in_proj_bias", &[384]).unwrap_err();
        let name = match format {
            Format::CnClip => "visual.transformer.resblocks.2.attn.in_proj_bias",
            Format::FlashAttention => "visual.transformer.resblocks.2.attn.Wqkv.bias",
            _ => "vision_model.encoder.layers.2.self_attn.q_proj.bias",
        };
        assert_eq!(missing.to_string(), format!("tensor {name:?} is missing"));
        if format == Format::FlashAttention {
            let missing = weights.read("bert.encoder.layer.2.attention.self.key.bias", &[64]).unwrap_err();
            let name = "bert.encoder.layer.2.attention.self.Wqkv.bias";
            assert_eq!(missing.to_string(), format!("tensor {name:?} is missing"));
        }
        let never = weights.read("visual.layer1.0.conv1.weight", &[]).unwrap_err();
        assert_eq!(never.to_string(), "tensor \"visual.layer1.0.conv1.weight\" is missing");
    }
}

#[test]
fn attention_that_is_no_stack_of_three_is_refused() {
    let entry = |pickle: Pickle, name: &str| pickle.text(name).tensor("FloatStorage", "0", 4, 0, &[4], &[1]);
    let names = ["visual.conv1.weight", "bert.encoder.layer.0.attention.self.Wqkv.weight"];
    let pickle = names.into_iter().fold(Pickle::new().raw(b"}("), entry).raw(b"u").finish();
    let weights = Weights::new(open(&torch(&pickle, &[&floats(&[1.0; 4])], Stored)).unwrap()).unwrap();
    assert_eq!(
        weights.read("bert.encoder.layer.0.attention.self.key.weight", &[1]).unwrap_err().to_string(),
        "\"bert.encoder.layer.0.attention.self.Wqkv.weight\" is damaged: it should be query, key and value, one below the other"
    );
}

#[test]
fn a_gap_between_layers_is_an_error() {
    let entry = |pickle: Pickle, name: &str| pickle.text(name).tensor("FloatStorage", "0", 1, 0, &[1], &[1]);
    let names = ["visual.conv1.weight", "visual.layer1.0.x", "visual.layer1.2.x"];
    let pickle = names.into_iter().fold(Pickle::new().raw(b"}("), entry).raw(b"u").finish();
    let weights = Weights::new(open(&torch(&pickle, &[&floats(&[1.0])], Stored)).unwrap()).unwrap();
    assert_eq!(
        weights.layers("visual.layer1").unwrap_err().to_string(),
        "tensor \"visual.layer1.1\" is missing"
    );
}

#[test]
fn weights_of_another_model_are_refused() {
    let checkpoint = open(&torch(&one_tensor(1, 0, &[1], &[1]), &[&floats(&[1.0])], Stored)).unwrap();
    let error = Weights::new(checkpoint).unwrap_err();
    assert!(matches!(error, CheckpointError::NotChineseClip { .. }), "{error}");
    assert!(error.to_string().contains("visual.conv1.weight"), "{error}");
}

#[test]
fn parameters_and_compressed_members_are_read() {
    // A parameter, as `torch.save` writes modules' own tensors, beside what no tensor needs.
    let pickle = Pickle::new()
        .raw(b"}(")
        .text("w")
        .global("torch._utils", "_rebuild_parameter")
        .raw(b"(")
        .tensor("FloatStorage", "0", 4, 1, &[3], &[1])
        .raw(b"\x88")
        .ordered_dict()
        .raw(b"tR")
        .text("learning_rate")
        .raw(b"G\x3f\xf0\0\0\0\0\0\0")
        .text("dtype")
        .global("torch", "float16")
        .text("seed")
        .int(1 << 40)
        .raw(b"u")
        .finish();
    for method in [Stored, Deflated] {
        let checkpoint = open(&torch(&pickle, &[&floats(&[0.5, 1.5, -2.5, 3.5])], method)).unwrap();
        assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["w"]);
        assert_eq!(checkpoint.read("w").unwrap(), [1.5, -2.5, 3.5]);
    }
}

#[test]
fn threads_share_a_checkpoint() {
    let checkpoint = Checkpoint::open(&fixtures().join("models/tiny.pt")).unwrap();
    let (checkpoint, tensors) = (&checkpoint, TINY.tensors());
    std::thread::scope(|scope| {
        for part in tensors.chunks(tensors.len() / 3) {
            scope.spawn(move || {
                for tensor in part {
                    assert!(checkpoint.read(&tensor.name).unwrap() == tensor.weights(), "{}", tensor.name);
                }
            });
        }
    });
}
