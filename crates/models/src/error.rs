//! What can go wrong between a name and its files.
use crate::Role;
use std::{fmt, fmt::Write as _, io, path::PathBuf};
use viewfinder_convert::precision::Precision;
use viewfinder_core::{ErrorCode, TaskError};

/// Why one source did not deliver. The text holds no credentials and no signed addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFailure {
    /// Which source, in words.
    pub source: String,
    /// What happened.
    pub reason: String,
}

impl fmt::Display for SourceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, reason } = self;
        if self.is_full_disk() {
            write!(f, "{source}: no room is left on the disk of the models ({reason})")
        } else {
            write!(f, "{source}: {reason}")
        }
    }
}

impl SourceFailure {
    /// Did it fail because no room is left? Systems and pip say so in these words.
    fn is_full_disk(&self) -> bool {
        ["No space left on device", "not enough space on the disk", "quota exceeded"]
            .iter()
            .any(|words| self.reason.contains(words))
    }
}

impl ModelError {
    /// Did it fail because no room is left on the disk?
    pub fn is_full_disk(&self) -> bool {
        match self {
            Self::Unavailable { failures, .. } | Self::RuntimeUnavailable { failures } => {
                failures.iter().any(SourceFailure::is_full_disk)
            }
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }
}

/// A request to the store that could not be met.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No catalogue entry, configuration entry or cache folder has this name.
    #[error("no model is named {name:?}; `viewfinder models list` shows the known ones")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// The model exists, but has no network for this role.
    #[error("model {name:?} has no {role} network")]
    NoRole {
        /// The model.
        name: String,
        /// The role asked for.
        role: Role,
    },
    /// The files are not on this machine, and fetching was not allowed.
    #[error("{name} ({role}) is not on this machine{}", if *.offline { "; offline mode forbids fetching it" } else { "" })]
    Missing {
        /// The model.
        name: String,
        /// The role.
        role: Role,
        /// Was it offline mode that forbade fetching?
        offline: bool,
    },
    /// Every source failed.
    #[error("no source delivered {name} ({role}):{}", lines(.failures))]
    Unavailable {
        /// The model.
        name: String,
        /// The role.
        role: Role,
        /// Each source tried, in order.
        failures: Vec<SourceFailure>,
    },
    /// Nobody offers this model in ONNX form; the text says how to bring the files.
    #[error("{name} ({role}) cannot be downloaded as ONNX: {hint}")]
    NoSource {
        /// The model.
        name: String,
        /// The role.
        role: Role,
        /// What the user can do.
        hint: String,
    },
    /// A model in another precision that was not made on this machine yet.
    #[error(
        "{name} ({role}) has not been made yet; `viewfinder models quantize {base} --precision {precision}` does"
    )]
    NotMade {
        /// The model.
        name: String,
        /// The role.
        role: Role,
        /// What it is made from.
        base: String,
        /// In which precision.
        precision: Precision,
    },
    /// A checkpoint that no network can be made from, or a network that cannot be brought into another precision.
    #[error("{0}")]
    Conversion(String),
    /// A file on disk is not what it should be.
    #[error("{} is damaged: its SHA-256 is {found}, not {expected}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The right sum, in hex.
        expected: String,
        /// The sum found.
        found: String,
    },
    /// A file that the network needs is not there.
    #[error("{} lacks {missing}", .folder.display())]
    Incomplete {
        /// Where it should be.
        folder: PathBuf,
        /// Its name.
        missing: String,
    },
    /// The catalogue or the configuration's models do not make sense.
    #[error("model catalogue: {0}")]
    Catalogue(String),
    /// The ONNX Runtime library could not be fetched.
    #[error("could not fetch the ONNX Runtime library:{}", lines(.failures))]
    RuntimeUnavailable {
        /// Each source tried, in order.
        failures: Vec<SourceFailure>,
    },
    /// The ONNX Runtime library is not on this machine, and offline mode forbids fetching it.
    #[error("the ONNX Runtime library is not on this machine, and offline mode forbids fetching it")]
    RuntimeMissingOffline,
    /// Reading or writing failed.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl From<ModelError> for TaskError {
    fn from(error: ModelError) -> Self {
        let code = match &error {
            error if error.is_full_disk() => ErrorCode::DiskFull,
            ModelError::Unknown { .. } => ErrorCode::ModelUnknown,
            ModelError::NoRole { .. } => ErrorCode::ModelUnsuited,
            ModelError::Missing { .. } => ErrorCode::ModelMissingOffline,
            ModelError::Unavailable { .. } => ErrorCode::ModelUnavailable,
            ModelError::NoSource { .. } | ModelError::NotMade { .. } => ErrorCode::ModelNoSource,
            ModelError::Corrupt { .. } | ModelError::Incomplete { .. } | ModelError::Conversion(_) => {
                ErrorCode::ModelBroken
            }
            ModelError::RuntimeUnavailable { .. } | ModelError::RuntimeMissingOffline => {
                ErrorCode::RuntimeUnavailable
            }
            ModelError::Catalogue(_) | ModelError::Io { .. } => ErrorCode::Internal,
        };
        // One line, whatever the number of sources: logs are searched by line.
        Self::new(code, error.to_string().replace(":\n  ", ": ").replace("\n  ", "; "))
    }
}

fn lines(failures: &[SourceFailure]) -> String {
    failures.iter().fold(String::new(), |mut text, failure| {
        let _ = write!(text, "\n  {failure}");
        text
    })
}

/// Attaches the path to an I/O error.
pub(crate) fn io_at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> ModelError {
    let path = path.into();
    move |source| ModelError::Io { path, source }
}

/// Takes user names, passwords and query strings (signatures, tokens) out of addresses in a foreign message.
pub(crate) fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "\"'<>)".contains(c)).unwrap_or(after.len());
        let (address, tail) = after.split_at(end);
        let (plain, query) = address.split_once('?').map_or((address, false), |(plain, _)| (plain, true));
        let authority = plain.find('/').unwrap_or(plain.len());
        match plain[..authority].rfind('@') {
            Some(at) => {
                out.push_str("…@");
                out.push_str(&plain[at + 1..]);
            }
            None => out.push_str(plain),
        }
        if query {
            out.push_str("?…");
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_by_what_systems_and_pip_say() {
        let full = |reason: String| {
            let failure = SourceFailure { source: "pip x 1".into(), reason };
            ModelError::RuntimeUnavailable { failures: vec![failure] }
        };
        let [linux, windows] = if cfg!(windows) { [112, 39] } else { [28, 122] };
        for code in [linux, windows] {
            let error = full(io::Error::from_raw_os_error(code).to_string());
            assert!(error.is_full_disk(), "{error}");
        }
        let error = full(
            "pip: ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
                .into(),
        );
        assert!(error.is_full_disk() && error.to_string().contains("no room is left on the disk"), "{error}");
        assert!(!full("404".into()).is_full_disk());
    }

    #[test]
    fn secrets_leave_addresses() {
        assert_eq!(
            redact("GET https://me:pw@host/p?sig=1 failed, see http://h/x."),
            "GET https://…@host/p?… failed, see http://h/x."
        );
        assert_eq!(redact("no address"), "no address");
        assert_eq!(redact("a://"), "a://");
    }
}
