//! SHA-256 of files.
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

/// The SHA-256 of a file in lower-case hex.
pub(crate) fn of_file(path: &Path) -> io::Result<String> {
    let mut sink = Hasher::new(io::sink());
    copy(&mut File::open(path)?, &mut sink)?;
    Ok(sink.finish())
}

/// Copies in chunks large enough for disks.
pub(crate) fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
    let mut buffer = vec![0; 256 * 1024];
    let mut copied = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(n) => {
                to.write_all(&buffer[..n])?;
                copied += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Passes bytes on and sums them.
pub(crate) struct Hasher<W> {
    inner: W,
    sum: Sha256,
}

impl<W> Hasher<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, sum: Sha256::new() }
    }

    pub(crate) fn finish(self) -> String {
        self.sum.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

impl<W: Write> Write for Hasher<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
