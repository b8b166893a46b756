//! What a checkpoint lists: its tensors and the storages that they lie in.
use super::{CheckpointError, Dtype, layout::Layout, storage::Storage};
use std::collections::{HashMap, hash_map::Entry};

/// More than any model has.
const MAX_TENSORS: usize = 1 << 16;
/// Bytes of the longest name.
const MAX_NAME: usize = 512;

/// A listed tensor.
#[derive(Debug)]
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) layout: Layout,
    /// The index of its storage.
    pub(super) storage: usize,
}

/// All tensors, in the file's order.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) storages: Vec<Storage>,
    pub(super) tensors: Vec<Tensor>,
    index: HashMap<String, usize>,
}

impl Contents {
    /// Adds a tensor; it must lie in its storage, which is already there.
    pub(super) fn add(&mut self, tensor: Tensor) -> Result<(), CheckpointError> {
        if tensor.name.len() > MAX_NAME {
            let item = tensor.name.chars().take(64).chain(['…']).collect();
            return Err(CheckpointError::TooLarge { item, limit: MAX_NAME as u64, unit: "bytes of a name" });
        }
        if self.tensors.len() == MAX_TENSORS {
            let limit = MAX_TENSORS as u64;
            return Err(CheckpointError::TooLarge { item: tensor.name, limit, unit: "tensors" });
        }
        tensor.layout.check(&tensor.name, tensor.dtype.size(), self.storages[tensor.storage].size)?;
        match self.index.entry(tensor.name.clone()) {
            Entry::Occupied(_) => return Err(CheckpointError::Duplicate { name: tensor.name }),
            Entry::Vacant(place) => place.insert(self.tensors.len()),
        };
        self.tensors.push(tensor);
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Tensor> {
        self.index.get(name).map(|&at| &self.tensors[at])
    }
}
