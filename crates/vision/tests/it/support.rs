//! Reference files, and networks that run for real.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use serde_json::Value;
use viewfinder_convert::tune;
use viewfinder_core::Alpha;
use viewfinder_engine::runtime::{Calls, Cores, Device, Library, Runtime, RuntimeConfig, Session};
use viewfinder_image::{Limits, RgbImage, decode};
use viewfinder_test_support::{fixtures, ort_library};

/// Opens a network of the fixtures.
pub(crate) fn open(file: &str) -> Session {
    open_file(&fixtures().join(file))
}

/// Opens any network.
pub(crate) fn open_file(file: &Path) -> Session {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let library = Library::load(&ort_library()).unwrap();
        let config = RuntimeConfig { device: Device::Cpu, device_id: 0, cpu_fallback: false, threads: 1 };
        Runtime::new(library, config, Arc::new(Cores::new(2))).unwrap()
    });
    // As the engine opens networks for a processor.
    match tune(file).unwrap() {
        Some(graph) => runtime.open_rewritten(file, &graph, Calls::OnePerPicture).unwrap(),
        None => runtime.open(file, Calls::OnePerPicture).unwrap(),
    }
}

/// A file of the fixtures.
pub(crate) fn bytes(file: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A reference answer.
pub(crate) fn json(file: &str) -> Value {
    serde_json::from_slice(&bytes(file)).unwrap()
}

/// A picture of the fixtures, upright as its EXIF orientation says or as stored.
pub(crate) fn picture(file: &str, orient: bool) -> RgbImage {
    decode(&bytes(file), &Limits::default()).unwrap().into_rgb(orient, Alpha::Drop)
}

/// A picture that Immich's server was asked about, decoded as it does it.
pub(crate) fn immich_picture(name: &str) -> RgbImage {
    let folder =
        ["faces", "clip", "ocr"].into_iter().find(|folder| fixtures().join(folder).join(name).exists());
    picture(&format!("{}/{name}", folder.expect("the picture is among the fixtures")), false)
}

/// The numbers of a JSON list.
pub(crate) fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

/// Cosine of the angle between two vectors of one length.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
