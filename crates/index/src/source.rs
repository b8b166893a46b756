//! From an asset to bytes that an engine decodes.
use std::{
    fmt::Debug,
    fs::File,
    io::{self, Read as _},
    panic::resume_unwind,
    path::Path,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use viewfinder_catalog::Asset;
use viewfinder_core::{ErrorCode, TaskError};
use viewfinder_files::{Links, OpenError, open};
use viewfinder_programs::ProgramError;

use crate::{
    FileKind, Tools,
    content::of_content,
    properties::{hash, hash_in_pieces, head},
    tools::{Converted, Subject, ToolError},
    walk::FileStamp,
};

/// Why an asset cannot be asked about.
#[derive(Debug)]
pub enum Unread {
    /// It is not there, or not as the catalogue knows it: the next run will see what became of it.
    Changed,
    /// It is there and cannot be read now.
    Unreadable(String),
    /// Nothing will come of these bytes, unless a missing program is installed.
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

impl From<OpenError> for Unread {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Io(error) => error.into(),
            // What the catalogue knows was a file at this very place.
            OpenError::NotRegular | OpenError::Link => Self::Changed,
        }
    }
}

impl From<ToolError> for Unread {
    fn from(error: ToolError) -> Self {
        if let ToolError::Program(ProgramError::Broken { .. }) = error {
            return Self::Unreadable(error.to_string());
        }
        let TaskError { code, message, .. } = error.into();
        Self::Bad { code, message }
    }
}

/// Where the bytes of assets come from.
#[async_trait]
pub trait Pictures: Debug + Send + Sync {
    /// Reads an asset as the catalogue knows it.
    async fn read(&self, asset: &Asset) -> Result<Converted, Unread>;
}

/// Pictures that lie in files, which can be handed on as they are. Calls block: a disk may keep a thread for long, and whoever asks
/// decides how many.
pub trait Originals: Pictures {
    /// Opens an asset's file as the catalogue knows it, at its beginning: whatever stands at its path now, nothing else is opened.
    fn open(&self, asset: &Asset) -> Result<File, Unread>;

    /// Does what [`Pictures::read`] does.
    fn read_blocking(&self, asset: &Asset) -> Result<Converted, Unread>;
}

/// The files at the assets' paths.
#[derive(Clone, Debug)]
pub struct Files {
    /// Decoders.
    pub tools: Tools,
    /// Bytes of a picture, at most.
    pub max_bytes: u64,
    /// Links on the way to them.
    pub links: Links,
}

#[async_trait]
impl Pictures for Files {
    async fn read(&self, asset: &Asset) -> Result<Converted, Unread> {
        let (files, asset) = (self.clone(), asset.clone());
        let read = spawn_blocking(move || files.read_blocking(&asset)).await;
        // None is cancelled while somebody waits for it.
        read.unwrap_or_else(|error| resume_unwind(error.into_panic()))
    }
}

impl Files {
    fn picture(&self, asset: &Asset, file: &File) -> Result<Converted, Unread> {
        let (size, max_bytes) = (asset.file.size, self.max_bytes);
        if size > max_bytes {
            let message = format!("the picture has {size} bytes; at most {max_bytes} are allowed");
            return Err(Unread::Bad { code: ErrorCode::ImageTooManyBytes, message });
        }
        let mut bytes = Vec::new();
        // One byte more tells that it has grown.
        file.take(size + 1).read_to_end(&mut bytes)?;
        if hash(&bytes) != asset.file.hash {
            return Err(Unread::Changed);
        }
        Ok(Converted { bytes: Bytes::from(bytes), orient: true })
    }
}

impl Originals for Files {
    fn open(&self, asset: &Asset) -> Result<File, Unread> {
        let mut file = open(Path::new(&asset.file.path), self.links)?;
        let (stamp, known) = (FileStamp::of(&file.metadata()?), known(asset));
        let head = head(&mut file)?;
        if of_content(&head).is_none() {
            return Err(no_media());
        }
        // A library that was copied back has other times and the same content, which tells as long as reading it twice costs little.
        let touched = FileStamp { modified_ns: known.modified_ns, ..stamp };
        if stamp != known
            && (touched != known
                || stamp.size > self.max_bytes
                || hash_in_pieces(&mut file, &CancellationToken::new())? != Some(asset.file.hash))
        {
            return Err(Unread::Changed);
        }
        Ok(file)
    }

    fn read_blocking(&self, asset: &Asset) -> Result<Converted, Unread> {
        let path = Path::new(&asset.file.path);
        let mut file = open(path, self.links)?;
        let head = head(&mut file)?;
        let kind = FileKind::of_file(path, &head).unwrap_or(FileKind::Picture);
        if kind == FileKind::Picture {
            return self.picture(asset, &file);
        }
        // A picture's hash tells; reading a long video again for that would cost more than its frame.
        check(&file, asset)?;
        if of_content(&head).is_none() {
            return Err(no_media());
        }
        let subject = Subject::new(path, &file);
        let converted = self.tools.convert(kind, subject, self.max_bytes)?;
        // Where a program cannot be handed an open file, it opens the name by itself, which may lead to another file by now.
        if !cfg!(target_os = "linux") {
            check(&open(path, self.links)?, asset)?;
        }
        Ok(converted)
    }
}

