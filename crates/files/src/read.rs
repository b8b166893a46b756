//! Files read whole that should be small.
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use crate::{Links, OpenError, open};

/// Reads a regular file of at most `limit` bytes, also by way of links.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path, Links::Followed).map_err(|error| match error {
        OpenError::Io(error) => error,
        _ => io::Error::new(io::ErrorKind::InvalidInput, error),
    })?;
    whole(file, limit)
}

/// The same, of anything that can be read: what an owner names may be a pipe.
pub fn read_any(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    whole(File::open(path)?, limit)
}

/// The same as text.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read_any(path, limit)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text in UTF-8"))
}

fn whole(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than the {limit} bytes that are allowed"),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_as_far_as_it_is_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "four").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"four");
        assert_eq!(read_text(&path, 4).unwrap(), "four");
        for error in [read(&path, 3).unwrap_err(), read_text(&path, 3).unwrap_err()] {
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "{error}");
        }
        fs::write(&path, b"\xFF").unwrap();
        assert_eq!(read_text(&path, 4).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_never_ends_is_no_file() {
        assert_eq!(read("/dev/zero".as_ref(), 10).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(read_any("/dev/zero".as_ref(), 10).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
