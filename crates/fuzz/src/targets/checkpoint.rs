//! Checkpoints: whatever is listed can be read to as many floats as its shape says, or is refused.
use std::io::{Cursor, Write as _};

use viewfinder_convert::checkpoint::{Checkpoint, CheckpointError};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::scratch::with_file;

/// Tensors that are read of one file: a storage may be listed any number of times.
const READ: usize = 8;

/// A file of any format.
pub(super) fn run(input: &[u8]) {
    with_file("checkpoint", input, |file| {
        let Ok(checkpoint) = Checkpoint::open(file).map_err(tell) else { return };
        for tensor in checkpoint.tensors().take(READ) {
            assert_eq!(checkpoint.info(tensor.name), Some(tensor));
            if let Ok(values) = checkpoint.read(tensor.name).map_err(tell) {
                assert_eq!(values.len(), tensor.shape.iter().product::<usize>());
                assert!(values.iter().all(|value| value.is_finite()));
            }
        }
    });
}

/// A pickle, in a zip as `PyTorch` writes it, with one storage of 16 floats.
pub(super) fn pickle(input: &[u8]) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in [("m/data.pkl", input), ("m/data/0", &[0; 64])] {
        zip.start_file(name, stored).and_then(|()| Ok(zip.write_all(bytes)?)).expect("memory takes it");
    }
    run(zip.finish().expect("memory takes it").get_ref());
}

/// A header, and behind a line break the tensors' bytes: the header's length is right.
pub(super) fn safetensors(input: &[u8]) {
    let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let data = input.get(end + 1..).unwrap_or_default();
    run(&[(end as u64).to_le_bytes().as_slice(), &input[..end], data].concat());
}

/// Errors are one line and short: names in them are the file's.
#[expect(clippy::needless_pass_by_value, reason = "it is the end of the error")]
fn tell(error: CheckpointError) {
    let text = error.to_string();
    assert!(!text.contains('\n') && text.len() < 2000, "{text}");
}
