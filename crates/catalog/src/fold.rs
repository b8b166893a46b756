//! How both stores keep paths, names and times for comparing.
use unicode_normalization::UnicodeNormalization as _;

/// A path or name for comparing whatever the case, and whether accents are parts of letters (as macOS names files) or not.
pub(crate) fn folded(text: &str) -> String {
    text.nfc().flat_map(char::to_lowercase).collect()
}

/// A time as it is stored: what is not known is older than all that is.
pub(crate) fn stored_time(time: Option<i64>) -> i64 {
    time.unwrap_or(UNKNOWN_TIME)
}

/// A time as it was given.
pub(crate) fn time_of(stored: i64) -> Option<i64> {
    (stored != UNKNOWN_TIME).then_some(stored)
}

/// Stands for a time that is not known.
pub(crate) const UNKNOWN_TIME: i64 = i64::MIN;
