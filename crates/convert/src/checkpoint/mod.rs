//! Reading checkpoints, executing nothing: `PyTorch`'s zip with a pickle, and safetensors.
//!
//! Opening a [`Checkpoint`] reads and checks what it lists; each tensor is read from the file when it is asked for, so
//! memory is about that of one tensor. [`Weights`] gives a Chinese-CLIP's tensors the names of the `cn_clip` package,
//! whoever wrote them.
mod contents;
mod dtype;
mod error;
mod layout;
mod names;
mod pickle;
mod safetensors;
mod source;
mod storage;
mod torch;
mod weights;

pub use dtype::Dtype;
pub use error::CheckpointError;
pub use weights::Weights;

use contents::{Contents, Tensor};
use layout::Layout;
use source::Source;
use std::path::Path;

/// How the formats begin: a zip's first member, and the pickle of the number that `PyTorch`'s old format starts with.
const ZIP: [u8; 4] = *b"PK\x03\x04";
const LEGACY: [u8; 13] = *b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50";

/// An open checkpoint.
#[derive(Debug)]
pub struct Checkpoint {
    source: Source,
    contents: Contents,
}

/// What is known about a tensor before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorInfo<'a> {
    /// Its name, without the prefix `module.` of distributed training.
    pub name: &'a str,
    /// Sizes of its dimensions, the outermost first; empty for a single number.
    pub shape: &'a [usize],
    /// The type of its elements in the file.
    pub dtype: Dtype,
}

impl Checkpoint {
    /// Opens a file, whatever its name, and checks what it lists.
    pub fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
        let source = Source::open(path)?;
        let mut start = [0; 16];
        let read = source.read_at(&mut start, 0)?;
        let contents = match &start[..read] {
            start if start.starts_with(&ZIP) => torch::list(&source)?,
            start if start.starts_with(&LEGACY) => {
                return Err(CheckpointError::Legacy { path: path.to_owned() });
            }
            [a, b, c, d, e, f, g, h, b'{', ..] => {
                safetensors::list(&source, u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))?
            }
            _ => return Err(CheckpointError::NotACheckpoint { path: path.to_owned() }),
        };
        Ok(Checkpoint { source, contents })
    }

    /// All tensors, in the file's order.
    pub fn tensors(&self) -> impl Iterator<Item = TensorInfo<'_>> {
        self.contents.tensors.iter().map(info)
    }

    /// The names of all tensors, in the file's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors().map(|tensor| tensor.name)
    }

    /// What is known about a tensor.
    pub fn info(&self, name: &str) -> Option<TensorInfo<'_>> {
        self.contents.get(name).map(info)
    }

    /// Is there such a tensor?
    pub fn contains(&self, name: &str) -> bool {
        self.contents.get(name).is_some()
    }

    /// The sizes of a tensor's dimensions.
    pub fn shape(&self, name: &str) -> Result<&[usize], CheckpointError> {
        Ok(&self.get(name)?.layout.shape)
    }

    /// Reads a tensor of floats, row-major. NaN and infinities are refused.
    pub fn read(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        let mut out = Vec::new();
        self.append(name, |layout, _| layout.clone(), &mut out)?;
        Ok(out)
    }

    /// Reads a tensor in place of what the buffer holds.
    pub fn read_into(&self, name: &str, out: &mut Vec<f32>) -> Result<(), CheckpointError> {
        out.clear();
        self.append(name, |layout, _| layout.clone(), out)
    }

    /// Reads a tensor behind what the buffer holds, seen in another layout, which is made of its own and the bytes of an
    /// element.
    fn append(
        &self,
        name: &str,
        view: impl FnOnce(&Layout, usize) -> Layout,
        out: &mut Vec<f32>,
    ) -> Result<(), CheckpointError> {
        let tensor = self.get(name)?;
        let float = tensor.dtype.float().ok_or_else(|| CheckpointError::Unsupported {
            item: name.to_owned(),
            reason: format!("its elements are {:?}, not floats", tensor.dtype),
        })?;
        let storage = &self.contents.storages[tensor.storage];
        let from = out.len();
        let element = tensor.dtype.size();
        storage.read_tensor(&self.source, float, element, &view(&tensor.layout, element), out)?;
        match out[from..].iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(index) => {
                let value = out[from + index];
                Err(CheckpointError::NotFinite { tensor: name.to_owned(), index, value })
            }
        }
    }

    fn get(&self, name: &str) -> Result<&Tensor, CheckpointError> {
        self.contents.get(name).ok_or_else(|| CheckpointError::Missing { tensor: name.to_owned() })
    }
}

fn info(tensor: &Tensor) -> TensorInfo<'_> {
    TensorInfo { name: &tensor.name, shape: &tensor.layout.shape, dtype: tensor.dtype }
}
