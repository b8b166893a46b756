//! What a pickle may name: the few Python functions and classes that tensors are saved with.
use super::{
    input::Input,
    machine::{Handle, Value},
};
use crate::checkpoint::{CheckpointError, Dtype};

/// Tensors with more dimensions are not weights.
const MAX_DIMENSIONS: usize = 8;

/// A storage, as a tensor's entry refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) struct StorageRecord<'a> {
    pub(in crate::checkpoint) dtype: Dtype,
    /// The name of its member below `data/`.
    pub(in crate::checkpoint) key: &'a str,
    /// Its elements.
    pub(in crate::checkpoint) elements: u64,
}

/// A tensor, not yet checked against its storage.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct TensorRecord<'a> {
    pub(in crate::checkpoint) storage: StorageRecord<'a>,
    /// In elements, as the strides.
    pub(in crate::checkpoint) offset: u64,
    pub(in crate::checkpoint) shape: Vec<usize>,
    pub(in crate::checkpoint) strides: Vec<usize>,
}

/// The result of a call.
pub(super) enum Call<'a> {
    New(Value<'a>),
    /// One of the arguments.
    Known(Handle),
}

/// Makes what an allowed function would make.
pub(super) fn call<'a>(
    callable: &Value<'a>,
    arguments: &Value<'a>,
    values: &[Value<'a>],
    input: &Input<'a>,
) -> Result<Call<'a>, CheckpointError> {
    let Value::Tuple(arguments) = arguments else {
        return Err(input.malformed("a call has no arguments"));
    };
    let wrong = || input.malformed("a tensor is built from wrong arguments");
    match callable {
        Value::Global("collections", "OrderedDict") => match arguments.as_slice() {
            [] => Ok(Call::New(Value::Dict(Vec::new()))),
            _ => Err(input.malformed("a dictionary is built from arguments")),
        },
        Value::Global("torch._utils", "_rebuild_tensor_v2") => {
            let record = tensor(arguments, values).ok_or_else(wrong)?;
            Ok(Call::New(Value::Tensor(Box::new(record))))
        }
        Value::Global("torch._utils", "_rebuild_parameter") => {
            let inner = *arguments.first().ok_or_else(wrong)?;
            if matches!(values[inner as usize], Value::Tensor(_)) {
                Ok(Call::Known(inner))
            } else {
                Err(wrong())
            }
        }
        other => Err(forbidden(other, input)),
    }
}

/// The error for anything else that is called or built.
pub(super) fn forbidden(callable: &Value<'_>, input: &Input<'_>) -> CheckpointError {
    match callable {
        Value::Global(module, name) => CheckpointError::Forbidden { global: shortened(module, name) },
        _ => input.malformed("something is called that is no function"),
    }
}

/// What a storage's persistent id says: `("storage", class, key, device, elements)`.
pub(super) fn storage<'a>(
    id: &Value<'a>,
    values: &[Value<'a>],
    input: &Input<'a>,
) -> Result<StorageRecord<'a>, CheckpointError> {
    let get = |handle: &Handle| &values[*handle as usize];
    if let Value::Tuple(parts) = id
        && let [word, class, key, _device, elements] = parts.as_slice()
        && let (Value::Text("storage"), &Value::Global(module, name)) = (get(word), get(class))
        && let (&Value::Text(key), &Value::Int(elements)) = (get(key), get(elements))
        && let Ok(elements) = u64::try_from(elements)
    {
        let dtype = storage_dtype(module, name).ok_or_else(|| CheckpointError::Unsupported {
            item: key.chars().take(64).collect(),
            reason: format!("its elements are of the class {:?}", shortened(module, name)),
        })?;
        return Ok(StorageRecord { dtype, key, elements });
    }
    Err(input.malformed("a storage is not described as PyTorch does"))
}

fn storage_dtype(module: &str, name: &str) -> Option<Dtype> {
    if module != "torch" {
        return None;
    }
    Some(match name {
        "DoubleStorage" => Dtype::F64,
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::Bool,
        _ => return None,
    })
}

/// Arguments: storage, offset, sizes, strides, and some that matter to training only.
fn tensor<'a>(arguments: &[Handle], values: &[Value<'a>]) -> Option<TensorRecord<'a>> {
    let [storage, offset, shape, strides, ..] = arguments else { return None };
    let Value::Storage(storage) = values[*storage as usize] else { return None };
    let Value::Int(offset) = values[*offset as usize] else { return None };
    let (shape, strides) = (sizes(*shape, values)?, sizes(*strides, values)?);
    let record = TensorRecord { storage, offset: u64::try_from(offset).ok()?, shape, strides };
    (record.shape.len() == record.strides.len()).then_some(record)
}

fn sizes(tuple: Handle, values: &[Value<'_>]) -> Option<Vec<usize>> {
    let Value::Tuple(parts) = &values[tuple as usize] else { return None };
    if parts.len() > MAX_DIMENSIONS {
        return None;
    }
    let size = |part: &Handle| match values[*part as usize] {
        Value::Int(size) => usize::try_from(size).ok(),
        _ => None,
    };
    parts.iter().map(size).collect()
}

/// A Python name for an error's text: names may come from long texts.
fn shortened(module: &str, name: &str) -> String {
    module.chars().take(128).chain(['.']).chain(name.chars().take(128)).collect()
}
