//! Chinese-CLIP from its checkpoints, against networks that the original package exported.

use std::{path::Path, sync::Arc};

use serde_json::Value;
use viewfinder_core::{Answer, PictureTask, SentenceRequest};
use viewfinder_engine::runtime::{Calls, Cores, Device, Library, Runtime, RuntimeConfig, Session};
use viewfinder_engine::{Engine, EngineConfig};
use viewfinder_models::{Catalogue, NoProgress, Role, Store, StoreConfig};
use viewfinder_test_support::{
    checkpoint::{self, Format, Precision, RN50, TINY},
    fixtures, ort_library,
};
use viewfinder_vision::{Network as _, Tensor};

use crate::support::{bytes, config, request};

fn run(network: &Session, input: &Tensor) -> Vec<f32> {
    let mut answer = Vec::new();
    network.run(vec![input.clone()], &mut |outputs| answer = outputs[0].data.to_vec()).unwrap();
    answer
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Same direction, and no component further off than a thousandth of the largest.
fn assert_same(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0, |most: f32, value| most.max(value.abs()));
    let worst = found.iter().zip(expected).fold(0.0, |most: f32, (a, b)| most.max((a - b).abs()));
    let cosine = cosine(found, expected);
    assert!(cosine >= 0.99999 && worst <= 1e-3 * largest, "{what}: cosine {cosine}, off by {worst}");
}

/// Numbers between -2 and 2 that look like nothing.
fn noise(count: usize) -> Vec<f32> {
    (0..count).map(|index| ((index as f32) * 12.9898).sin() * 2.0).collect()
}

/// Sentences of several lengths, padded to `length`.
fn sentences(batch: usize, length: usize) -> Tensor {
    let mut ids = vec![0; batch * length];
    for (row, ids) in ids.chunks_mut(length).enumerate() {
        let used = (5 + 2 * row).min(length);
        for (place, id) in ids[..used].iter_mut().enumerate() {
            *id = 200 + (row * 977 + place * 331) as i64 % 20_000;
        }
        ids[0] = 101;
        ids[used - 1] = 102;
    }
    Tensor::i64([batch, length], ids)
}

#[test]
fn networks_made_from_a_checkpoint_are_those_of_the_original_package() {
    let library = Library::load(&ort_library()).unwrap();
    let config = RuntimeConfig { device: Device::Cpu, device_id: 0, cpu_fallback: false, threads: 1 };
    let runtime = Runtime::new(library, config, Arc::new(Cores::new(1))).unwrap();
    let open = |path: &Path| runtime.open(path, Calls::Many).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreConfig::new(folder.path().join("store"))).unwrap();
    let written = |name: &str, format| {
        let path = folder.path().join(name);
        checkpoint::write(&path, &TINY, format, Precision::Single).unwrap();
        path
    };
    let checkpoints = [
        fixtures().join("models/tiny.pt"),
        written("flash_attention.pt", Format::FlashAttention),
        written("pytorch_model.bin", Format::HuggingFace),
        written("model.safetensors", Format::Safetensors),
    ];
    let exported = ["img", "txt"].map(|side| open(&fixtures().join(format!("models/tiny.{side}.onnx"))));
    for checkpoint in &checkpoints {
        let out = folder.path().join("out");
        store.convert(checkpoint, Some(&out), Some(4), &NoProgress).unwrap();
        let [visual, textual] = ["visual", "textual"].map(|role| open(&out.join(role).join("model.onnx")));
        assert_eq!(visual.outputs()[0].0, exported[0].outputs()[0].0);
        assert_eq!(textual.inputs()[0].1, [None, None]);
        for batch in [1, 5] {
            let what = format!("{}, batch of {batch}", checkpoint.display());
            let pictures = Tensor::f32([batch, 3, 64, 64], noise(batch * 3 * 64 * 64));
            assert_same(&run(&visual, &pictures), &run(&exported[0], &pictures), &what);
            let expected = run(&exported[1], &sentences(batch, 52));
            // Padding changes nothing.
            for length in [52, 24, 16] {
                assert_same(&run(&textual, &sentences(batch, length)), &expected, &what);
            }
        }
    }
}

