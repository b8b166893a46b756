//! The file, read by position, so that readers share it without locks.
use super::CheckpointError;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// An open file of known size.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    path: PathBuf,
    len: u64,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Source, CheckpointError> {
        let failed = |source| CheckpointError::Io { path: path.to_owned(), source };
        // Asked before opening: a named pipe would wait for its writer.
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(CheckpointError::NotACheckpoint { path: path.to_owned() });
        }
        let file = File::open(path).map_err(failed)?;
        Ok(Source { file, path: path.to_owned(), len: metadata.len() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Reads until the buffer is full or the file ends; answers how much was read.
    pub(super) fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<usize, CheckpointError> {
        fill(&mut self.cursor(at, u64::MAX), buffer).map_err(|error| self.io(error))
    }

    /// A reader that begins at a position and refuses to read more than `budget` bytes in all.
    pub(super) fn cursor(&self, at: u64, budget: u64) -> Cursor<'_> {
        Cursor { source: self, at, budget }
    }

    pub(super) fn io(&self, source: io::Error) -> CheckpointError {
        CheckpointError::Io { path: self.path.clone(), source }
    }

    #[cfg(unix)]
    fn read_some(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, at)
    }

    #[cfg(windows)]
    fn read_some(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, buffer, at)
    }
}

/// Reads until the buffer is full or the input ends; answers how much was read.
pub(super) fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A position in the file.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    source: &'a Source,
    at: u64,
    budget: u64,
}

impl Read for Cursor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let allowed = buffer.len().min(usize::try_from(self.budget).unwrap_or(usize::MAX));
        if allowed == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.source.read_some(&mut buffer[..allowed], self.at)?;
        self.at += read as u64;
        self.budget -= read as u64;
        Ok(read)
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.source.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
