//! The pickle's bytes and the instructions' arguments.
use crate::checkpoint::CheckpointError;

/// The longest line argument: a Python module or name.
const MAX_LINE: usize = 256;

/// Bytes with a position.
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
    item: &'a str,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8], item: &'a str) -> Self {
        Input { bytes, at: 0, item }
    }

    pub(super) fn byte(&mut self) -> Result<u8, CheckpointError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], CheckpointError> {
        let taken = *self.bytes[self.at..].first_chunk().ok_or_else(|| self.ends())?;
        self.at += N;
        Ok(taken)
    }

    pub(super) fn take(&mut self, n: u64) -> Result<&'a [u8], CheckpointError> {
        let end = usize::try_from(n).ok().and_then(|n| self.at.checked_add(n));
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| self.ends())?;
        self.at += taken.len();
        Ok(taken)
    }

    pub(super) fn text(&mut self, n: u64) -> Result<&'a str, CheckpointError> {
        let bytes = self.take(n)?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed("a text is not UTF-8"))
    }

    /// The rest of a line, without its end.
    pub(super) fn line(&mut self) -> Result<&'a str, CheckpointError> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().take(MAX_LINE + 1).position(|&byte| byte == b'\n');
        let end = end.ok_or_else(|| self.malformed("a line does not end"))?;
        let line = self.text(end as u64)?;
        self.at += 1;
        Ok(line)
    }

    pub(super) fn malformed(&self, reason: &str) -> CheckpointError {
        CheckpointError::Malformed {
            item: self.item.to_owned(),
            reason: format!("{reason}, before byte {}", self.at),
        }
    }

    pub(super) fn too_large(&self, limit: usize, unit: &'static str) -> CheckpointError {
        CheckpointError::TooLarge { item: self.item.to_owned(), limit: limit as u64, unit }
    }

    fn ends(&self) -> CheckpointError {
        CheckpointError::Malformed { item: self.item.to_owned(), reason: "the pickle breaks off".to_owned() }
    }
}
