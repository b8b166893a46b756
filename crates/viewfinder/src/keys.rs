//! Keys and other secrets, written in the configuration or kept in files of their own.
use std::path::Path;

use anyhow::Context as _;
use viewfinder_files::{read_any, read_text};

use crate::config::KeySource;

/// Bytes of a file with a key, at most.
const LARGEST: u64 = 64 << 10;
/// Bytes of a file with certificates. A system's own, of all public authorities, is a tenth of it.
const CERTIFICATES: u64 = 4 << 20;

/// The key itself.
pub(crate) fn reveal(source: &KeySource) -> anyhow::Result<String> {
    match source {
        KeySource::Written(key) => Ok(key.reveal().to_owned()),
        KeySource::File(path) => from_file(path),
    }
}

/// The key, or whatever else is secret, in a file; editors and `echo` end it with a line break.
pub(crate) fn from_file(path: &Path) -> anyhow::Result<String> {
    let text = read_text(path, LARGEST)
        .with_context(|| format!("the secret cannot be read from {}", path.display()))?;
    let key = text.trim();
    anyhow::ensure!(!key.is_empty(), "{} holds nothing", path.display());
    Ok(key.to_owned())
}

/// The certificates of authorities in a file.
pub(crate) fn certificates(path: &Path) -> std::io::Result<Vec<u8>> {
    read_any(path, CERTIFICATES)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Secret;

    #[test]
    fn a_key_may_be_written_or_kept_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            KeySource::File(path)
        };
        assert_eq!(reveal(&KeySource::Written(Secret::new("word"))).unwrap(), "word");
        assert_eq!(reveal(&file("good", " word\r\n")).unwrap(), "word");
        let empty = reveal(&file("empty", "\n")).unwrap_err().to_string();
        assert!(empty.contains("empty holds nothing"), "{empty}");
        let missing = reveal(&KeySource::File("/nowhere/key".into())).unwrap_err().to_string();
        assert!(missing.contains("/nowhere/key"), "{missing}");
    }
}
