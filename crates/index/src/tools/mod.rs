//! Programs of the system that decode what Viewfinder does not: HEIF, RAW and videos.
//!
//! Each is handed one file and runs within limits (`viewfinder_programs`).
mod heif;
mod picture;
mod raw;
mod subject;
#[cfg(test)]
mod tests;
mod video;

use std::{
    env,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use viewfinder_core::{ErrorCode, TaskError};
use viewfinder_programs::{Bounds, Environment, Program, ProgramError};

pub(crate) use subject::Subject;

/// The decoders on this machine. They are looked for when one is needed, so that one that is installed meanwhile is used.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    folders: Vec<PathBuf>,
}

/// libheif 1.19 renamed it.
const HEIF: [&str; 2] = ["heif-dec", "heif-convert"];
const EXIFTOOL: [&str; 1] = ["exiftool"];
const LIBRAW: [&str; 1] = ["dcraw_emu"];
const FFMPEG: [&str; 1] = ["ffmpeg"];
const FFPROBE: [&str; 1] = ["ffprobe"];

/// Why a program gave no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    /// None of these programs is here, or it lacks a part.
    #[error("reading it takes {0}, which is not installed here")]
    Lacking(&'static str),
    /// It says no.
    #[error("{program} cannot decode it: {reason}")]
    Refused { program: String, reason: String },
    /// It broke, or a bound.
    #[error(transparent)]
    Program(ProgramError),
}

impl From<ProgramError> for ToolError {
    fn from(error: ProgramError) -> Self {
        match error {
            ProgramError::Refused { program, reason, complaint } => match lacking_part(&complaint) {
                Some(part) => Self::Lacking(part),
                None => Self::Refused { program, reason: subject::in_words(&reason, &complaint) },
            },
            other => Self::Program(other),
        }
    }
}

impl From<ToolError> for TaskError {
    fn from(error: ToolError) -> Self {
        let code = match &error {
            ToolError::Lacking(_) => ErrorCode::DecoderMissing,
            ToolError::Program(ProgramError::Broken { error, .. })
                if error.kind() == io::ErrorKind::StorageFull =>
            {
                ErrorCode::DiskFull
            }
            ToolError::Program(ProgramError::Broken { .. }) => ErrorCode::Internal,
            ToolError::Program(ProgramError::TooLarge { .. }) => ErrorCode::ImageTooManyBytes,
            ToolError::Refused { .. } | ToolError::Program(_) => ErrorCode::ImageUndecodable,
        };
        Self::new(code, error)
    }
}

/// What a program says it lacks to decode the file. Systems pack codecs apart from the programs that use them.
fn lacking_part(complaint: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|words| complaint.contains(words));
    if says(&["Unsupported codec", "No matching decoder", "No decoding plugin"]) {
        return Some("libheif's decoder for its codec (libde265 for HEIC, dav1d for AVIF)");
    }
    says(&["no decoder found for", "not found for input stream"])
        .then_some("an ffmpeg that decodes its codec")
}

/// A picture that a tool made.
#[derive(Debug)]
pub struct Converted {
    /// A file that Viewfinder decodes.
    pub bytes: Bytes,
    /// Does its EXIF orientation say how to turn it? Otherwise it is upright.
    pub orient: bool,
}

impl Tools {
    /// Looks in the folders of the variable `PATH`.
    pub fn find() -> Self {
        Self::find_in(&env::var_os("PATH").unwrap_or_default())
    }

    /// Looks in these folders, written as in the variable `PATH`.
    pub fn find_in(path: &OsStr) -> Self {
        // Another place would depend on where we were started, which may be among a stranger's files.
        Self { folders: env::split_paths(path).filter(|folder| folder.is_absolute()).collect() }
    }

    /// The first of these programs that is here.
    fn program(&self, names: &[&str]) -> Option<PathBuf> {
        let places = self.folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
        places.map(|file| file.with_extension(env::consts::EXE_EXTENSION)).find(|file| file.is_file())
    }
}

/// A program of the system, and what depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// What it is called.
    pub name: &'static str,
    /// Where it is; none if it is not on this machine.
    pub path: Option<PathBuf>,
    /// What goes without it.
    pub without: &'static str,
    /// Its package in Debian and Ubuntu.
    pub package: &'static str,
}

impl Tools {
    /// Every program that is used, here or not.
    pub fn list(&self) -> [Tool; 5] {
        let tool = |name, names: &[&str], without, package| Tool {
            name,
            path: self.program(names),
            without,
            package,
        };
        [
            tool(
                "heif-dec",
                &HEIF,
                "HEIC and AVIF pictures, as phones take them, are not read",
                "libheif-examples",
            ),
            tool(
                "exiftool",
                &EXIFTOOL,
                "the previews in RAW pictures are not used; LibRaw develops them, if it is here",
                "libimage-exiftool-perl",
            ),
            tool(
                "dcraw_emu (LibRaw)",
                &LIBRAW,
                "RAW pictures without a built-in preview are not read",
                "libraw-bin",
            ),
            tool("ffmpeg", &FFMPEG, "videos are not read", "ffmpeg"),
            tool("ffprobe", &FFPROBE, "videos have neither length nor date", "ffmpeg"),
        ]
    }
}

/// A decoder that writes and answers at most `max_bytes`.
fn decoder(program: &Path, max_bytes: u64) -> Program {
    Program::new(program, Environment::Closed, Bounds::decoder(max_bytes))
}

fn broken(program: &Path) -> impl Fn(io::Error) -> ToolError {
    move |error| ToolError::Program(ProgramError::Broken { program: name(program), error })
}

fn refused(program: &Path, reason: &str) -> ToolError {
    ToolError::Refused { program: name(program), reason: reason.to_owned() }
}

fn name(program: &Path) -> String {
    program.file_stem().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}
