//! Made-up pictures and what is found in them.
use viewfinder_catalog::{
    AssetId, ContentHash, FaceRecord, FileRecord, Finding, Outcome, Properties, Store, TextExpr, TextLine,
};

use crate::places::wait;

pub(crate) const OCR_MODEL: &str = "PP-OCRv6_small";
pub(crate) const CLIP_MODEL: &str = "cn-clip/ViT-B-16";
pub(crate) const FACE_MODEL: &str = "buffalo_l";

pub(crate) fn hash(content: u64) -> ContentHash {
    let mut hash = [7; 32];
    hash[..8].copy_from_slice(&content.to_le_bytes());
    hash
}

pub(crate) fn file(path: &str, content: u64) -> FileRecord {
    FileRecord {
        path: path.to_owned(),
        size: 1000 + content,
        modified_ns: 5_000_000_000,
        hash: hash(content),
    }
}

pub(crate) fn taken(taken_ms: i64) -> Properties {
    Properties { width: Some(4000), height: Some(3000), taken_ms: Some(taken_ms) }
}

/// Adds a picture.
pub(crate) fn add(store: &dyn Store, path: &str, content: u64) -> AssetId {
    wait(store.put_files(&[(file(path, content), taken(content as i64))])).unwrap()[0]
}

/// A line at the height `y`, 0 to 1.
pub(crate) fn line(text: &str, y: f32) -> TextLine {
    TextLine {
        text: text.to_owned(),
        score: 0.875,
        corners: [[0.1, y], [0.9, y], [0.9, y + 0.04], [0.1, y + 0.04]],
        corrected: false,
    }
}

/// Lines below each other.
pub(crate) fn lines(texts: &[&str]) -> Vec<TextLine> {
    texts.iter().enumerate().map(|(i, text)| line(text, 0.05 * i as f32)).collect()
}

pub(crate) fn outcome(asset: AssetId, content: u64, model: &str, finding: Finding) -> Outcome {
    Outcome { asset, hash: hash(content), model: model.to_owned(), at_ms: 1_700_000_000_000, finding }
}

/// Adds a picture with text.
pub(crate) fn add_text(store: &dyn Store, path: &str, content: u64, texts: &[&str]) -> AssetId {
    let id = add(store, path, content);
    wait(store.record(&[outcome(id, content, OCR_MODEL, Finding::Text(lines(texts)))])).unwrap();
    id
}

/// Adds a picture with a vector.
pub(crate) fn add_vector(
    store: &dyn Store,
    path: &str,
    content: u64,
    model: &str,
    vector: &[f32],
) -> AssetId {
    let id = add(store, path, content);
    wait(store.record(&[outcome(id, content, model, Finding::Embedding(unit(vector)))])).unwrap();
    id
}

pub(crate) fn face(x: f32, embedding: &[f32]) -> FaceRecord {
    FaceRecord { corners: [x, 0.2, x + 0.1, 0.4], score: 0.75, embedding: unit(embedding), person: None }
}

pub(crate) fn unit(vector: &[f32]) -> Vec<f32> {
    let length = dot(vector, vector).sqrt();
    vector.iter().map(|value| value / length).collect()
}

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Numbers that look random, the same in each run.
pub(crate) fn noise(seed: u64, width: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..width).map(|_| next()).collect()
}

pub(crate) fn word(word: &str) -> TextExpr {
    TextExpr::Word(word.to_owned())
}

pub(crate) fn letters(text: &str) -> TextExpr {
    TextExpr::Letters(text.to_owned())
}
