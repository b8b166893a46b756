//! `PyTorch`'s checkpoints: a zip of one pickle and a member for each storage.
use super::{
    CheckpointError,
    contents::{Contents, Tensor},
    layout::Layout,
    pickle::{self, Handle, TensorRecord, Tree, Value},
    source::{Cursor, Source},
    storage::{Packing, Storage},
};
use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    io::{BufReader, Read, Seek, SeekFrom},
};
use zip::{CompressionMethod, ZipArchive, read::ArchiveOffset, read::Config, result::ZipError};

/// Large checkpoints' pickles are well below a megabyte.
const MAX_PICKLE: u64 = 64 << 20;
/// Bytes of the zip's directory that are looked at; a thousand members take a hundredth of it.
const MAX_DIRECTORY: u64 = 8 << 20;
/// Deflate cannot expand further.
const MAX_RATIO: u64 = 1032;

/// What the zip's directory is called in errors.
const DIRECTORY: &str = "the zip's directory";

/// Lists the tensors of a checkpoint.
pub(super) fn list(source: &Source) -> Result<Contents, CheckpointError> {
    let mut archive = Archive::open(source)?;
    let root = archive.root()?;
    let pickle = archive.member(&format!("{root}data.pkl"))?;
    if pickle.size > MAX_PICKLE {
        return Err(CheckpointError::TooLarge { item: pickle.item, limit: MAX_PICKLE, unit: "bytes" });
    }
    archive.check_byte_order(&format!("{root}byteorder"))?;
    let bytes = pickle.read_all(source)?;
    let tree = pickle::load(&bytes, &pickle.item)?;

    let mut contents = Contents::default();
    let mut storages = HashMap::new();
    for (name, record) in state(&tree) {
        let (record, key) = (record.clone(), record.storage.key);
        let storage = match storages.entry(key) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                contents.storages.push(archive.storage(&root, name, key)?);
                *place.insert(contents.storages.len() - 1)
            }
        };
        let element = record.storage.dtype.size();
        let (member, needed) = (&contents.storages[storage], record.storage.elements);
        let expected = needed.saturating_mul(element as u64);
        if member.size != expected {
            let (member, found) = (member.item.clone(), member.size);
            return Err(CheckpointError::StorageSize { member, expected, found });
        }
        let TensorRecord { offset, shape, strides, .. } = record;
        // An overflow goes beyond every storage.
        let offset = offset.saturating_mul(element as u64);
        let layout = Layout { offset, shape, strides };
        contents.add(Tensor { name: name.to_owned(), dtype: record.storage.dtype, layout, storage })?;
    }
    if contents.tensors.is_empty() {
        let reason = "it holds no state dictionary with tensors".to_owned();
        return Err(CheckpointError::Unsupported { item: pickle.item, reason });
    }
    Ok(contents)
}

/// The tensors of the state dictionary, which is the whole checkpoint or its entry `state_dict`.
fn state<'t, 'a>(tree: &'t Tree<'a>) -> impl Iterator<Item = (&'a str, &'t TensorRecord<'a>)> {
    let state = entries(tree, tree.root)
        .find_map(|(name, value)| (name == "state_dict").then_some(value))
        .unwrap_or(tree.root);
    entries(tree, state).filter_map(|(name, value)| match tree.get(value) {
        // Distributed training saves its wrapper's names.
        Value::Tensor(record) => Some((name.strip_prefix("module.").unwrap_or(name), &**record)),
        _ => None,
    })
}

fn entries<'t, 'a>(
    tree: &'t Tree<'a>,
    dict: Handle,
) -> impl Iterator<Item = (&'a str, Handle)> + use<'t, 'a> {
    let pairs = match tree.get(dict) {
        Value::Dict(pairs) => pairs.as_slice(),
        _ => &[],
    };
    pairs.iter().filter_map(|&(key, value)| match tree.get(key) {
        Value::Text(name) => Some((*name, value)),
        _ => None,
    })
}

/// The zip, of which only the directory and the members' headers are read through the library.
struct Archive<'s> {
    source: &'s Source,
    zip: ZipArchive<Cursor<'s>>,
}

impl<'s> Archive<'s> {
    fn open(source: &'s Source) -> Result<Self, CheckpointError> {
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let zip = ZipArchive::with_config(config, source.cursor(0, MAX_DIRECTORY))
            .map_err(|error| unreadable(source, DIRECTORY, error))?;
        let archive = Archive { source, zip };
        if archive.zip.has_duplicate_names() {
            return Err(archive.duplicate());
        }
        Ok(archive)
    }

