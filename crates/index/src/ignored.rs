//! Which folders people keep for their programs, not for their eyes.
use std::{ffi::OsStr, path::Path};

/// Files with ignore rules of our own, in gitignore syntax, in any folder.
pub(crate) const RULES: &str = ".viewfinderignore";

/// An Android convention: no media in here or below.
const NO_MEDIA: &str = ".nomedia";

/// Folders of thumbnails, recycle bins and leftovers. Hidden ones need no mention: whatever begins with a dot is ignored.
const FOLDERS: [&str; 8] = [
    "@eaDir",                    // Synology: thumbnails
    "#recycle",                  // Synology: deleted files
    "#snapshot",                 // Synology: older versions
    "@Recycle",                  // QNAP: deleted files
    "$RECYCLE.BIN",              // Windows: deleted files
    "System Volume Information", // Windows
    "lost+found",                // ext4
    "__MACOSX",                  // archives made on a Mac
];

/// Is a folder below the one to be indexed left out, with all it holds?
pub(crate) fn is_folder_ignored(path: &Path, name: &OsStr) -> bool {
    let listed = name.to_str().is_some_and(|name| {
        FOLDERS.iter().any(|ignored| ignored.eq_ignore_ascii_case(name)) || has_extension(name, "lrdata")
    });
    listed || path.join(NO_MEDIA).exists()
}

/// Lightroom's previews lie in folders called so.
fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}