fn known(asset: &Asset) -> FileStamp {
    FileStamp { size: asset.file.size, modified_ns: asset.file.modified_ns }
}

/// Is it as the catalogue knows it, by its size and time?
fn check(file: &File, asset: &Asset) -> Result<(), Unread> {
    if FileStamp::of(&file.metadata()?) == known(asset) { Ok(()) } else { Err(Unread::Changed) }
}

fn no_media() -> Unread {
    let message = "its content is neither a picture nor a video".to_owned();
    Unread::Bad { code: ErrorCode::ImageUndecodable, message }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::PathBuf, process::Command, time::SystemTime};

    use viewfinder_catalog::{AnalysisState, AssetId, FileRecord, Properties};

    use super::*;

    const JPEG: &[u8] = b"\xFF\xD8\xFF a picture";

    struct Place {
        _folder: tempfile::TempDir,
        root: PathBuf,
        files: Files,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().canonicalize().unwrap();
            let tools = Tools::find_in("".as_ref());
            Self { _folder: folder, root, files: Files { tools, max_bytes: 1000, links: Links::Refused } }
        }

        /// The asset of a file that is there.
        fn put(&self, name: &str, content: &[u8]) -> Asset {
            let path = self.root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            let FileStamp { size, modified_ns } = FileStamp::of(&fs::metadata(&path).unwrap());
            let path = path.to_str().unwrap().to_owned();
            Asset {
                id: AssetId(1),
                file: FileRecord { path, size, modified_ns, hash: hash(content) },
                properties: Properties::default(),
                states: [const { AnalysisState::Never }; 3],
            }
        }

        fn opened(&self, asset: &Asset) -> Result<Vec<u8>, Unread> {
            let mut content = Vec::new();
            self.files.open(asset)?.read_to_end(&mut content)?;
            Ok(content)
        }
    }

    #[test]
    fn only_what_the_catalogue_knows_is_opened() {
        let place = Place::new();
        let asset = place.put("sub/x.jpg", JPEG);
        let path = place.root.join("sub/x.jpg");
        assert_eq!(place.opened(&asset).unwrap(), JPEG);
        let gone = |what: &str| {
            let error = place.opened(&asset).unwrap_err();
            assert!(matches!(error, Unread::Changed), "{what}: {error:?}");
            let error = place.files.read_blocking(&asset).unwrap_err();
            assert!(matches!(error, Unread::Changed), "{what}: {error:?}");
        };

        // The same content with another time is the same, another content is not, also of the same size.
        fs::File::options().write(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(place.opened(&asset).unwrap(), JPEG);
        fs::write(&path, JPEG.to_ascii_uppercase()).unwrap();
        gone("changed");
        fs::write(&path, [JPEG, JPEG].concat()).unwrap();
        gone("grown");

        // A file elsewhere, with the very same content.
        let elsewhere = place.root.join("elsewhere.jpg");
        fs::write(&elsewhere, JPEG).unwrap();
        fs::remove_file(&path).unwrap();
        gone("removed");
        symlink(&elsewhere, &path).unwrap();
        gone("a link");
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        let away = tempfile::tempdir().unwrap();
        fs::write(away.path().join("x.jpg"), JPEG).unwrap();
        symlink(away.path(), path.parent().unwrap()).unwrap();
        gone("a folder that is a link");
        let following = Files { links: Links::Followed, ..place.files.clone() };
        assert!(following.open(&asset).is_ok() && following.read_blocking(&asset).is_ok());

        fs::remove_file(path.parent().unwrap()).unwrap();
        fs::create_dir(path.parent().unwrap()).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        gone("a pipe");
    }

    #[test]
    fn a_long_file_with_another_time_is_not_read_twice() {
        let place = Place::new();
        let asset = place.put("x.mp4", &[b"\0\0\0\x14ftypqt  ", &[7; 2000][..]].concat());
        assert!(place.files.open(&asset).is_ok());
        let file = fs::File::options().write(true).open(&asset.file.path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(matches!(place.files.open(&asset), Err(Unread::Changed)));
    }

    #[test]
    fn what_is_no_picture_inside_is_never_handed_out_nor_to_other_programs() {
        let place = Place::new();
        let secret = b"api_key = \"secret\"\n";
        for name in ["x.jpg", "x.heic", "x.nef", "x.mp4"] {
            let asset = place.put(name, secret);
            let error = place.files.open(&asset).unwrap_err();
            assert!(matches!(&error, Unread::Bad { .. }), "{name}: {error:?}");
            if name != "x.jpg" {
                // Without any program, others say that one is lacking.
                let error = place.files.read_blocking(&asset).unwrap_err();
                assert!(matches!(&error, Unread::Bad { .. }), "{name}: {error:?}");
            }
        }
    }
}
