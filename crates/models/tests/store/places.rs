//! Models that are already on the machine.
use crate::{config, models, sha256};
use std::{fs, path::Path};
use viewfinder_models::{Family, Location, ModelError, NoProgress, Role, State, Store, StoreConfig};

/// Nobody listens there: whoever asks fails.
const NOBODY: &str = "http://127.0.0.1:9";

fn put(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn offline(root: &Path, cache: &Path, text: &str) -> Store {
    Store::open(StoreConfig {
        offline: true,
        immich_caches: vec![cache.to_owned()],
        extra_models: models(text),
        ..config(root, NOBODY)
    })
    .unwrap()
}

fn every_file(folder: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            out.extend(every_file(&entry.path()));
        } else {
            out.push(entry.path().display().to_string());
        }
    }
    out.sort();
    out
}

#[test]
fn an_immich_cache_is_used_in_place() {
    let (root, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cache = cache.path();
    put(cache, "clip/ViT-B-32__openai/config.json", r#"{"embed_dim": 512}"#);
    put(cache, "clip/ViT-B-32__openai/visual/model.onnx", "v");
    put(cache, "clip/ViT-B-32__openai/visual/preprocess_cfg.json", "{}");
    put(cache, "clip/ViT-B-32__openai/textual/model.onnx", "t");
    put(cache, "clip/ViT-B-32__openai/textual/tokenizer.json", "{}");
    put(cache, "clip/ViT-B-32__openai/textual/tokenizer_config.json", "{}");
    put(cache, "facial-recognition/buffalo_l/detection/model.onnx", "d");
    put(cache, "facial-recognition/buffalo_l/recognition/model.onnx", "r");
    put(cache, "ocr/PP-OCRv5_mobile/detection/model.onnx", "od");
    put(cache, "ocr/KOREAN__PP-OCRv5_mobile/recognition/model.onnx", "kr");
    let before = every_file(cache);
    let store = offline(root.path(), cache, "");

    let text = store.files("immich-app/ViT-B-32::openai", Role::Textual, &NoProgress).unwrap();
    assert_eq!(
        (text.name.as_str(), text.family, text.width),
        ("ViT-B-32__openai", Family::OpenClip, Some(512))
    );
    assert_eq!(text.location, Location::ImmichCache);
    assert_eq!(text.model, cache.join("clip/ViT-B-32__openai/textual/model.onnx"));
    let names: Vec<_> = text.extra.keys().map(String::as_str).collect();
    assert_eq!(names, ["config.json", "tokenizer.json", "tokenizer_config.json"]);
    // Sums of the public files do not apply: Immich rewrites the recogniser.
    store.files("buffalo_l", Role::Recognition, &NoProgress).unwrap();
    // Immich keeps one detector for all languages.
    let detector = store.files("KOREAN__PP-OCRv5_mobile", Role::Detection, &NoProgress).unwrap();
    assert_eq!(detector.model, cache.join("ocr/PP-OCRv5_mobile/detection/model.onnx"));
    let reader = store.files("KOREAN__PP-OCRv5_mobile", Role::Recognition, &NoProgress).unwrap();
    assert_eq!(reader.model, cache.join("ocr/KOREAN__PP-OCRv5_mobile/recognition/model.onnx"));
    // Nothing was written there, and nothing copied.
    assert_eq!(every_file(cache), before);
    assert!(!root.path().join("buffalo_l").exists());
    let list = store.list();
    let pack = list.iter().find(|model| model.name == "buffalo_l").unwrap();
    assert!(
        pack.roles
            .iter()
            .all(|role| role.state == State::Present && role.location == Some(Location::ImmichCache))
    );
}

#[test]
fn models_nobody_declared_are_found_in_a_cache() {
    let (root, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cache = cache.path();
    put(cache, "clip/my-clip/config.json", r#"{"embed_dim": 640}"#);
    put(cache, "clip/my-clip/visual/model.onnx", "v");
    put(cache, "clip/my-clip/visual/preprocess_cfg.json", "{}");
    put(cache, "clip/my-chinese/textual/model.onnx", "t");
    put(cache, "facial-recognition/my-faces/detection/model.onnx", "d");
    put(cache, "ocr/my-ocr/recognition/model.onnx", "r");
    put(root.path(), "secret/detection/model.onnx", "not to be reached by name");
    let store = offline(root.path(), cache, "");
    let clip = store.files("my-clip", Role::Visual, &NoProgress).unwrap();
    assert_eq!((clip.family, clip.width), (Family::OpenClip, Some(640)));
    assert_eq!(store.local("my-chinese", Role::Textual).unwrap().family, Family::ChineseClip);
    assert_eq!(store.local("my-faces", Role::Detection).unwrap().family, Family::InsightFace);
    assert_eq!(store.local("my-ocr", Role::Recognition).unwrap().family, Family::PaddleOcr);
    assert!(matches!(store.local("my-ocr", Role::Detection), Err(ModelError::NoRole { .. })));
    let listed: Vec<_> = store.list().into_iter().map(|model| model.name).collect();
    assert!(
        ["my-clip", "my-chinese", "my-faces", "my-ocr"].iter().all(|name| listed.iter().any(|n| n == name))
    );
    for name in ["nobody", "", "..", "../secret", "../../secret", "a/../../secret", "__", "x__..", "secret"] {
        for role in Role::ALL {
            let error = store.files(name, role, &NoProgress).unwrap_err();
            assert!(matches!(error, ModelError::Unknown { .. }), "{name:?}: {error}");
        }
    }
}

#[test]
fn an_incomplete_cache_entry_is_passed_over() {
    let (root, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(cache.path(), "clip/ViT-B-32__openai/textual/model.onnx", "t");
    put(cache.path(), "clip/ViT-B-32__openai/visual/model.onnx", "");
    let store = offline(root.path(), cache.path(), "");
    for role in [Role::Textual, Role::Visual] {
        assert!(matches!(store.local("ViT-B-32__openai", role), Err(ModelError::Missing { .. })), "{role}");
    }
}

#[test]
fn own_files_come_first_and_are_checked() {
    let (root, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let own = own.path();
    put(own, "det.onnx", "mine");
    put(own, "clip/vit-b-16.img.fp32.onnx", "image side");
    put(own, "clip/vit-b-16.txt.fp16.onnx", "text side");
    put(own, "clip/other.img.fp32.onnx", "another");
    put(own, "pack/detection/model.onnx", "d");
    put(own, "pack/recognition/model.onnx", "r");
    let at = |path: &str| own.join(path).display().to_string();
    let text = |sum: &str| {
        format!(
            "[[models]]\nname = \"PP-OCRv6_small\"\nfamily = \"paddle-ocr\"\n[models.detection]\nsha256 = \"{sum}\"\n\
             sources = [{{ file = {:?} }}]\n\
             [[models]]\nname = \"cn-clip/ViT-B-16\"\nfamily = \"chinese-clip\"\nsources = [{{ file = {:?} }}]\n\
             [[models]]\nname = \"mine\"\nfamily = \"insight-face\"\nsources = [{{ file = {:?} }}]\n",
            at("det.onnx"),
            at("clip/vit-b-16"),
            at("pack")
        )
    };
    let store = offline(root.path(), own, &text(&sha256(b"mine")));
    let files = store.files("PP-OCRv6_small", Role::Detection, &NoProgress).unwrap();
    assert_eq!((files.location, files.model), (Location::Own, own.join("det.onnx")));
    let image = store.files("cn-clip/ViT-B-16", Role::Visual, &NoProgress).unwrap();
    assert_eq!(image.model, own.join("clip/vit-b-16.img.fp32.onnx"));
    assert_eq!((image.family, image.width), (Family::ChineseClip, Some(512)));
    let words = store.files("cn-clip/ViT-B-16", Role::Textual, &NoProgress).unwrap();
    assert_eq!(words.model, own.join("clip/vit-b-16.txt.fp16.onnx"));
    assert!(
        store
            .files("mine", Role::Recognition, &NoProgress)
            .unwrap()
            .model
            .ends_with("pack/recognition/model.onnx")
    );

    let wrong = offline(root.path(), own, &text(&"0".repeat(64)));
    assert!(matches!(wrong.local("PP-OCRv6_small", Role::Detection), Err(ModelError::Corrupt { .. })));
    assert!(own.join("det.onnx").exists(), "a user's file is never deleted");
}

#[test]
fn files_put_into_the_store_by_hand_are_taken() {
    let (root, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(root.path(), "cn-clip/RN50/visual/model.onnx", "image side");
    put(root.path(), "cn-clip/RN50/rn50.txt.fp32.onnx", "text side");
    let store = offline(root.path(), cache.path(), "");
    let image = store.files("cn-clip/RN50", Role::Visual, &NoProgress).unwrap();
    assert_eq!((image.location, image.width), (Location::Store, Some(1024)));
    assert_eq!(image.sha256, Some(sha256(b"image side")));
    assert!(
        store
            .files("cn-clip/RN50", Role::Textual, &NoProgress)
            .unwrap()
            .model
            .ends_with("rn50.txt.fp32.onnx")
    );
    // From now on a change shows.
    fs::write(&image.model, "image side, changed").unwrap();
    assert!(matches!(store.local("cn-clip/RN50", Role::Visual), Err(ModelError::Corrupt { .. })));
}

#[test]
fn a_model_without_onnx_sources_says_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let own = "[[models]]\nname = \"mine\"\nfamily = \"chinese-clip\"\n[models.visual]\n";
    let extra_models = models(own);
    let store = Store::open(StoreConfig { extra_models, ..config(root.path(), NOBODY) }).unwrap();
    let error = store.files("mine", Role::Visual, &NoProgress).unwrap_err();
    assert!(matches!(error, ModelError::NoSource { .. }));
    let text = error.to_string();
    for part in ["mine/visual/model.onnx", "<prefix>.img.fp32.onnx", "[[models]]"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(matches!(store.files("buffalo_l", Role::Visual, &NoProgress), Err(ModelError::NoRole { .. })));
}
