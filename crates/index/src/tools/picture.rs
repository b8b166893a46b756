//! Pictures of any kind, from a file or from memory, as the engines decode them.
use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use bytes::Bytes;
use tempfile::NamedTempFile;
use viewfinder_core::{ErrorCode, TaskError};

use super::{Converted, Subject, ToolError, Tools};
use crate::{FileKind, content::of_content, properties::head};

impl Tools {
    /// Has a file decoded by the program for its kind. Blocks.
    pub(crate) fn convert(
        &self,
        kind: FileKind,
        file: Subject<'_>,
        max_bytes: u64,
    ) -> Result<Converted, ToolError> {
        match kind {
            FileKind::Picture | FileKind::Heif => self.heif(file, max_bytes),
            FileKind::Raw => self.raw(file, max_bytes),
            FileKind::Video => self.frame(file, max_bytes),
        }
    }

    /// Reads a file as a folder's files are read: a picture as it is, what the engines do not decode through the program
    /// for its kind, whose result is at most `max_bytes` long. Blocks.
    pub fn picture_of_file(&self, path: &Path, max_bytes: u64) -> io::Result<Result<Converted, TaskError>> {
        let mut file = File::open(path)?;
        // A pipe has no beginning to go back to, and no end that is known.
        let kind = if file.metadata()?.is_file() {
            let head = head(&mut file)?;
            FileKind::of_file(path, &head).filter(|_| of_content(&head).is_some())
        } else {
            None
        };
        match kind {
            None | Some(FileKind::Picture) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                Ok(Ok(as_it_is(bytes.into())))
            }
            Some(kind) => {
                Ok(self.convert(kind, Subject::new(path, &file), max_bytes).map_err(TaskError::from))
            }
        }
    }

    /// As [`Tools::picture_of_file`], of bytes that came without a name. Blocks.
    ///
    /// A program finds them in a file that nobody else may read, and that is gone when it has ended; it is ended when
    /// `abandoned` becomes true.
    pub fn picture_of_bytes(
        &self,
        bytes: Bytes,
        max_bytes: u64,
        abandoned: &Arc<AtomicBool>,
    ) -> Result<Converted, TaskError> {
        let kind = FileKind::of_bytes(&bytes);
        let Some(kind) = kind.filter(|kind| *kind != FileKind::Picture) else { return Ok(as_it_is(bytes)) };
        let laid_down = lay_down(&bytes).map_err(|error| {
            let full = error.kind() == io::ErrorKind::StorageFull;
            let code = if full { ErrorCode::DiskFull } else { ErrorCode::Internal };
            TaskError::new(code, format!("the picture cannot be handed to a program: {error}"))
        });
        let (file, name) = laid_down?;
        // It lies in the file now.
        drop(bytes);
        let path = name.as_deref().unwrap_or(Path::new(""));
        Ok(self.convert(kind, Subject::new(path, &file).unless(abandoned), max_bytes)?)
    }
}

fn as_it_is(bytes: Bytes) -> Converted {
    Converted { bytes, orient: true }
}

/// A temporary file with these bytes. It has a name only where programs are told names: without one, nothing is left of it
/// even if we are killed.
fn lay_down(bytes: &[u8]) -> io::Result<(File, Option<tempfile::TempPath>)> {
    let (mut file, name) = NamedTempFile::new()?.into_parts();
    let name = if cfg!(target_os = "linux") {
        name.close()?;
        None
    } else {
        Some(name)
    };
    file.write_all(bytes)?;
    file.rewind()?;
    Ok((file, name))
}
