//! Reading a model: the graph at once, weights beside it when they are asked for.
use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Component, Path, PathBuf},
};

use bytes::Bytes;
use half::{bf16, f16};
use prost::Message as _;

use super::{
    OnnxError, flaw, io_at,
    proto::{ElementType, Graph, Model, Tensor},
};

/// A model file with the folder that its external weights are in.
pub struct ModelFile {
    /// The model; external weights are not read yet.
    pub model: Model,
    path: PathBuf,
}

impl ModelFile {
    /// Reads the graph, with whatever weights stand in it.
    pub fn open(path: &Path) -> Result<Self, OnnxError> {
        let bytes = Bytes::from(fs::read(path).map_err(io_at(path))?);
        let not = |reason: String| OnnxError::NotAModel { path: path.to_owned(), reason };
        // Tensors of `bytes` are slices of the one buffer, not copies.
        let model = Model::decode(bytes).map_err(|error| not(error.to_string()))?;
        let Some(graph) = model.graph.as_ref().filter(|graph| !graph.node.is_empty()) else {
            return Err(not("it has no graph".into()));
        };
        if let Some(flaw) = flaw(graph) {
            return Err(not(flaw));
        }
        Ok(Self { model, path: path.to_owned() })
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        // `open` refuses models without one.
        self.model.graph.as_ref().expect("checked when opened")
    }

    /// A property of the file, such as the precision it was made with.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.model.metadata_props.iter().find(|pair| pair.key == key).map(|pair| pair.value.as_str())
    }

    /// A weight's bytes as `raw_data` has them, wherever the file keeps them.
    pub fn bytes(&self, tensor: &Tensor) -> Result<Bytes, OnnxError> {
        let bad = |reason: &str| OnnxError::Tensor { tensor: tensor.name.clone(), reason: reason.to_owned() };
        let count = tensor
            .dims
            .iter()
            .try_fold(1_usize, |product, &extent| product.checked_mul(usize::try_from(extent).ok()?))
            .ok_or_else(|| bad("its shape is impossible"))?;
        let bytes = if tensor.data_location == 1 {
            self.external(tensor)?
        } else if !tensor.raw_data.is_empty() {
            tensor.raw_data.clone()
        } else {
            typed(tensor)
        };
        let width = width(tensor.data_type()).ok_or_else(|| bad("its type is not supported"))?;
        if count.checked_mul(width) == Some(bytes.len()) {
            Ok(bytes)
        } else {
            Err(bad("its length does not fit its shape"))
        }
    }

    /// A weight's values, if it is of a float type.
    pub fn floats(&self, tensor: &Tensor) -> Result<Vec<f32>, OnnxError> {
        let bytes = self.bytes(tensor)?;
        let pairs = || bytes.as_chunks::<2>().0.iter();
        match tensor.data_type() {
            ElementType::F32 => {
                Ok(bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect())
            }
            ElementType::F16 => Ok(pairs().map(|value| f16::from_le_bytes(*value).to_f32()).collect()),
            ElementType::BF16 => Ok(pairs().map(|value| bf16::from_le_bytes(*value).to_f32()).collect()),
            ElementType::F64 => {
                Ok(bytes.as_chunks::<8>().0.iter().map(|value| f64::from_le_bytes(*value) as f32).collect())
            }
            kind => Err(OnnxError::Tensor {
                tensor: tensor.name.clone(),
                reason: format!("it holds {kind:?}, not floats"),
            }),
        }
    }

    fn external(&self, tensor: &Tensor) -> Result<Bytes, OnnxError> {
        let bad = |reason: String| OnnxError::Tensor { tensor: tensor.name.clone(), reason };
        let entry = |key: &str| {
            tensor.external_data.iter().find(|pair| pair.key == key).map(|pair| pair.value.as_str())
        };
        let number = |key: &str| entry(key).map(str::parse::<u64>).transpose();
        let location = Path::new(entry("location").ok_or_else(|| bad("no file is named for it".into()))?);
        // A model from elsewhere must not make this program read other files.
        if !location.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(bad(format!("its file {} is outside the model's folder", location.display())));
        }
        let path = self.path.with_file_name("").join(location);
        let mut file = File::open(&path).map_err(io_at(&path))?;
        let size = file.metadata().map_err(io_at(&path))?.len();
        let parse = |error: std::num::ParseIntError| bad(format!("its place in the file: {error}"));
        let offset = number("offset").map_err(parse)?.unwrap_or(0);
        let length = number("length").map_err(parse)?.unwrap_or_else(|| size.saturating_sub(offset));
        if offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(bad(format!("{} ends before it", path.display())));
        }
        let mut bytes = vec![0; length as usize];
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(&mut bytes)).map_err(io_at(&path))?;
        Ok(bytes.into())
    }
}

/// Bytes of an element; none for texts and types unknown here.
fn width(kind: ElementType) -> Option<usize> {
    match kind {
        ElementType::U8 | ElementType::I8 | ElementType::Bool => Some(1),
        ElementType::U16 | ElementType::I16 | ElementType::F16 | ElementType::BF16 => Some(2),
        ElementType::F32 | ElementType::I32 | ElementType::U32 => Some(4),
        ElementType::F64 | ElementType::I64 | ElementType::U64 => Some(8),
        ElementType::Undefined | ElementType::String => None,
    }
}

/// The bytes of values that stand in one of the typed lists.
fn typed(tensor: &Tensor) -> Bytes {
    let from_i32 = |width: usize| -> Bytes {
        tensor.int32_data.iter().flat_map(|value| value.to_le_bytes().into_iter().take(width)).collect()
    };
    match tensor.data_type() {
        ElementType::F32 => tensor.float_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ElementType::F64 => tensor.double_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ElementType::I64 => tensor.int64_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ElementType::U64 => tensor.uint64_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ElementType::U32 => {
            tensor.uint64_data.iter().flat_map(|value| (*value as u32).to_le_bytes()).collect()
        }
        kind => width(kind).map_or_else(Bytes::new, from_i32),
    }
}
