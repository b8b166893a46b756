//! Small checkpoints made by hand.
use std::io::{Cursor, Write};

use viewfinder_convert::checkpoint::{Checkpoint, CheckpointError};
use viewfinder_test_support::{Watched, pickle::Pickle};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// Opens bytes as a file.
pub(crate) fn open(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Checkpoint::open(file.path())
}

/// A zip of members, each with its compression.
pub(crate) fn archive(members: &[(&str, &[u8], CompressionMethod)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, method) in members {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(*method)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A checkpoint of a pickle and the storages `0`, `1`, ….
pub(crate) fn torch(pickle: &[u8], storages: &[&[u8]], method: CompressionMethod) -> Vec<u8> {
    let names: Vec<String> = (0..storages.len()).map(|key| format!("m/data/{key}")).collect();
    let mut members = vec![("m/data.pkl", pickle, CompressionMethod::Stored)];
    members.extend(names.iter().zip(storages).map(|(name, bytes)| (name.as_str(), *bytes, method)));
    archive(&members)
}

/// A pickle of a state dictionary with one tensor `w` of floats over storage `0`.
pub(crate) fn one_tensor(elements: usize, offset: usize, shape: &[usize], strides: &[usize]) -> Vec<u8> {
    let dict = Pickle::new().raw(b"}").text("w");
    dict.tensor("FloatStorage", "0", elements, offset, shape, strides).raw(b"s").finish()
}

/// Floats as bytes.
pub(crate) fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A safetensors file.
pub(crate) fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [(header.len() as u64).to_le_bytes().as_slice(), header.as_bytes(), data].concat()
}