/// An engine whose `cn-clip/RN50` comes from a checkpoint of the full size, with made-up weights.
fn resnet(folder: &Path) -> Engine {
    let checkpoint = folder.join("RN50.pt");
    checkpoint::write(&checkpoint, &RN50, Format::CnClip, Precision::Single).unwrap();
    let entry = format!(
        "[[models]]\nname = \"cn-clip/RN50\"\nfamily = \"chinese-clip\"\n\
         checkpoints = [{{ file = {:?} }}]\n[models.visual]\n[models.textual]\n",
        checkpoint.display().to_string()
    );
    let mut models = StoreConfig::new(folder.join("store"));
    models.extra_models = Catalogue::parse(&entry).unwrap();
    Engine::new(EngineConfig { models, ..config() }).unwrap()
}

fn embed(engine: &Engine, model: &str, picture: &str) -> Vec<f32> {
    let task = PictureTask::Embed { model: model.to_owned() };
    let mut answer = engine.picture_blocking(request(bytes(&format!("clip/{picture}")), vec![task])).unwrap();
    match answer.answers.remove(0).unwrap() {
        Answer::Embedding(vector) => vector,
        other => panic!("{other:?}"),
    }
}

fn embed_text(engine: &Engine, model: &str, text: &str) -> Vec<f32> {
    let request = SentenceRequest { model: model.to_owned(), text: text.to_owned(), language: None };
    engine.sentence_blocking(request).unwrap()
}

#[test]
fn a_full_size_is_converted_on_first_use_and_keeps_its_vectors_in_every_precision() {
    let folder = tempfile::tempdir().unwrap();
    let engine = resnet(folder.path());
    let golden: Value = serde_json::from_slice(&bytes("clip/golden_rn50.json")).unwrap();
    let golden = &golden["models"]["RN50"];
    let vectors = |kind: &str| -> Vec<(String, Vec<f32>)> {
        let numbers = |value: &Value| serde_json::from_value(value.clone()).unwrap();
        golden[kind].as_object().unwrap().iter().map(|(name, value)| (name.clone(), numbers(value))).collect()
    };
    let (images, texts) = (vectors("images"), vectors("texts"));
    assert_eq!((images.len(), texts.len()), (3, 4));
    for (name, expected) in &images {
        assert_same(&embed(&engine, "cn-clip/RN50", name), expected, name);
    }
    for (text, expected) in &texts {
        assert_same(&embed_text(&engine, "cn-clip/RN50", text), expected, text);
    }

    // One is made when it is first asked for, the other on demand; both are compared with the original.
    let made = engine.make_variant("cn-clip/RN50@fp16", false).unwrap();
    assert!(made.iter().all(|made| made.agreement.least >= 0.9999 && made.report.converted > 0), "{made:?}");
    for (model, least) in [("cn-clip/RN50@int8", 0.995), ("cn-clip/RN50@fp16", 0.9999)] {
        for (name, expected) in &images {
            let found = cosine(&embed(&engine, model, name), expected);
            assert!(found >= least, "{model}, {name}: {found}");
        }
        for (text, expected) in &texts {
            let found = cosine(&embed_text(&engine, model, text), expected);
            assert!(found >= least, "{model}, {text}: {found}");
        }
        engine.store().may_search(model, "cn-clip/RN50", Role::Textual, 0.99).unwrap();
        engine.store().may_search("cn-clip/RN50", model, Role::Textual, 0.99).unwrap();
    }
    let agreement = engine.store().agreement("cn-clip/RN50@int8", Role::Visual).unwrap();
    assert!((0.995..=1.0).contains(&agreement.least) && agreement.samples == 8, "{agreement:?}");
    assert_eq!(agreement.base, "cn-clip/RN50");
}
