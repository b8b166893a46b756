//! Writing a model, weight by weight.
use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use prost::Message as _;

use super::{
    OnnxError, io_at,
    proto::{ElementType, Model, Pair, Tensor},
};

/// Tensors of fewer bytes stand in the graph itself, where ONNX Runtime's optimiser can look at them.
const INLINE_BYTES: usize = 1024;

/// Weights start at multiples of this in their file: a cache line, which the processor's widest loads want.
const ALIGNMENT: u64 = 64;

/// Writes a model into a folder: weights first, one at a time, so that no two need to be in memory together; the graph
/// last, so that its presence says that the rest is there.
pub struct ModelWriter {
    path: PathBuf,
    data_name: String,
    data_path: PathBuf,
    data: BufWriter<File>,
    end: u64,
}

impl ModelWriter {
    /// Starts the model `path` (usually `…/model.onnx`), with its weights in the file of that name plus `.data`.
    pub fn create(path: &Path) -> Result<Self, OnnxError> {
        let mut data_name = path.file_name().unwrap_or_default().to_os_string();
        data_name.push(".data");
        let data_path = path.with_file_name(&data_name);
        let file = File::create(&data_path).map_err(io_at(&data_path))?;
        Ok(Self {
            path: path.to_owned(),
            data_name: data_name.to_string_lossy().into_owned(),
            data_path,
            data: BufWriter::with_capacity(1 << 20, file),
            end: 0,
        })
    }

    /// Writes a weight from its little-endian bytes and returns its entry for the graph's initialisers.
    pub fn weight(
        &mut self,
        name: &str,
        kind: ElementType,
        dims: &[usize],
        bytes: &[u8],
    ) -> Result<Tensor, OnnxError> {
        let mut tensor = Tensor {
            name: name.to_owned(),
            dims: dims.iter().map(|&extent| extent as i64).collect(),
            ..Tensor::default()
        };
        tensor.set_data_type(kind);
        if bytes.len() < INLINE_BYTES {
            tensor.raw_data = bytes.to_vec().into();
            return Ok(tensor);
        }
        let start = self.end.next_multiple_of(ALIGNMENT);
        let padding = [0; ALIGNMENT as usize];
        self.data
            .write_all(&padding[..(start - self.end) as usize])
            .and_then(|()| self.data.write_all(bytes))
            .map_err(io_at(&self.data_path))?;
        self.end = start + bytes.len() as u64;
        let pair = |key: &str, value: String| Pair { key: key.to_owned(), value };
        tensor.data_location = 1;
        tensor.external_data = vec![
            pair("location", self.data_name.clone()),
            pair("offset", start.to_string()),
            pair("length", bytes.len().to_string()),
        ];
        Ok(tensor)
    }

    /// [`ModelWriter::weight`] for floats.
    pub fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> Result<Tensor, OnnxError> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.weight(name, ElementType::F32, dims, &bytes)
    }

    /// Writes the graph. Its initialisers are those that [`ModelWriter::weight`] returned.
    pub fn finish(mut self, model: &Model) -> Result<(), OnnxError> {
        self.data.flush().and_then(|()| self.data.get_ref().sync_all()).map_err(io_at(&self.data_path))?;
        if self.end == 0 {
            std::fs::remove_file(&self.data_path).map_err(io_at(&self.data_path))?;
        }
        let mut file = File::create(&self.path).map_err(io_at(&self.path))?;
        file.write_all(&model.encode_to_vec()).and_then(|()| file.sync_all()).map_err(io_at(&self.path))
    }
}
