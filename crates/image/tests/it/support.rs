//! Golden data and the generated pictures it was made from (see `tests/fixtures/image/make.py`).

use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest, Sha256};
use viewfinder_image::RgbImage;

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/image").join(name)
}

pub(crate) fn read(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("fixture {name}: {error}"))
}

/// The golden cases of one kind; never none.
pub(crate) fn golden(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_slice(&read("golden.json")).unwrap();
    let cases = all[kind].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

pub(crate) fn number(case: &Value, key: &str) -> usize {
    usize::try_from(case[key].as_u64().unwrap()).unwrap()
}

pub(crate) fn sha256(data: &[u8]) -> String {
    let digits = Sha256::digest(data).iter().flat_map(|byte| [byte >> 4, byte & 15]).collect::<Vec<_>>();
    digits.into_iter().map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect()
}

/// The generated picture that a case describes.
pub(crate) fn source(case: &Value) -> RgbImage {
    let source = &case["source"];
    let (width, height) = (number(source, "width"), number(source, "height"));
    let seed = source["seed"].as_u64().unwrap();
    match source["kind"].as_str().unwrap() {
        "noise" => noise(width, height, seed),
        "smooth" => smooth(width, height, seed),
        other => panic!("unknown kind of picture {other}"),
    }
}

pub(crate) fn noise(width: usize, height: usize, seed: u64) -> RgbImage {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    RgbImage::from_raw(width, height, std::iter::repeat_with(next).take(width * height * 3).collect())
}

fn smooth(width: usize, height: usize, seed: u64) -> RgbImage {
    let mut data = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                let wave = (x * (3 + c) + y * (5 - c) + seed as usize * 7) % 510;
                data.push(if wave < 256 { wave } else { 510 - wave - 1 } as u8);
            }
        }
    }
    RgbImage::from_raw(width, height, data)
}
