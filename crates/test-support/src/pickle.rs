//! Pickles, instruction by instruction, for checkpoints as `PyTorch` writes them and for hostile ones.

/// A pickle that grows.
#[derive(Clone, Debug)]
pub struct Pickle {
    bytes: Vec<u8>,
}

impl Default for Pickle {
    fn default() -> Self {
        Self::new()
    }
}

impl Pickle {
    /// Begins with protocol 2.
    pub fn new() -> Self {
        Pickle { bytes: vec![0x80, 2] }
    }

    /// Bytes as they are.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A Python name.
    #[must_use]
    pub fn global(self, module: &str, name: &str) -> Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    /// A text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.raw(b"X").raw(&(text.len() as u32).to_le_bytes()).raw(text.as_bytes())
    }

    /// A whole number.
    #[must_use]
    pub fn int(self, int: i64) -> Self {
        match i32::try_from(int) {
            Ok(int) => self.raw(b"J").raw(&int.to_le_bytes()),
            Err(_) => self.raw(&[0x8a, 8]).raw(&int.to_le_bytes()),
        }
    }

    /// A tuple of whole numbers.
    #[must_use]
    pub fn ints(self, ints: &[usize]) -> Self {
        ints.iter().fold(self.raw(b"("), |pickle, &int| pickle.int(int as i64)).raw(b"t")
    }

    /// A new `OrderedDict`.
    #[must_use]
    pub fn ordered_dict(self) -> Self {
        self.global("collections", "OrderedDict").raw(b")R")
    }

    /// A tensor over a storage of a class such as `FloatStorage`.
    #[must_use]
    pub fn tensor(
        self,
        class: &str,
        key: &str,
        elements: usize,
        offset: usize,
        shape: &[usize],
        strides: &[usize],
    ) -> Self {
        self.global("torch._utils", "_rebuild_tensor_v2")
            .raw(b"((")
            .text("storage")
            .global("torch", class)
            .text(key)
            .text("cpu")
            .int(elements as i64)
            .raw(b"tQ")
            .int(offset as i64)
            .ints(shape)
            .ints(strides)
            .raw(b"\x89")
            .ordered_dict()
            .raw(b"tR")
    }

    /// The pickle, ended.
    pub fn finish(self) -> Vec<u8> {
        self.raw(b".").bytes
    }
}
