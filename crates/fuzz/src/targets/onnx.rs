//! Model files: read and written again they say the same, and every rewriting of one is a model again.
use std::path::Path;

use prost::Message as _;
use viewfinder_convert::{
    onnx::{ModelFile, proto::Model},
    precision::{fp16, int8},
    tune,
};

use crate::scratch::with_file;

pub(super) fn run(input: &[u8]) {
    with_file("model.onnx", input, |file| {
        let Ok(opened) = ModelFile::open(file) else { return };
        let written = opened.model.encode_to_vec();
        let again = Model::decode(written.as_slice()).expect("what was written can be read");
        assert_eq!(again.encode_to_vec(), written);
        for tensor in &opened.graph().initializer {
            if let Ok(bytes) = opened.bytes(tensor) {
                assert!(bytes.len() <= input.len() * 8, "a weight is larger than its file");
            }
            let _ = opened.floats(tensor);
        }
        if let Ok(Some(tuned)) = tune(file) {
            Model::decode(tuned.as_slice()).expect("a rewritten model can be read");
        }
        for (name, convert) in [("fp16.onnx", fp16 as fn(&ModelFile, &Path) -> _), ("int8.onnx", int8)] {
            let out = file.with_file_name(name);
            if convert(&opened, &out).is_ok() {
                ModelFile::open(&out).expect("a converted model can be opened");
            }
        }
    });
}
