//! Archives of models: a byte for the kind, then a zip, or a tar that is packed here, so that what is in it can be reached.
use std::{fs, io::Write as _};

use flate2::{Compression, write::GzEncoder};
use viewfinder_models::fuzzing::{take, unpack};

use crate::scratch::with_file;

pub(super) fn run(input: &[u8]) {
    let Some((&kind, content)) = input.split_first() else { return };
    if kind.is_multiple_of(2) {
        with_file("archive.zip", content, look);
    } else {
        let mut packed = GzEncoder::new(Vec::new(), Compression::none());
        let packed = packed.write_all(content).and_then(|()| packed.finish()).expect("memory takes it");
        with_file("archive.tar.gz", &packed, look);
    }
}

/// Whatever members are called, their bytes lie where they were put, and nowhere else.
fn look(archive: &std::path::Path) {
    let folder = archive.with_file_name("unpacked");
    fs::create_dir_all(&folder).expect("a folder for what is fuzzed");
    let beside = entries(archive.parent());
    if let Ok(found) = unpack(archive, &folder) {
        assert_eq!(entries(Some(&folder)), found.len());
    }
    let _ = take(archive, "model.onnx", &folder.join("taken"));
    assert_eq!(entries(archive.parent()), beside, "something lies beside the folder");
    fs::remove_dir_all(&folder).expect("the folder was made here");
}

fn entries(folder: Option<&std::path::Path>) -> usize {
    folder.and_then(|folder| fs::read_dir(folder).ok()).map_or(0, Iterator::count)
}
