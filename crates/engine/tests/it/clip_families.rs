//! Small models of every family in Immich's layout, with made-up weights: as they are and in other precisions, they give the
//! vectors that the packages they come from gave.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use viewfinder_core::{Answer, PictureTask, SentenceRequest, cosine};
use viewfinder_engine::{Engine, EngineConfig};
use viewfinder_image::{RgbImage, encode};
use viewfinder_models::{Role, StoreConfig};
use viewfinder_test_support::fixtures;

use crate::support::{config, request};

/// Side of the pictures that the small networks take.
const SIDE: usize = 32;

/// What the original packages say.
#[derive(Deserialize)]
struct Golden {
    /// The vector of [`picture`], where the model has an image network of its own.
    image: Option<Vec<f32>>,
    /// Vectors of sentences, which may be led by `de: ` for their language.
    text: BTreeMap<String, Vec<f32>>,
}

/// An engine over one model in a cache of Immich's layout. Models without an image network of their own get that of another.
fn engine(folder: &Path, name: &str, images: &str) -> (Engine, Golden) {
    let families = fixtures().join("clip-families");
    let model = folder.join("cache/clip").join(name);
    for (from, role) in [(name, "textual"), (images, "visual")] {
        copy(&families.join(from).join(role), &model.join(role));
    }
    fs::copy(families.join(name).join("config.json"), model.join("config.json")).unwrap();
    let mut models = StoreConfig::new(folder.join("store"));
    models.offline = true;
    models.immich_caches = vec![folder.join("cache")];
    let golden = fs::read(families.join(name).join("golden.json")).unwrap();
    (Engine::new(EngineConfig { models, ..config() }).unwrap(), serde_json::from_slice(&golden).unwrap())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        fs::copy(item.path(), to.join(item.file_name())).unwrap();
    }
}

/// Stripes in three colours.
fn picture() -> RgbImage {
    let mut picture = RgbImage::filled(SIDE, SIDE, [0; 3]);
    for (at, pixel) in picture.data_mut().chunks_exact_mut(3).enumerate() {
        let value = 3 * (at / SIDE) + 5 * (at % SIDE);
        pixel.copy_from_slice(&[value as u8, (value + 70) as u8, (value + 140) as u8]);
    }
    picture
}

/// Compares the vectors of a model with those of the original package.
fn expect(engine: &Engine, model: &str, golden: &Golden, least: f64) {
    let check = |what: &str, found: &[f32], expected: &[f32]| {
        let found = cosine(found, expected);
        assert!(found >= least, "{model}, {what}: {found}");
    };
    if let Some(expected) = &golden.image {
        let task = PictureTask::Embed { model: model.to_owned() };
        let asked = request(encode::png(&picture()).into(), vec![task]);
        let mut answer = engine.picture_blocking(asked).unwrap();
        let Answer::Embedding(found) = answer.answers.remove(0).unwrap() else { panic!("no vector") };
        check("picture", &found, expected);
    }
    for (sentence, expected) in &golden.text {
        let (language, text) = match sentence.strip_prefix("de: ") {
            Some(text) => (Some("de".to_owned()), text),
            None => (None, sentence.as_str()),
        };
        let asked = SentenceRequest { model: model.to_owned(), text: text.to_owned(), language };
        check(sentence, &engine.sentence_blocking(asked).unwrap(), expected);
    }
}

/// Makes and checks both precisions. `visual` and `textual`: how many products with weights each network has; all become
/// integers.
fn quantised(name: &str, images: &str, visual: usize, textual: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (engine, golden) = engine(folder.path(), name, images);
    expect(&engine, name, &golden, 0.999_999);
    for (precision, least) in [("int8", 0.995), ("fp16", 0.9999)] {
        let variant = format!("{name}@{precision}");
        let made = engine.make_variant(&variant, false).unwrap();
        for made in &made {
            let products = if made.files.role == Role::Visual { visual } else { textual };
            if precision == "int8" {
                let found = (made.report.converted, made.report.kept);
                assert_eq!(found, (products, 0), "{variant} {}", made.files.role);
            }
            assert!(made.agreement.least >= least, "{variant}: {:?}", made.agreement);
            let folder: PathBuf = made.files.model.parent().unwrap().into();
            assert!(folder.ends_with(format!("{variant}/{}", made.files.role)));
        }
        expect(&engine, &variant, &golden, least);
        engine.store().may_search(name, &variant, Role::Textual, 0.99).unwrap();
        engine.store().may_search(&variant, name, Role::Visual, 0.99).unwrap();
    }
}

#[test]
fn open_clip() {
    quantised("ViT-B-32__openai", "ViT-B-32__openai", 9, 9);
}

#[test]
fn sig_lip() {
    quantised("ViT-B-16-SigLIP__webli", "ViT-B-16-SigLIP__webli", 13, 9);
}

#[test]
fn open_clip_with_xlm_roberta() {
    quantised("XLM-Roberta-Base-ViT-B-32__laion5b_s13b_b90k", "ViT-B-32__openai", 9, 14);
}

#[test]
fn nllb() {
    quantised("nllb-clip-base-siglip__v1", "ViT-B-16-SigLIP__webli", 13, 13);
}

/// Its weights lie in files of their own, as those of models beyond two gigabytes do.
#[test]
fn m_clip() {
    quantised("XLM-Roberta-Large-Vit-B-32", "ViT-B-32__openai", 9, 13);
}
