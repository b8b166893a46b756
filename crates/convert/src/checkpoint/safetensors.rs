//! Hugging Face's safetensors: a header in JSON, then the tensors without gaps.
use super::{
    CheckpointError, Dtype,
    contents::{Contents, Tensor},
    layout::Layout,
    source::Source,
    storage::{Packing, Storage},
};
use ::safetensors::{Dtype as Stored, tensor::Metadata};

/// Large models' headers take some hundred kilobytes.
const MAX_HEADER: u64 = 8 << 20;
/// The header's length comes before it.
const LENGTH: u64 = 8;

/// Lists the tensors of a file.
pub(super) fn list(source: &Source, header: u64) -> Result<Contents, CheckpointError> {
    let item = || "the safetensors header".to_owned();
    if header > MAX_HEADER {
        return Err(CheckpointError::TooLarge { item: item(), limit: MAX_HEADER, unit: "bytes" });
    }
    let found = source.len().saturating_sub(LENGTH);
    if header > found {
        return Err(CheckpointError::Truncated { item: item(), expected: header, found });
    }
    let mut json = vec![0; header as usize];
    let read = source.read_at(&mut json, LENGTH)?;
    let metadata: Metadata = serde_json::from_slice(&json[..read])
        .map_err(|error| CheckpointError::Malformed { item: item(), reason: one_line(&error.to_string()) })?;
    drop(json);

    let (start, size) = (LENGTH + header, metadata.data_len() as u64);
    let (item, found) = ("the tensors' data".to_owned(), source.len() - start);
    if size > found {
        return Err(CheckpointError::Truncated { item, expected: size, found });
    }
    if size < found {
        let reason = format!("{} bytes follow the last tensor", found - size);
        return Err(CheckpointError::Malformed { item, reason });
    }
    let mut contents = Contents::default();
    contents.storages.push(Storage { item, start, size, packing: Packing::Stored });
    for name in metadata.offset_keys() {
        let Some(info) = metadata.info(&name) else { continue };
        let dtype = dtype(info.dtype).ok_or_else(|| CheckpointError::Unsupported {
            item: name.clone(),
            reason: format!("its elements are {}", info.dtype),
        })?;
        // The library has checked that offsets follow one another and fit the shapes.
        let layout = Layout::contiguous(info.data_offsets.0 as u64, info.shape.clone());
        contents.add(Tensor { name, dtype, layout, storage: 0 })?;
    }
    Ok(contents)
}

/// What the library says, which may repeat any piece of the header.
fn one_line(said: &str) -> String {
    said.chars().take(200).map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
}

fn dtype(stored: Stored) -> Option<Dtype> {
    Some(match stored {
        Stored::F64 => Dtype::F64,
        Stored::F32 => Dtype::F32,
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::BF16,
        Stored::I64 => Dtype::I64,
        Stored::I32 => Dtype::I32,
        Stored::I16 => Dtype::I16,
        Stored::I8 => Dtype::I8,
        Stored::U8 => Dtype::U8,
        Stored::BOOL => Dtype::Bool,
        _ => return None,
    })
}
