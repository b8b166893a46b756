//! The pip source, with the pip and the index of this machine.
//!
//! Packages are fetched once into `target/test-store`, which the other crates' tests fill and use as well.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use viewfinder_models::{NoProgress, Role, RuntimeFlavour, Store, StoreConfig, Verdict};

const HINT: &str = "this test needs a working `pip download`";

fn shared() -> Store {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/test-store");
    Store::open(StoreConfig::new(root)).unwrap()
}

#[test]
fn a_wheel_holds_the_default_text_models() {
    let store = shared();
    for (role, bytes) in
        [(Role::Detection, 9_929_594), (Role::Classification, 585_532), (Role::Recognition, 21_234_383)]
    {
        let files = store
            .files("PP-OCRv6_small", role, &NoProgress)
            .unwrap_or_else(|error| panic!("{error}\n{HINT}"));
        assert_eq!(fs::metadata(&files.model).unwrap().len(), bytes);
    }
    for found in store.verify(Some("PP-OCRv6_small")).unwrap() {
        assert!(matches!(found.verdict, Verdict::Good), "{found:?}");
    }
}

#[test]
fn a_source_archive_is_read_without_running_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreConfig::new(folder.path())).unwrap();
    let files = store
        .files("scrfd_2.5g", Role::Detection, &NoProgress)
        .unwrap_or_else(|error| panic!("{error}\n{HINT}"));
    assert_eq!(fs::metadata(&files.model).unwrap().len(), 3_291_739);
    assert_eq!(files.sha256.unwrap(), "9c162a817c7dd32d35d1f1c6ae6445032d6e73c6c5fe61d8b5b663ba8bc86b30");
    assert_eq!(fs::read_dir(folder.path().join(".archives")).unwrap().count(), 0);
}

#[test]
fn the_runtime_library_is_taken_whole() {
    let store = shared();
    let library = store
        .fetch_runtime_library(RuntimeFlavour::Cpu, &NoProgress)
        .unwrap_or_else(|error| panic!("{error}\n{HINT}"));
    assert!(fs::metadata(&library).unwrap().len() > 5_000_000);
    assert_eq!(store.fetch_runtime_library(RuntimeFlavour::Cpu, &NoProgress).unwrap(), library);
    let checked = store.verify(Some("runtime")).unwrap();
    assert!(matches!(checked[0].verdict, Verdict::Good), "{checked:?}");
}

#[test]
fn a_package_that_does_not_exist_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[models]]\nname = \"x\"\nfamily = \"paddle-ocr\"\n[models.detection]\n\
                sources = [{ pip = \"rapidocr\", version = \"0.0.0.dev999\", member = \"m.onnx\" }]\n";
    let store = crate::store(folder.path(), "http://127.0.0.1:9", text);
    let error = store.files("x", Role::Detection, &NoProgress).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(error.contains("  pip rapidocr 0.0.0.dev999: pip: ERROR: "), "{error}");
}

/// Runs a test again in a process of its own, where programs are only looked for in `programs`. Tells the first of the two that
/// it is done.
fn again(test: &str, programs: &Path) -> bool {
    const MARK: &str = "VIEWFINDER_TEST_AGAIN";
    if std::env::var_os(MARK).is_some() {
        return false;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("packages::{test}"), "--nocapture"])
        .env(MARK, "1")
        .env("PATH", programs)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    true
}

/// A folder with a pip that is this script.
#[cfg(unix)]
fn pip(script: &str) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pip3");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

#[cfg(unix)]
#[test]
fn another_runtime_library_than_the_pinned_is_refused() {
    // It puts an archive into the folder behind --dest.
    let programs = pip("while [ \"$1\" != --dest ]; do shift; done; echo library > \"$2/onnxruntime.whl\"");
    if again("another_runtime_library_than_the_pinned_is_refused", programs.path()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(crate::config(folder.path(), "http://127.0.0.1:9")).unwrap();
    for flavour in [RuntimeFlavour::Cpu, RuntimeFlavour::Cuda] {
        let error = store.fetch_runtime_library(flavour, &NoProgress).unwrap_err().to_string();
        assert!(error.contains("none of those that are trusted"), "{error}");
        assert!(!store.has_runtime_library(flavour));
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_said() {
    // As pip 23.2 did on one.
    let said = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device";
    let programs = pip(&format!("echo '{said}' >&2; exit 1"));
    if again("a_full_disk_is_said", programs.path()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(crate::config(folder.path(), "http://127.0.0.1:9")).unwrap();
    let error = store.fetch_runtime_library(RuntimeFlavour::Cpu, &NoProgress).unwrap_err();
    assert!(error.is_full_disk() && error.to_string().contains("no room is left on the disk"), "{error}");
}

/// Run by the test below in a process of its own, whose search path is empty.
#[test]
fn without_pip_the_error_says_what_to_install() {
    let nothing = tempfile::tempdir().unwrap();
    if again("without_pip_the_error_says_what_to_install", nothing.path()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(StoreConfig { ..crate::config(folder.path(), "http://127.0.0.1:9") }).unwrap();
    let error = store.files("PP-OCRv6_small", Role::Detection, &NoProgress).unwrap_err().to_string();
    assert!(
        error.contains("pip is not installed (on Debian and Ubuntu: apt install python3-pip)"),
        "{error}"
    );
}
