use std::{
    ffi::OsString,
    fs::File,
    io,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use viewfinder_programs::Program;

/// The name under which a program finds the file that it was handed.
const HANDED: &str = "/proc/self/fd/0";

/// A file for a program.
///
/// On Linux it is handed over open, so that it is the one that was looked at before, whatever stands at its path by now, and
/// has a name that no program takes for an option or an address. Elsewhere it is named by its whole path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    path: &'a Path,
    file: &'a File,
    abandoned: Option<&'a Arc<AtomicBool>>,
}

impl<'a> Subject<'a> {
    /// The file, and where it was opened.
    pub(crate) fn new(path: &'a Path, file: &'a File) -> Self {
        Self { path, file, abandoned: None }
    }

    /// Programs that have it are ended when this becomes true.
    pub(super) fn unless(self, abandoned: &'a Arc<AtomicBool>) -> Self {
        Self { abandoned: Some(abandoned), ..self }
    }

    /// The program with the file, and the file's name for it.
    pub(super) fn hand(self, mut program: Program) -> io::Result<(Program, OsString)> {
        if let Some(abandoned) = self.abandoned {
            program = program.unless(Arc::clone(abandoned));
        }
        if cfg!(target_os = "linux") {
            Ok((program.input(self.file.try_clone()?), HANDED.into()))
        } else {
            Ok((program, std::path::absolute(self.path)?.into()))
        }
    }
}

/// What a program says, for people who know nothing of its ways.
pub(super) fn in_words(reason: &str, complaint: &str) -> String {
    if complaint.contains("not on whitelist") {
        // Playlists name other files, perhaps outside the folder.
        return "it is a playlist, or no kind of video that is known".to_owned();
    }
    let reason = reason.strip_prefix("file:").unwrap_or(reason);
    let reason = reason.strip_prefix(HANDED).map_or(reason, |rest| rest.trim_start_matches(": "));
    reason.replace(HANDED, "the file")
}
