//! Models that are published as checkpoints, and become ONNX files here.
use crate::{Log, config, models, sha256, store};
use std::{fs, path::Path};
use viewfinder_convert::onnx::ModelFile;
use viewfinder_models::{Location, ModelError, NoProgress, Role, State, Store, StoreConfig, Verdict};
use viewfinder_test_support::{Response, TestServer, fixtures};

const HUB: &str = "{ huggingface = \"o/n\", path = \"weights.pt\" }";
const SCOPE: &str = "{ modelscope = \"o/n\", path = \"weights.pt\" }";

/// A two-layer Chinese-CLIP with the given sources.
fn tiny(width: usize, checkpoints: &str) -> String {
    format!(
        "[[models]]\nname = \"tiny\"\nfamily = \"chinese-clip\"\nwidth = {width}\ntext_heads = 4\n\
         checkpoints = [{checkpoints}]\n[models.visual]\n[models.textual]\n"
    )
}

fn published() -> Vec<u8> {
    fs::read(fixtures().join("models/tiny.pt")).unwrap()
}

/// Everything below a folder but the locks, which stay.
fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).into_iter().flatten() {
        let path = item.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == ".locks" {
            continue;
        }
        if path.is_dir() {
            found.extend(files_below(&path).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

#[test]
fn one_interrupted_download_becomes_both_networks() {
    let folder = tempfile::tempdir().unwrap();
    let data = published();
    let server = TestServer::answering({
        let data = data.clone();
        move |request, before| match before {
            0 => Response::ok(&data).with("ETag", "\"published\"").cut(1_000_000),
            _ => Response::range(request, &data).with("ETag", "\"published\""),
        }
    });
    let store = store(folder.path(), &server.url(), &tiny(32, HUB));
    let log = Log::default();
    let files = store.pull("tiny", &log).unwrap();
    assert_eq!(files.iter().map(|files| files.role).collect::<Vec<_>>(), [Role::Visual, Role::Textual]);
    assert!(files.iter().all(|files| files.location == Location::Store && files.sha256.is_some()));
    let ranges: Vec<_> = server.requests().iter().map(|r| r.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some("bytes=1000000-".into())]);
    let lines = log.lines();
    for line in ["begin tiny weights Some(7841717)", "begin tiny visual None", "begin tiny textual None"] {
        assert!(lines.contains(&line.to_owned()), "{line}: {lines:?}");
    }
    for files in &files {
        let model = ModelFile::open(&files.model).unwrap();
        assert_eq!(model.metadata("viewfinder.source_sha256"), Some(sha256(&data).as_str()));
        assert_eq!(model.metadata("viewfinder.precision"), Some("fp32"));
        assert_eq!(model.metadata("viewfinder.family"), Some("chinese-clip"));
        assert!(model.metadata("viewfinder.source").unwrap().contains("o/n"));
    }
    // The checkpoint has done its duty.
    assert_eq!(
        files_below(folder.path()),
        [
            "tiny/textual/manifest.json",
            "tiny/textual/model.onnx",
            "tiny/textual/model.onnx.data",
            "tiny/visual/manifest.json",
            "tiny/visual/model.onnx",
            "tiny/visual/model.onnx.data",
        ]
    );
    assert!(store.verify(Some("tiny")).unwrap().iter().all(|item| matches!(item.verdict, Verdict::Good)));
    store.pull("tiny", &NoProgress).unwrap();
    assert_eq!(server.requests().len(), 2, "nobody is asked again");
}

#[test]
fn two_networks_wanted_at_once_share_the_download() {
    let folder = tempfile::tempdir().unwrap();
    let data = published();
    let server = TestServer::answering(move |_, _| Response::ok(&data));
    let store = store(folder.path(), &server.url(), &tiny(32, HUB));
    std::thread::scope(|scope| {
        for role in [Role::Visual, Role::Textual] {
            let store = store.clone();
            scope.spawn(move || store.files("tiny", role, &NoProgress).unwrap());
        }
    });
    assert_eq!(server.requests().len(), 1);
    assert!(files_below(&folder.path().join(".archives")).is_empty());
}

#[test]
fn a_damaged_checkpoint_is_named_and_leaves_nothing_behind() {
    let data = published();
    let mut flipped = data.clone();
    // In the middle of the pickle, which is the archive's first member.
    flipped[200] ^= 0xff;
    let mut infinite = data.clone();
    let first_weight = data.len() / 2 / 4 * 4;
    infinite[first_weight..first_weight + 64].fill(0xff);
    for (what, bytes, word) in [
        ("a page of a portal", b"<html>sign in</html>".to_vec(), "checkpoint"),
        ("half of it", data[..data.len() / 2].to_vec(), "is the file complete?"),
        ("numbers that are none", infinite, "word_embeddings.weight\" is not finite"),
        ("another pickle", flipped, ""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = TestServer::answering({
            let bytes = bytes.clone();
            move |_, _| Response::ok(&bytes)
        });
        let store = store(folder.path(), &server.url(), &tiny(32, HUB));
        let error = store.pull("tiny", &NoProgress).unwrap_err();
        let ModelError::Unavailable { failures, .. } = &error else { panic!("{what}: {error}") };
        assert_eq!(failures.len(), 1);
        assert!(failures[0].reason.contains(word), "{what}: {}", failures[0].reason);
        assert!(!failures[0].reason.contains('\n'));
        assert_eq!(files_below(folder.path()), [""; 0], "{what}");
        let here = store.list().into_iter().find(|model| model.name == "tiny").unwrap();
        assert!(here.roles.iter().all(|role| role.state == State::Absent), "{what}");
    }
}

#[test]
fn the_next_source_is_asked_when_one_delivers_the_wrong_weights() {
    let folder = tempfile::tempdir().unwrap();
    let data = published();
    let server = TestServer::answering(move |request, _| {
        if request.path().starts_with("/models/") { Response::ok(&data) } else { Response::ok(b"no weights") }
    });
    let both = format!("{HUB}, {SCOPE}");
    let files =
        store(folder.path(), &server.url(), &tiny(32, &both)).files("tiny", Role::Visual, &NoProgress);
    assert!(files.unwrap().model.exists());
    // Vectors of another length than the catalogue says would be stored in a column that they do not fit.
    let folder = tempfile::tempdir().unwrap();
    let error = store(folder.path(), &server.url(), &tiny(512, SCOPE)).pull("tiny", &NoProgress).unwrap_err();
    assert!(error.to_string().contains("32 numbers, not 512"), "{error}");
}

#[test]
fn a_checkpoint_on_this_machine_goes_where_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreConfig::new(folder.path().join("store"))).unwrap();
    let checkpoint = fixtures().join("models/tiny.pt");
    let out = folder.path().join("out");
    let converted = store.convert(&checkpoint, Some(&out), Some(4), &NoProgress).unwrap();
    assert_eq!((converted.name, converted.width), (None, 32));
    assert_eq!(
        files_below(&out),
        ["textual/model.onnx", "textual/model.onnx.data", "visual/model.onnx", "visual/model.onnx.data"]
    );
    // The folder can be used as a model of the configuration.
    let own = format!(
        "[[models]]\nname = \"mine\"\nfamily = \"chinese-clip\"\nsources = [{{ file = {:?} }}]",
        out.display().to_string()
    );
    let mine =
        Store::open(StoreConfig { extra_models: models(&own), ..config(folder.path(), "unused:") }).unwrap();
    assert_eq!(mine.local("mine", Role::Textual).unwrap().location, Location::Own);

    for (heads, word) in [(None, "attention heads is unknown"), (Some(5), "5 attention heads do not divide")]
    {
        let error = store.convert(&checkpoint, Some(&out), heads, &NoProgress).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    let error = store.convert(&checkpoint, None, Some(4), &NoProgress).unwrap_err();
    assert!(error.to_string().contains("--out"), "{error}");
    assert_eq!(files_below(&folder.path().join("store")), [""; 0]);
}