    /// The folder that everything lies in, with its slash.
    fn root(&self) -> Result<String, CheckpointError> {
        let mut roots = self.zip.file_names().filter_map(|name| {
            let root = name.ok()?.strip_suffix("data.pkl")?.to_owned();
            (root.find('/') == root.len().checked_sub(1)).then_some(root)
        });
        let Some(root) = roots.next() else {
            return Err(CheckpointError::NotACheckpoint { path: self.source.path().to_owned() });
        };
        if let Some(other) = roots.next() {
            let reason = format!("the archive holds a second checkpoint, {other:?}");
            return Err(CheckpointError::Malformed { item: root, reason });
        }
        if self.zip.index_for_name(&format!("{root}constants.pkl")).is_some() {
            let reason =
                "this is a TorchScript program; its state dictionary must be saved instead".to_owned();
            return Err(CheckpointError::Unsupported { item: root, reason });
        }
        Ok(root)
    }

    /// The member of a storage that a tensor needs.
    fn storage(&mut self, root: &str, tensor: &str, key: &str) -> Result<Storage, CheckpointError> {
        let name = format!("{root}data/{key}");
        if self.zip.index_for_name(&name).is_none() {
            let reason =
                format!("the archive lacks its storage {:?}", name.chars().take(128).collect::<String>());
            return Err(CheckpointError::Malformed { item: tensor.to_owned(), reason });
        }
        self.member(&name)
    }

    fn member(&mut self, name: &str) -> Result<Storage, CheckpointError> {
        let item = name.to_owned();
        let failed = |error| unreadable(self.source, name, error);
        let index = self.zip.index_for_name(name).ok_or(ZipError::FileNotFound).map_err(failed)?;
        let member = self.zip.by_index_raw(index).map_err(failed)?;
        if member.encrypted() {
            return Err(CheckpointError::Unsupported { item, reason: "it is encrypted".to_owned() });
        }
        let start = member.data_start().ok_or(ZipError::FileNotFound).map_err(failed)?;
        let (packed, size) = (member.compressed_size(), member.size());
        let found = self.source.len().saturating_sub(start);
        if packed > found {
            return Err(CheckpointError::Truncated { item, expected: packed, found });
        }
        let packing = match member.compression() {
            CompressionMethod::Stored if packed == size => Packing::Stored,
            CompressionMethod::Deflated if size / MAX_RATIO <= packed => Packing::Deflated { packed },
            CompressionMethod::Stored | CompressionMethod::Deflated => {
                let reason = format!("it cannot expand from {packed} to {size} bytes");
                return Err(CheckpointError::Malformed { item, reason });
            }
            other => {
                return Err(CheckpointError::Unsupported {
                    item,
                    reason: format!("its compression is {other}"),
                });
            }
        };
        Ok(Storage { item, start, size, packing })
    }

    /// Older checkpoints do not say their byte order; it is the usual one.
    fn check_byte_order(&mut self, name: &str) -> Result<(), CheckpointError> {
        if self.zip.index_for_name(name).is_none() {
            return Ok(());
        }
        let member = self.member(name)?;
        if member.size <= 16 && member.read_all(self.source)? == b"little" {
            return Ok(());
        }
        let reason = "the numbers' byte order is not \"little\"".to_owned();
        Err(CheckpointError::Unsupported { item: member.item, reason })
    }

    /// Finds the name that the directory has twice; the library only says that there is one.
    fn duplicate(&self) -> CheckpointError {
        let mut input = BufReader::new(self.source.cursor(self.zip.central_directory_start(), MAX_DIRECTORY));
        let mut seen = HashSet::new();
        loop {
            let mut header = [0; 46];
            let length = |header: &[u8; 46], at| u16::from_le_bytes([header[at], header[at + 1]]);
            let read = input.read_exact(&mut header).and_then(|()| {
                let mut name = vec![0; length(&header, 28).into()];
                input.read_exact(&mut name)?;
                let rest = length(&header, 30) as i64 + length(&header, 32) as i64;
                input.seek(SeekFrom::Current(rest))?;
                Ok(name)
            });
            match read {
                Ok(name) if seen.contains(&name) => {
                    return CheckpointError::Duplicate { name: String::from_utf8_lossy(&name).into_owned() };
                }
                Ok(name) => drop(seen.insert(name)),
                Err(error) => return self.source.io(error),
            }
        }
    }
}

fn unreadable(source: &Source, item: &str, error: ZipError) -> CheckpointError {
    match error {
        ZipError::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            CheckpointError::TooLarge { item: DIRECTORY.to_owned(), limit: MAX_DIRECTORY, unit: "bytes" }
        }
        ZipError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => source.io(error),
        error => CheckpointError::Malformed {
            item: item.to_owned(),
            reason: format!("{error} (is the file complete?)"),
        },
    }
}
