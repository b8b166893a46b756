//! Programs of the system that decode what Viewfinder does not: HEIF, RAW and videos.
//!
//! Each is handed one file and runs within limits (`viewfinder_programs`).
mod heif;
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
use viewfinder_programs::{Bounds, Environment, Program, ProgramError};

pub(crate) use subject::Subject;

/// The decoders on this machine.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    heif: Option<PathBuf>,
    exiftool: Option<PathBuf>,
    libraw: Option<PathBuf>,
    ffmpeg: Option<PathBuf>,
    ffprobe: Option<PathBuf>,
}

/// Why a program gave no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    /// None of these programs is here.
    #[error("it takes {0}, which is not on this machine")]
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
            ProgramError::Refused { program, reason, complaint } => {
                Self::Refused { program, reason: subject::in_words(&reason, &complaint) }
            }
            other => Self::Program(other),
        }
    }
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
        let program = |names: &[&str]| {
            let mut places = env::split_paths(path)
                .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
                .map(|file| file.with_extension(env::consts::EXE_EXTENSION));
            places.find(|file| file.is_file())
        };
        Self {
            // libheif 1.19 renamed it.
            heif: program(&["heif-dec", "heif-convert"]),
            exiftool: program(&["exiftool"]),
            libraw: program(&["dcraw_emu"]),
            ffmpeg: program(&["ffmpeg"]),
            ffprobe: program(&["ffprobe"]),
        }
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
        let tool = |name, path: &Option<PathBuf>, without, package| Tool {
            name,
            path: path.clone(),
            without,
            package,
        };
        [
            tool(
                "heif-dec",
                &self.heif,
                "HEIC and AVIF pictures, as phones take them, are not read",
                "libheif-examples",
            ),
            tool(
                "exiftool",
                &self.exiftool,
                "the previews in RAW pictures are not used; LibRaw develops them, if it is here",
                "libimage-exiftool-perl",
            ),
            tool(
                "dcraw_emu (LibRaw)",
                &self.libraw,
                "RAW pictures without a built-in preview are not read",
                "libraw-bin",
            ),
            tool("ffmpeg", &self.ffmpeg, "videos are not read", "ffmpeg"),
            tool("ffprobe", &self.ffprobe, "videos have neither length nor date", "ffmpeg"),
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
