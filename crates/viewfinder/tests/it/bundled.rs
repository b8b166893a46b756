//! The program as it is given away: with its models and the library in a folder beside it.
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use viewfinder_test_support::{self as test_support, Response, TestServer};

use crate::support::{Run, fixture, need_ocr, stdout};

/// Every file below a folder, with its size.
fn files(folder: &Path) -> BTreeSet<(PathBuf, u64)> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.insert((entry.path(), metadata.len()));
        }
    }
    found
}

/// Puts a file, or a folder with all in it, there without copying what it holds.
fn link(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            link(&entry.path(), &to.join(entry.file_name()));
        }
    } else if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn what_lies_beside_the_program_is_used_wherever_that_is() {
    need_ocr();
    test_support::ort_library();
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = place.path().join("unpacked");
    let store = test_support::store().root();
    for name in ["PP-OCRv6_small", "ppocr_mobile_v2.0_cls", "runtime/cpu"] {
        link(&store.join(name), &folder.join("models").join(name));
    }
    link(Path::new(env!("CARGO_BIN_EXE_viewfinder")), &folder.join("viewfinder"));
    let before = files(&folder);

    // An empty home, no program to fetch with, and one server in place of all that could be asked.
    let server = TestServer::saying(Response::status(404));
    let run = |program: &Path| {
        let mut run = Run::of(program).env("PATH", place.path().join("nothing"));
        for name in ["HF_ENDPOINT", "VIEWFINDER_MODELSCOPE_ENDPOINT", "VIEWFINDER_GITHUB_ENDPOINT"] {
            run = run.env(name, server.url());
        }
        run
    };
    let picture = fixture("ocr/ch_en_num.jpg");
    let output = run(&folder.join("viewfinder")).args(["ocr".as_ref(), picture.as_os_str()]).succeeds();
    assert!(stdout(&output).contains("正品促销"), "{}", stdout(&output));
    assert_eq!(files(&folder), before, "nothing is written there");

    let moved = place.path().join("moved");
    fs::rename(&folder, &moved).unwrap();
    let linked = place.path().join("viewfinder");
    std::os::unix::fs::symlink(moved.join("viewfinder"), &linked).unwrap();
    let output = run(&linked).args(["ocr".as_ref(), picture.as_os_str()]).succeeds();
    assert!(stdout(&output).contains("正品促销"), "{}", stdout(&output));
    for name in ["runtime", "PP-OCRv6_small"] {
        let output = run(&linked).args(["models", "where", name]).succeeds();
        let moved = moved.canonicalize().unwrap();
        assert!(stdout(&output).contains(moved.to_str().unwrap()), "{}", stdout(&output));
    }
    assert!(server.requests().is_empty(), "{:?}", server.requests());
}
