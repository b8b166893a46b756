use std::path::Path;

use bytes::Bytes;
use viewfinder_core::{Alpha, DecodeRules, PictureRequest, PictureTask, ocr::Options};
use viewfinder_engine::runtime::Device;
use viewfinder_engine::{Engine, EngineConfig};
use viewfinder_models::{Catalogue, StoreConfig};
use viewfinder_test_support as support;

pub(crate) const OCR: &str = "PP-OCRv6_small";

/// The test store, the fixtures' cache in Immich's layout, and a two-layer Chinese-CLIP called `tiny`.
pub(crate) fn config() -> EngineConfig {
    for role in [
        viewfinder_models::Role::Detection,
        viewfinder_models::Role::Classification,
        viewfinder_models::Role::Recognition,
    ] {
        support::model(OCR, role);
    }
    let fixtures = support::fixtures();
    let file = |name: &str| fixtures.join("models").join(name).display().to_string();
    let tiny = format!(
        "[[models]]\nname = \"tiny\"\nfamily = \"chinese-clip\"\nwidth = 32\n\
         [models.visual]\nsources = [{{ file = {:?} }}]\n[models.textual]\nsources = [{{ file = {:?} }}]\n",
        file("tiny.img.onnx"),
        file("tiny.txt.onnx")
    );
    let mut models = StoreConfig::new(support::store().root());
    models.offline = true;
    models.immich_caches = vec![fixtures.join("immich-cache")];
    models.extra_models = Catalogue::parse(&tiny).unwrap();
    let mut config = EngineConfig::new(models);
    config.library = Some(support::ort_library());
    config.device = Device::Cpu;
    config.model_ttl = None;
    config
}

pub(crate) fn engine() -> Engine {
    Engine::new(config()).unwrap()
}

pub(crate) fn bytes(fixture: &str) -> Bytes {
    let path = support::fixtures().join(Path::new(fixture));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into()
}

pub(crate) fn request(bytes: Bytes, tasks: Vec<PictureTask>) -> PictureRequest {
    PictureRequest { bytes, decode: DecodeRules { orient: false, alpha: Alpha::Drop, max_side: None }, tasks }
}

pub(crate) fn text() -> PictureTask {
    PictureTask::Text { detection: OCR.into(), recognition: OCR.into(), options: Options::rapidocr() }
}
