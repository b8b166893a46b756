//! Where the running program lies: what came with it lies beside it.
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The folder of the running program itself, also where it was started through a link.
pub fn program_folder() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    // Windows' canonical paths have a form that not every library takes.
    let program = if cfg!(windows) { program } else { fs::canonicalize(&program).unwrap_or(program) };
    program.parent().map(Path::to_owned)
}
