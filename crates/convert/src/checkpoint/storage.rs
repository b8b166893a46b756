//! Bytes of tensors in the file, and readers of them.
use super::{
    CheckpointError,
    dtype::Float,
    layout::Layout,
    source::{Cursor, Source, fill},
};
use flate2::read::DeflateDecoder;
use std::io::{self, Read, Take};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// A run of bytes that tensors lie in: a member of the archive, or everything after safetensors' header.
#[derive(Debug)]
pub(super) struct Storage {
    /// The member's name, or what the part is.
    pub(super) item: String,
    /// Where its bytes begin in the file.
    pub(super) start: u64,
    /// Bytes, after expanding.
    pub(super) size: u64,
    pub(super) packing: Packing,
}

/// How a storage's bytes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Stored,
    Deflated {
        /// Bytes in the file.
        packed: u64,
    },
}

impl Storage {
    /// Everything, for parts of which the size has been checked.
    pub(super) fn read_all(&self, source: &Source) -> Result<Vec<u8>, CheckpointError> {
        let mut bytes = vec![0; self.size as usize];
        let mut reader = Reader::new(source, self);
        reader.read_at(0, &mut bytes)?;
        reader.finish()?;
        Ok(bytes)
    }

    /// Appends a tensor's elements in row-major order. Its layout has been checked against this storage.
    pub(super) fn read_tensor(
        &self,
        source: &Source,
        float: Float,
        element: usize,
        layout: &Layout,
        out: &mut Vec<f32>,
    ) -> Result<(), CheckpointError> {
        let elements = layout.elements();
        out.reserve_exact(elements);
        if elements == 0 {
            return Ok(());
        }
        let mut reader = Reader::new(source, self);
        if layout.is_contiguous() {
            let mut chunk = vec![0; CHUNK.min(elements * element)];
            let end = layout.offset + (elements * element) as u64;
            let mut at = layout.offset;
            while at < end {
                let n = chunk.len().min((end - at) as usize);
                reader.read_at(at, &mut chunk[..n])?;
                float.decode(&chunk[..n], out);
                at += n as u64;
            }
        } else {
            gather(&mut Window::new(&mut reader, float, element, layout.offset), layout, out)?;
        }
        reader.finish()
    }
}

/// Reads a tensor with gaps or in another order: a walk through the storage, each element to its place.
fn gather(window: &mut Window<'_, '_>, layout: &Layout, out: &mut Vec<f32>) -> Result<(), CheckpointError> {
    let base = out.len();
    out.resize(base + layout.elements(), 0.0);
    let dims = layout.walk();
    let mut index = vec![0; dims.len()];
    let (mut from, mut to) = (0, base);
    loop {
        out[to] = window.element(from)?;
        // To the next position: the last dimension first, carrying over.
        let mut at = dims.len();
        loop {
            if at == 0 {
                return Ok(());
            }
            at -= 1;
            let dim = dims[at];
            index[at] += 1;
            if index[at] < dim.size {
                from += dim.stride;
                to += dim.step;
                break;
            }
            index[at] = 0;
            from -= (dim.size - 1) * dim.stride;
            to -= (dim.size - 1) * dim.step;
        }
    }
}

/// A stretch of decoded elements that moves through a storage.
struct Window<'a, 's> {
    reader: &'a mut Reader<'s>,
    float: Float,
    element: usize,
    /// Where element 0 lies.
    origin: u64,
    /// The first element held.
    first: usize,
    held: Vec<f32>,
    bytes: Vec<u8>,
}

impl<'a, 's> Window<'a, 's> {
    fn new(reader: &'a mut Reader<'s>, float: Float, element: usize, origin: u64) -> Self {
        Window { reader, float, element, origin, first: 0, held: Vec::new(), bytes: vec![0; CHUNK] }
    }

    fn element(&mut self, at: usize) -> Result<f32, CheckpointError> {
        if let Some(value) = at.checked_sub(self.first).and_then(|at| self.held.get(at)) {
            return Ok(*value);
        }
        let begin = self.origin + (at * self.element) as u64;
        let left = self.reader.storage.size - begin;
        let whole = self.bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)) / self.element;
        let bytes = &mut self.bytes[..whole * self.element];
        self.reader.read_at(begin, bytes)?;
        self.held.clear();
        self.float.decode(bytes, &mut self.held);
        self.first = at;
        self.held.first().copied().ok_or_else(|| self.reader.truncated(begin))
    }
}

/// Reads a storage, forwards, or in any order where it is not compressed.
struct Reader<'s> {
    storage: &'s Storage,
    source: &'s Source,
    /// The next byte of a compressed storage.
    at: u64,
    inflate: Option<DeflateDecoder<Take<Cursor<'s>>>>,
}

impl<'s> Reader<'s> {
    fn new(source: &'s Source, storage: &'s Storage) -> Self {
        let inflate = match storage.packing {
            Packing::Stored => None,
            Packing::Deflated { packed } => {
                Some(DeflateDecoder::new(source.cursor(storage.start, u64::MAX).take(packed)))
            }
        };
        Reader { storage, source, at: 0, inflate }
    }

    /// Fills the buffer from a position in the storage; the caller stays within its size.
    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> Result<(), CheckpointError> {
        let Some(inflate) = &mut self.inflate else {
            let read = self.source.read_at(buffer, self.storage.start + at)?;
            return if read == buffer.len() { Ok(()) } else { Err(self.truncated(at + read as u64)) };
        };
        let Some(skip) = at.checked_sub(self.at) else {
            return Err(CheckpointError::Unsupported {
                item: self.storage.item.clone(),
                reason: "a tensor with overlapping dimensions lies in compressed data".to_owned(),
            });
        };
        let skipped = io::copy(&mut inflate.take(skip), &mut io::sink());
        let read = skipped.and_then(|skipped| {
            self.at += skipped;
            let read = if skipped == skip { fill(inflate, buffer)? } else { 0 };
            self.at += read as u64;
            Ok(read)
        });
        match read {
            Ok(read) if read == buffer.len() => Ok(()),
            Ok(_) => Err(self.truncated(self.at)),
            Err(error) => Err(self.inflating(error)),
        }
    }

    /// Checks that a compressed storage that was read to its end has one.
    fn finish(&mut self) -> Result<(), CheckpointError> {
        match &mut self.inflate {
            Some(inflate) if self.at == self.storage.size => match fill(inflate, &mut [0]) {
                Ok(0) => Ok(()),
                Ok(_) => Err(CheckpointError::TooLarge {
                    item: self.storage.item.clone(),
                    limit: self.storage.size,
                    unit: "bytes it declares",
                }),
                Err(error) => Err(self.inflating(error)),
            },
            _ => Ok(()),
        }
    }

    fn inflating(&self, error: io::Error) -> CheckpointError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.truncated(self.at),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => CheckpointError::Malformed {
                item: self.storage.item.clone(),
                reason: format!("its compressed data break off at byte {}", self.at),
            },
            _ => self.source.io(error),
        }
    }

    fn truncated(&self, found: u64) -> CheckpointError {
        CheckpointError::Truncated { item: self.storage.item.clone(), expected: self.storage.size, found }
    }
}
