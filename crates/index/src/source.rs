//! From an asset to bytes that an engine decodes.
use std::{
    fmt::Debug,
    fs::{self, File},
    io,
    path::Path,
};

use bytes::Bytes;
use viewfinder_catalog::Asset;
use viewfinder_engine::ErrorCode;
use viewfinder_programs::ProgramError;

use crate::{
    FileKind, Tools,
    properties::hash,
    tools::{Converted, Subject, ToolError},
    walk::{Stamp, head},
};

/// Why an asset cannot be asked about.
#[derive(Debug)]
pub enum Unread {
    /// It is not there, or not as the catalogue knows it: the next run will see what became of it.
    Changed,
    /// No program on this machine decodes it.
    Lacking(String),
    /// It is there and cannot be read now.
    Unreadable(String),
    /// Nothing will ever come of these bytes.
    Bad {
        /// Stable code.
        code: ErrorCode,
        /// In one line.
        message: String,
    },
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::Changed
        } else {
            Self::Unreadable(error.to_string())
        }
    }
}

impl From<ToolError> for Unread {
    fn from(error: ToolError) -> Self {
        match error {
            ToolError::Lacking(_) => Self::Lacking(error.to_string()),
            ToolError::Program(ProgramError::Broken { .. }) => Self::Unreadable(error.to_string()),
            ToolError::Program(ProgramError::TooLarge { .. }) => {
                Self::Bad { code: ErrorCode::ImageTooManyBytes, message: error.to_string() }
            }
            ToolError::Refused { .. } | ToolError::Program(_) => {
                Self::Bad { code: ErrorCode::ImageUndecodable, message: error.to_string() }
            }
        }
    }
}

/// Where the bytes of assets come from.
pub trait Pictures: Debug + Send + Sync {
    /// Reads an asset as the catalogue knows it. Blocks.
    fn read(&self, asset: &Asset) -> Result<Converted, Unread>;
}

/// The files at the assets' paths.
#[derive(Clone, Debug)]
pub struct Files {
    /// Decoders.
    pub tools: Tools,
    /// Bytes of a picture, at most.
    pub max_bytes: u64,
}

impl Pictures for Files {
    fn read(&self, asset: &Asset) -> Result<Converted, Unread> {
        read(asset, &self.tools, self.max_bytes)
    }
}

fn read(asset: &Asset, tools: &Tools, max_bytes: u64) -> Result<Converted, Unread> {
    let path = Path::new(&asset.file.path);
    let kind = FileKind::of_file(path, &head(path)?).unwrap_or(FileKind::Picture);
    let known = Stamp { size: asset.file.size, modified_ns: asset.file.modified_ns };
    // A picture's hash tells; reading a long video again for that would cost more than its frame.
    if kind != FileKind::Picture && Stamp::of(&fs::metadata(path)?) != known {
        return Err(Unread::Changed);
    }
    let file = File::open(path)?;
    let subject = Subject::new(path, &file);
    let converted = match kind {
        FileKind::Picture => return picture(asset, path, max_bytes),
        FileKind::Heif => tools.heif(subject, max_bytes),
        FileKind::Raw => tools.raw(subject, max_bytes),
        FileKind::Video => tools.frame(subject, max_bytes),
    };
    Ok(converted?)
}

fn picture(asset: &Asset, path: &Path, max_bytes: u64) -> Result<Converted, Unread> {
    if asset.file.size > max_bytes {
        let message = format!("the picture has {} bytes; at most {max_bytes} are allowed", asset.file.size);
        return Err(Unread::Bad { code: ErrorCode::ImageTooManyBytes, message });
    }
    let bytes = Bytes::from(fs::read(path)?);
    if hash(&bytes) != asset.file.hash {
        return Err(Unread::Changed);
    }
    Ok(Converted { bytes, orient: true })
}
