//! Files for parsers that read no bytes, but files.
use std::{cell::RefCell, fs, path::Path};

use tempfile::TempDir;

thread_local! {
    /// One folder for each thread: making one costs more than most parsers.
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// Runs a function with this thread's folder, which keeps what is put into it.
pub(crate) fn within<T>(run: impl FnOnce(&Path) -> T) -> T {
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(|| tempfile::tempdir().expect("a folder for what is fuzzed"));
        run(folder.path())
    })
}

/// Runs a function with a file of these bytes.
pub(crate) fn with_file<T>(name: &str, bytes: &[u8], run: impl FnOnce(&Path) -> T) -> T {
    within(|folder| {
        let file = folder.join(name);
        fs::write(&file, bytes).expect("a file for what is fuzzed");
        run(&file)
    })
}
