//! Servers that behave as GitHub, `ModelScope` and Hugging Face do: the address of a file leads to another host, signed for one use.
use crate::{Log, config, models, sha256, weights};
use std::{
    env, fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use viewfinder_models::{ModelError, NoProgress, Role, RuntimeFlavour, Store, StoreConfig};
use viewfinder_test_support::{Request, Response, TestServer};

/// A hub, and the host of its files. Each answer of the hub is a new signature, good for one request.
struct Hub {
    front: TestServer,
    files: TestServer,
}

impl Hub {
    /// The host of files cuts the first answer off after `cut` bytes.
    fn serving(data: Vec<u8>, cut: usize) -> Self {
        let tag = format!("\"{}\"", sha256(&data));
        let used: Mutex<Vec<String>> = Mutex::default();
        let files = TestServer::answering(move |request: &Request, _| {
            let mut used = used.lock().unwrap();
            if used.iter().any(|path| path == request.path()) {
                return Response::status(403);
            }
            used.push(request.path().to_owned());
            let whole = Response::range(request, &data).with("ETag", &tag).with("Accept-Ranges", "bytes");
            if used.len() == 1 { whole.cut(cut) } else { whole }
        });
        let (port, signed) = (files.address.port(), Arc::new(AtomicUsize::new(0)));
        let front = TestServer::answering(move |_, _| {
            let number = signed.fetch_add(1, Ordering::Relaxed);
            Response::status(302)
                .with("Location", format!("http://localhost:{port}/blob?X-Signature=s3cret{number}"))
                .with("X-Linked-ETag", "\"weights\"")
        });
        Self { front, files }
    }

    fn store(&self, root: &std::path::Path, text: &str) -> Store {
        Store::open(StoreConfig {
            hf_token: Some("hf_token".into()),
            extra_models: models(text),
            ..config(root, &self.front.url())
        })
        .unwrap()
    }
}

#[test]
fn a_file_behind_signed_addresses_is_resumed_from_each_hub() {
    let data = weights(30, 200_000);
    let sum = sha256(&data);
    for (source, path) in [
        ("modelscope = \"R/R\", revision = \"v3\"", "/models/R/R/resolve/v3/d.onnx"),
        ("huggingface = \"R/R\"", "/R/R/resolve/main/d.onnx"),
    ] {
        let hub = Hub::serving(data.clone(), 70_000);
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[[models]]\nname = \"x\"\nfamily = \"paddle-ocr\"\n[models.detection]\nsha256 = \"{sum}\"\n\
             sources = [{{ {source}, path = \"d.onnx\" }}]\n"
        );
        let log = Log::default();
        let files = hub.store(folder.path(), &text).files("x", Role::Detection, &log).unwrap();
        assert_eq!(fs::read(files.model).unwrap(), data);
        assert_eq!(
            hub.front.requests().iter().map(|request| request.path().to_owned()).collect::<Vec<_>>(),
            [path; 2]
        );
        let asked = hub.files.requests();
        assert_eq!(
            asked.iter().map(|request| request.header("range")).collect::<Vec<_>>(),
            [None, Some("bytes=70000-")]
        );
        // The token is for the hub alone, and the signature for nobody's eyes.
        assert!(asked.iter().all(|request| request.header("authorization").is_none()));
        assert!(log.lines().iter().all(|line| !line.contains("s3cret")), "{:?}", log.lines());
    }
}

/// A release of ONNX Runtime for Linux, as its makers pack it.
fn release(library: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let top = "onnxruntime-linux-x64-1.30.0";
    for (path, content) in [
        ("LICENSE", &b"MIT"[..]),
        ("include/onnxruntime_c_api.h", b"header"),
        ("lib/libonnxruntime.so.1.30.0", library),
        ("lib/libonnxruntime_providers_shared.so", b"shared"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("./{top}/{path}"), content).unwrap();
    }
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    tar.append_link(&mut link, format!("./{top}/lib/libonnxruntime.so"), "libonnxruntime.so.1.30.0").unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

/// A runtime that comes from a release alone: for another machine first, then for this one.
fn runtime(sum: &str) -> String {
    let here = format!("{}-{}", env::consts::OS, env::consts::ARCH);
    let source = |platform: &str| {
        format!(
            "{{ github = \"microsoft/onnxruntime\", tag = \"v1.30.0\", asset = \"{platform}.tgz\", \
             platform = \"{platform}\", sha256 = \"{sum}\" }}"
        )
    };
    format!(
        "[[models]]\nname = \"runtime\"\nfamily = \"runtime\"\nsources = [{}, {}]\n",
        source("other-machine"),
        source(&here)
    )
}

#[test]
fn the_runtime_comes_from_its_makers_release_where_there_is_no_python() {
    let archive = release(&weights(31, 150_000));
    let hub = Hub::serving(archive.clone(), 50_000);
    let folder = tempfile::tempdir().unwrap();
    let store = hub.store(folder.path(), &runtime(&sha256(&archive)));
    let library = store.fetch_runtime_library(RuntimeFlavour::Cpu, &NoProgress).unwrap();
    assert_eq!(fs::read(&library).unwrap(), weights(31, 150_000));
    let mut kept: Vec<_> = fs::read_dir(library.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(
        kept,
        ["LICENSE", "libonnxruntime.so.1.30.0", "libonnxruntime_providers_shared.so", "manifest.json"]
    );
    let asset = format!(
        "/microsoft/onnxruntime/releases/download/v1.30.0/{}-{}.tgz",
        env::consts::OS,
        env::consts::ARCH
    );
    assert!(hub.front.requests().iter().all(|request| request.path() == asset));
    assert_eq!(hub.files.requests()[1].header("range"), Some("bytes=50000-"));
    assert_eq!(fs::read_dir(folder.path().join(".archives")).unwrap().count(), 0);
}

#[test]
fn a_release_that_is_not_the_known_one_is_refused() {
    let hub = Hub::serving(release(b"another library"), usize::MAX);
    let folder = tempfile::tempdir().unwrap();
    let store = hub.store(folder.path(), &runtime(&"0".repeat(64)));
    let error = store.fetch_runtime_library(RuntimeFlavour::Cpu, &NoProgress).unwrap_err();
    let ModelError::RuntimeUnavailable { failures } = &error else { panic!("{error}") };
    assert_eq!(failures.len(), 1, "only this machine's is tried");
    assert!(error.to_string().contains("its SHA-256 is "), "{error}");
    assert!(!error.to_string().contains("s3cret"), "{error}");
    assert!(!store.has_runtime_library(RuntimeFlavour::Cpu));
}
