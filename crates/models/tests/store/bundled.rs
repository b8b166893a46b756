//! What came with the program, in a folder that is never written.
use crate::{config, models, sha256, weights};
use std::{fs, path::Path};
use viewfinder_models::{
    Location, ModelError, NoProgress, Role, RuntimeFlavour, State, Store, StoreConfig, Verdict,
};

const NOBODY: &str = "http://127.0.0.1:9";

/// A detector whose sum is known, and a runtime that nobody offers.
fn catalogue(sum: &str) -> String {
    format!(
        "[[models]]\nname = \"x\"\nfamily = \"paddle-ocr\"\n[models.detection]\nsha256 = \"{sum}\"\n\
         [[models]]\nname = \"runtime\"\nfamily = \"runtime\"\n"
    )
}

/// Opens a store on `root`, which puts what is there by hand under its manifests.
fn filled(root: &Path, model: &[u8], text: &str) {
    let put = |path: &str, content: &[u8]| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    put("x/detection/model.onnx", model);
    put("runtime/cpu/libonnxruntime.so.1.30.0", b"library");
    let manifest = format!(
        r#"{{"files":{{"libonnxruntime.so.1.30.0":{{"bytes":7,"sha256":"{}","modified_ns":1}}}}}}"#,
        sha256(b"library")
    );
    put("runtime/cpu/manifest.json", manifest.as_bytes());
    let store = Store::open(StoreConfig { extra_models: models(text), ..config(root, NOBODY) }).unwrap();
    store.local("x", Role::Detection).unwrap();
}

fn open(own: &Path, bundled: &Path, text: &str) -> Store {
    Store::open(StoreConfig {
        bundled: Some(bundled.to_owned()),
        offline: true,
        extra_models: models(text),
        ..config(own, NOBODY)
    })
    .unwrap()
}

#[test]
fn what_came_with_the_program_is_used_after_the_users_own_and_never_written() {
    let [own, bundled] = [(), ()].map(|()| tempfile::tempdir().unwrap());
    let model = weights(20, 5_000);
    let text = catalogue(&sha256(&model));
    filled(bundled.path(), &model, &text);
    let manifest = bundled.path().join("x/detection/manifest.json");
    // As after a copy that lost the times: the sum tells, and nobody writes the new time down.
    let file = fs::File::options().write(true).open(manifest.with_file_name("model.onnx")).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let before = [manifest.clone(), bundled.path().join("runtime/cpu/manifest.json")]
        .map(|path| fs::read(path).unwrap());

    let store = open(own.path(), bundled.path(), &text);
    let files = store.files("x", Role::Detection, &NoProgress).unwrap();
    assert_eq!((files.location, &files.sha256), (Location::Bundled, &Some(sha256(&model))));
    assert!(files.model.starts_with(bundled.path()));
    let library = store.fetch_runtime_library(RuntimeFlavour::Cpu, &NoProgress).unwrap();
    assert!(library.starts_with(bundled.path()));
    assert!(
        store.has_runtime_library(RuntimeFlavour::Cpu) && !store.has_runtime_library(RuntimeFlavour::Cuda)
    );
    let list = store.list();
    let listed = list.iter().find(|model| model.name == "x").unwrap();
    assert_eq!((listed.roles[0].state, listed.roles[0].location), (State::Present, Some(Location::Bundled)));
    assert!(list.iter().find(|model| model.name == "runtime").unwrap().library.is_some());
    for name in ["x", "runtime"] {
        assert!(matches!(store.verify(Some(name)).unwrap()[0].verdict, Verdict::Good), "{name}");
        assert_eq!(store.remove(name).unwrap(), 0, "{name}");
    }
    let after =
        [manifest, bundled.path().join("runtime/cpu/manifest.json")].map(|path| fs::read(path).unwrap());
    assert_eq!(before, after);

    // The user's own comes first.
    filled(own.path(), &model, &text);
    let files = store.local("x", Role::Detection).unwrap();
    assert_eq!(files.location, Location::Store);
    assert!(store.locate_runtime_library(RuntimeFlavour::Cpu).unwrap().starts_with(own.path()));
}

#[test]
fn what_came_damaged_is_passed_over() {
    let [own, bundled] = [(), ()].map(|()| tempfile::tempdir().unwrap());
    let model = weights(21, 5_000);
    let text = catalogue(&sha256(&model));
    filled(bundled.path(), &model, &text);
    fs::write(bundled.path().join("x/detection/model.onnx"), b"shorter").unwrap();
    fs::write(bundled.path().join("runtime/cpu/libonnxruntime.so.1.30.0"), b"another").unwrap();
    let store = open(own.path(), bundled.path(), &text);
    assert!(matches!(store.local("x", Role::Detection), Err(ModelError::Missing { .. })));
    assert!(!store.has_runtime_library(RuntimeFlavour::Cpu));
    assert!(matches!(store.verify(Some("x")).unwrap()[0].verdict, Verdict::Bad(ModelError::Corrupt { .. })));
}
