//! Files for parsers that read no bytes, but files.
use std::{cell::RefCell, fs, path::Path, process};

use tempfile::TempDir;

thread_local! {
    /// One folder for each thread: making one costs more than most parsers.
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// In memory where Linux has such a folder: a disk would take most of the time.
const MEMORY: &str = "/dev/shm";

/// Its name tells the process: libFuzzer ends without cleaning up, and `cargo xtask fuzz` does it then.
fn folder() -> TempDir {
    let prefix = format!("viewfinder-fuzz-{}-", process::id());
    let (memory, mut builder) = (Path::new(MEMORY), tempfile::Builder::new());
    let builder = builder.prefix(&prefix);
    let folder = if memory.is_dir() { builder.tempdir_in(memory) } else { builder.tempdir() };
    folder.expect("a folder for what is fuzzed")
}

/// Runs a function with this thread's folder, which keeps what is put into it.
pub(crate) fn within<T>(run: impl FnOnce(&Path) -> T) -> T {
    FOLDER.with_borrow_mut(|folder| run(folder.get_or_insert_with(self::folder).path()))
}

/// Runs a function with a file of these bytes.
pub(crate) fn with_file<T>(name: &str, bytes: &[u8], run: impl FnOnce(&Path) -> T) -> T {
    within(|folder| {
        let file = folder.join(name);
        fs::write(&file, bytes).expect("a file for what is fuzzed");
        run(&file)
    })
}
