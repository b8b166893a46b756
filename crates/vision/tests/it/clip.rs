//! Chinese-CLIP against the `cn-clip` package; Immich's families against its own machine-learning server.

use serde_json::Value;
use viewfinder_image::RgbImage;
use viewfinder_vision::clip::{
    ChineseTokenizer, HfFamily, HfText, ImagePreprocess, TextTokenizer, declared_side, embed_image,
    embed_images, embed_text,
};

use crate::support::{bytes, cosine, immich_picture, json, numbers, open, picture};

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: off by {worst}");
}

fn assert_same_direction(found: &[f32], expected: &[f32], at_least: f64, what: &str) {
    let cosine = cosine(found, expected);
    assert!(cosine >= at_least, "{what}: cosine {cosine}");
}

#[test]
fn chinese_token_ids_are_those_of_the_reference() {
    let tokenizer = ChineseTokenizer::new();
    let mut texts = 0;
    for file in ["clip/golden.json", "clip/golden_vit_b_16.json", "clip/tokens.json"] {
        for (text, expected) in json(file)["tokens"].as_object().unwrap() {
            let mut expected: Vec<i64> =
                expected.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
            expected.resize(52, 0);
            assert_eq!(tokenizer.encode(text), expected, "{text:?}");
            texts += 1;
        }
    }
    assert!(texts > 300, "only {texts} texts compared");
}

#[test]
fn chinese_sentences_have_the_vectors_of_the_reference() {
    let network = open("models/tiny.txt.onnx");
    let tokenizer = TextTokenizer::Chinese(ChineseTokenizer::new());
    let golden = json("clip/golden.json");
    let texts = golden["models"]["tiny"]["texts"].as_object().unwrap();
    assert_eq!(texts.len(), 25);
    for (text, expected) in texts {
        let found = embed_text(text, None, &network, &tokenizer).unwrap();
        assert_close(&found, &numbers(expected), 1e-4, text);
    }
}

#[test]
fn chinese_pictures_have_the_vectors_of_the_reference() {
    let network = open("models/tiny.img.onnx");
    let preprocess = ImagePreprocess::chinese(declared_side(&network).unwrap());
    let golden = json("clip/golden.json");
    let images = golden["models"]["tiny"]["images"].as_object().unwrap();
    assert_eq!(images.len(), 4);
    let pictures: Vec<RgbImage> = images.keys().map(|name| picture(&format!("clip/{name}"), false)).collect();
    let together = embed_images(&pictures.iter().collect::<Vec<_>>(), &network, &preprocess).unwrap();
    for (((name, expected), picture), batched) in images.iter().zip(&pictures).zip(&together) {
        let found = embed_image(picture, &network, &preprocess).unwrap();
        assert_same_direction(&found, &numbers(expected), 0.9999, name);
        assert_close(batched, &found, 1e-5, "in a batch");
    }
}

const MODEL: &str = "immich-cache/clip/ViT-B-32__openai";

/// Vectors come from Immich's server as text within its answer.
fn vector(answer: &Value) -> Vec<f32> {
    serde_json::from_str(answer["clip"].as_str().unwrap()).unwrap()
}

#[test]
fn sentences_have_the_vectors_of_immich() {
    let network = open(&format!("{MODEL}/textual/model.onnx"));
    let text = HfText::open(
        &bytes(&format!("{MODEL}/textual/tokenizer.json")),
        &bytes(&format!("{MODEL}/textual/tokenizer_config.json")),
        &bytes(&format!("{MODEL}/config.json")),
        HfFamily::OpenClip,
    );
    let tokenizer = TextTokenizer::HuggingFace(Box::new(text.unwrap()));
    let golden = json("immich-ml/ocr.json");
    let texts = golden["texts"].as_object().unwrap();
    assert_eq!(texts.len(), 7);
    for (text, answer) in texts {
        // This model takes no notice of the language.
        let found = embed_text(text, Some("zh-CN"), &network, &tokenizer).unwrap();
        assert_close(&found, &vector(answer), 1e-4, &text.chars().take(30).collect::<String>());
    }
}

#[test]
fn pictures_have_the_vectors_of_immich() {
    let network = open(&format!("{MODEL}/visual/model.onnx"));
    let config = bytes(&format!("{MODEL}/visual/preprocess_cfg.json"));
    let preprocess = ImagePreprocess::from_preprocess_cfg(&config).unwrap();
    let golden = json("immich-ml/faces_clip.json");
    let images = golden["images"].as_object().unwrap();
    assert_eq!(images.len(), 6);
    let pictures: Vec<RgbImage> = images.keys().map(|name| immich_picture(name)).collect();
    // Immich's networks take one picture at a time.
    let together = embed_images(&pictures.iter().collect::<Vec<_>>(), &network, &preprocess).unwrap();
    for ((name, answers), found) in images.iter().zip(&together) {
        assert_same_direction(found, &vector(&answers["clip"]), 0.9999, name);
    }
}
