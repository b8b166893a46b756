//! What stands in for the engine: known vectors for known words, and the answer that a real Immich was given for a picture.
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::Value;
use viewfinder_core::{PictureTask, ocr};
use viewfinder_test_support::{Contents, FakeBackend};

/// Numbers in a vector, as in Immich's column.
pub(crate) const WIDTH: usize = 512;

/// A direction for words: those that begin alike point alike.
pub(crate) fn direction(text: &str, width: usize) -> Vec<f32> {
    let axis = |text: &str| text.bytes().next().map_or(0, usize::from);
    let mut vector = vec![0.0; width];
    for word in text.split_whitespace() {
        vector[axis(word) % width] += 2.0;
    }
    vector
}

/// It makes vectors of so many numbers.
pub(crate) fn backend(width: &Arc<AtomicUsize>) -> FakeBackend {
    let (of_pictures, of_sentences) = (Arc::clone(width), Arc::clone(width));
    FakeBackend::looking(move |request| {
        let (size, lines) = captured();
        let lines = if request.bytes.is_empty() { vec![] } else { lines };
        // What is embedded are words here; what is read is a picture.
        let text = std::str::from_utf8(&request.bytes).unwrap_or_default();
        let vector = direction(text, of_pictures.load(Ordering::Relaxed));
        Ok(Contents { size, lines, vector, ..Contents::default() })
    })
    .understanding(move |request| direction(&request.text, of_sentences.load(Ordering::Relaxed)))
}

/// What it was asked, pictures first.
pub(crate) fn asked(backend: &FakeBackend) -> Vec<String> {
    let pictures = backend.pictures.lock().unwrap();
    let pictures = pictures.iter().map(|request| match &request.tasks[..] {
        [PictureTask::Embed { model }] => format!("embed {model}"),
        [PictureTask::Text { detection, options, .. }] => format!(
            "read {detection} {} {} {}",
            options.detection_min_score, options.recognition_min_score, options.max_resolution
        ),
        other => panic!("nobody asks {other:?}"),
    });
    let sentences = backend.sentences.lock().unwrap();
    let sentences = sentences.iter().map(|request| {
        format!(
            "sentence {} {} {}",
            request.model,
            request.text,
            request.language.as_deref().unwrap_or_default()
        )
    });
    pictures.chain(sentences).collect()
}

/// The answer that Immich 2.7.5 got from its machine-learning server in a recorded run: size of the picture, and lines.
fn captured() -> ([usize; 2], Vec<ocr::Line>) {
    let file =
        viewfinder_test_support::fixtures().join("immich-2.7.5/ml/ocr-detection-recognition.response.json");
    let answer: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let size = ["imageWidth", "imageHeight"].map(|side| answer[side].as_u64().unwrap() as usize);
    let found = &answer["ocr"];
    let number = |list: &str, at: usize| found[list][at].as_f64().unwrap();
    let texts = found["text"].as_array().unwrap();
    let line = |(at, text): (usize, &Value)| ocr::Line {
        text: text.as_str().unwrap().to_owned(),
        score: number("textScore", at),
        region_score: number("boxScore", at) as f32,
        corners: [0, 1, 2, 3].map(|corner| {
            [0, 1].map(|axis| (number("box", at * 8 + corner * 2 + axis) * size[axis] as f64) as f32)
        }),
    };
    (size, texts.iter().enumerate().map(line).collect())
}
