//! Which models may search each other's pictures.
use crate::{config, models};
use std::{fs, path::Path};
use viewfinder_models::{Agreement, Disagreement, ModelError, NoProgress, Role, Store, StoreConfig};

/// A store with a variant whose picture network was measured.
fn measured(root: &Path, least: f64) -> Store {
    let text = "[[models]]\nname = \"a\"\naliases = [\"same\"]\nfamily = \"chinese-clip\"\n\
                sources = [{ huggingface = \"o/n\" }]\n\
                [[models]]\nname = \"b\"\nfamily = \"chinese-clip\"\nsources = [{ huggingface = \"o/n\" }]\n";
    let store = Store::open(StoreConfig { extra_models: models(text), ..config(root, "unused:") }).unwrap();
    let files = store.install("a@int8", Role::Visual, |folder| -> Result<(), ModelError> {
        fs::write(folder.join("model.onnx"), "weights").unwrap();
        Agreement { base: "a".into(), base_sha256: None, least, mean: 0.999, samples: 8 }.write(folder)
    });
    assert!(files.unwrap().model.ends_with("a@int8/visual/model.onnx"));
    store
}

#[test]
fn precisions_search_each_other_only_as_far_as_they_agree() {
    let folder = tempfile::tempdir().unwrap();
    let store = measured(folder.path(), 0.995);
    for same in [("a", "a"), ("a", "same"), ("same@int8", "a@int8"), ("unknown", "unknown")] {
        store.may_search(same.0, same.1, Role::Textual, 1.0).unwrap();
    }
    store.may_search("a@int8", "a", Role::Textual, 0.99).unwrap();
    assert!(matches!(
        store.may_search("a@int8", "a", Role::Textual, 0.999),
        Err(Disagreement::Loose { found, .. }) if (found - 0.995).abs() < 1e-12
    ));
    // A picture asks as well as a sentence, by the network that was measured.
    store.may_search("a", "a@int8", Role::Visual, 0.99).unwrap();
    store.may_search("a@int8", "a", Role::Visual, 0.99).unwrap();
    assert!(matches!(
        store.may_search("a", "a@int8", Role::Visual, 0.999),
        Err(Disagreement::Loose { role: Role::Visual, .. })
    ));
    // Nobody ever made these.
    for (pictures, sentences) in [("a", "a@int8"), ("a@fp16", "a"), ("a@int8", "a@fp16")] {
        let error = store.may_search(pictures, sentences, Role::Textual, 0.99).unwrap_err();
        assert!(matches!(error, Disagreement::Unmeasured { .. }), "{pictures} {sentences}: {error}");
    }
    for (pictures, sentences) in [("a", "b"), ("a@int8", "b@int8"), ("a", "unknown")] {
        let error = store.may_search(pictures, sentences, Role::Textual, 0.0).unwrap_err();
        assert!(matches!(error, Disagreement::Models { .. }), "{pictures} {sentences}: {error}");
    }
}

#[test]
fn variants_are_listed_once_made_and_say_how_to_make_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = measured(folder.path(), 0.995);
    let names: Vec<String> =
        store.list().into_iter().map(|model| model.name).filter(|name| name.contains('@')).collect();
    assert_eq!(names, ["a@int8"]);
    let error = store.files("a@int8", Role::Textual, &NoProgress).unwrap_err();
    assert!(matches!(error, ModelError::NotMade { .. }));
    assert!(error.to_string().contains("viewfinder models quantize a --precision int8"), "{error}");
    assert!(store.remove("a@int8").unwrap() > 0);
    assert!(!folder.path().join("a@int8").exists());
}

#[test]
fn what_cannot_be_made_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = measured(folder.path(), 0.995);
    let before = fs::read(folder.path().join("a@int8/visual/model.onnx")).unwrap();
    let failed = store.install("a@int8", Role::Visual, |folder| {
        fs::write(folder.join("model.onnx"), "half").unwrap();
        Err(ModelError::Conversion("no".into()))
    });
    assert_eq!(failed.unwrap_err().to_string(), "no");
    assert_eq!(fs::read(folder.path().join("a@int8/visual/model.onnx")).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path().join(".archives")).unwrap().count(), 0);
}
