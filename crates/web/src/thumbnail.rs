//! Small pictures, made when first asked for and kept in a folder of bounded size.
use std::{
    ffi::OsStr,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use viewfinder_catalog::{ContentHash, view::hex};
use viewfinder_core::Alpha;
use viewfinder_files::{private, read};
use viewfinder_image::{DecodeError, Limits, RgbImage, decode, encode, resize};

/// Longer sides that are offered, in pixels: a tile, and a screen.
pub(crate) const SIZES: [usize; 2] = [320, 1600];
/// Quality of the JPEG files, 1 to 100.
pub(crate) const QUALITY: f32 = 82.0;
/// Bytes of a kept one, at most: as many as that many pixels have without being packed.
const KEPT_BYTES: u64 = 3 * (SIZES[1] * SIZES[1]) as u64;
/// The folder is tidied after this many new files.
const TIDY_EVERY: u64 = 256;

/// Makes and keeps small pictures.
pub(crate) struct Thumbnails {
    folder: Option<PathBuf>,
    /// Bytes of all files together.
    limit: u64,
    made: AtomicU64,
}

impl Thumbnails {
    /// Those of before are narrowed to their owner. Blocks.
    pub(crate) fn new(folder: Option<PathBuf>, limit: u64) -> Self {
        if let Some(folder) = &folder {
            // Ours are the parts; the folder itself may be somebody's who keeps other things in it.
            let parts: Vec<_> =
                fs::read_dir(folder).into_iter().flatten().flatten().map(|part| part.path()).collect();
            private::narrow_all(
                "folders of thumbnails",
                parts.iter().map(PathBuf::as_path).filter(|part| is_part(part)),
            );
        }
        Self { folder, limit, made: AtomicU64::new(0) }
    }

    /// A kept picture.
    pub(crate) fn kept(&self, hash: &ContentHash, size: usize) -> Option<Vec<u8>> {
        self.kept_part(hash, &size.to_string())
    }

    /// Something kept that was made of a picture.
    pub(crate) fn kept_part(&self, hash: &ContentHash, part: &str) -> Option<Vec<u8>> {
        read(&self.path(hash, part)?, KEPT_BYTES).ok()
    }

    /// Keeps something that was made of a picture. What cannot be kept is made again. Blocks.
    pub(crate) fn keep_part(&self, hash: &ContentHash, part: &str, jpeg: &[u8]) {
        let kept = self.path(hash, part).map_or(Ok(()), |path| self.keep(&path, jpeg));
        if let Err(error) = kept {
            tracing::debug!(%error, "a thumbnail is not kept");
        }
    }

    /// Makes a picture of an encoded one, and keeps it. Blocks.
    pub(crate) fn make(
        &self,
        hash: &ContentHash,
        size: usize,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Vec<u8>, DecodeError> {
        let picture = decode(bytes, limits)?.into_rgb(true, Alpha::Contrast);
        let jpeg = encode::jpeg(&shrink(picture, size), QUALITY);
        self.keep_part(hash, &size.to_string(), &jpeg);
        Ok(jpeg)
    }

    fn path(&self, hash: &ContentHash, part: &str) -> Option<PathBuf> {
        let name = hex(hash);
        Some(self.folder.as_ref()?.join(&name[..2]).join(format!("{name}-{part}.jpg")))
    }

    /// By rename, so that nobody reads half a file.
    fn keep(&self, path: &Path, jpeg: &[u8]) -> io::Result<()> {
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        let partial = path.with_extension(format!("{}-{made}.part", std::process::id()));
        path.parent().map_or(Ok(()), private::create_folder)?;
        private::create(&partial)?.write_all(jpeg)?;
        fs::rename(&partial, path)?;
        match &self.folder {
            Some(folder) if made % TIDY_EVERY == TIDY_EVERY - 1 => tidy(folder, self.limit),
            _ => Ok(()),
        }
    }
}

/// Is it one of the folders into which thumbnails are sorted by the beginning of their name?
fn is_part(path: &Path) -> bool {
    let name = path.file_name().map(OsStr::as_encoded_bytes);
    name.is_some_and(|name| name.len() == 2 && name.iter().all(u8::is_ascii_hexdigit))
}

/// Is it a thumbnail by its name, or one that was not finished?
fn is_ours(path: &Path) -> bool {
    let (Some(name), Some(end)) = (path.file_name().and_then(OsStr::to_str), path.extension()) else {
        return false;
    };
    let hash = name.split_once('-').map_or("", |(hash, _)| hash);
    hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) && (end == "jpg" || end == "part")
}

/// Removes the oldest of our files until a tenth of the room is free again. What somebody else keeps there stays, and what cannot
/// be read or removed is passed over, lest one such file keep all others for ever.
fn tidy(folder: &Path, limit: u64) -> io::Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for part in fs::read_dir(folder)?.flatten() {
        // Of the entry itself: no link is followed.
        if !is_part(&part.path()) || !part.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        for file in fs::read_dir(part.path()).into_iter().flatten().flatten() {
            let Ok(about) = file.metadata() else { continue };
            if about.is_file() && is_ours(&file.path()) {
                let modified = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push((modified, about.len(), file.path()));
            }
        }
    }
    let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    if bytes <= limit {
        return Ok(());
    }
    files.sort_unstable();
    for (_, size, path) in files {
        if bytes <= limit / 10 * 9 {
            break;
        }
        if fs::remove_file(path).is_ok() {
            bytes -= size;
        }
    }
    Ok(())
}

/// The picture with a longer side of `size` pixels, if it is larger.
fn shrink(picture: RgbImage, size: usize) -> RgbImage {
    let (width, height) = (picture.width(), picture.height());
    let longer = width.max(height);
    if longer <= size {
        return picture;
    }
    let scaled = |side: usize| (side * size / longer).max(1);
    resize::bicubic(&picture, scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_shrunk_kept_and_in_time_removed() {
        let folder = tempfile::tempdir().unwrap();
        let thumbnails = Thumbnails::new(Some(folder.path().to_owned()), 3000);
        let file = encode::png(&RgbImage::filled(800, 400, [9, 99, 199]));
        let first = [0; 32];
        let made = thumbnails.make(&first, 320, &file, &Limits::default()).unwrap();
        let read = decode(&made, &Limits::default()).unwrap();
        assert_eq!((read.width(), read.height()), (320, 160));
        assert_eq!(thumbnails.kept(&first, 320), Some(made));
        assert_eq!(thumbnails.kept(&first, 1600), None);
        for count in 1..=TIDY_EVERY {
            let mut hash = [1; 32];
            hash[..8].copy_from_slice(&count.to_le_bytes());
            thumbnails.make(&hash, 320, &file, &Limits::default()).unwrap();
        }
        assert_eq!(thumbnails.kept(&first, 320), None, "the oldest went first");
    }

    #[test]
    fn tidying_takes_only_thumbnails_and_is_kept_from_it_by_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "some bytes").unwrap();
        };
        let hash = "ab".repeat(32);
        let ours = [format!("ab/{hash}-320.jpg"), format!("ab/{hash}-1600.7-0.part")];
        let others =
            ["af", ".DS_Store", "ab/Thumbs.db", "ab/of-a-user.jpg", "holiday/a.jpg"].map(str::to_owned);
        let among_others = format!("holiday/{hash}-320.jpg");
        ours.iter().chain(&others).chain([&among_others]).for_each(|name| put(name));
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path().join("holiday"), folder.path().join("ac")).unwrap();
        tidy(folder.path(), 0).unwrap();
        let there = |name: &String| folder.path().join(name).exists();
        assert!(others.iter().all(there) && there(&among_others));
        assert!(!ours.iter().any(there));
    }

    #[cfg(unix)]
    #[test]
    fn thumbnails_are_for_their_owner_alone_also_those_of_before() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let set = |name: &str, mode: u32| {
            let path = folder.path().join(name);
            fs::create_dir_all(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
        set("", 0o755);
        set("af", 0o755);
        set("of a user", 0o755);
        let thumbnails = Thumbnails::new(Some(folder.path().to_owned()), 100_000);
        let file = encode::png(&RgbImage::filled(8, 4, [9, 99, 199]));
        thumbnails.make(&[0; 32], 320, &file, &Limits::default()).unwrap();
        let made = format!("00/{}-320.jpg", "0".repeat(64));
        assert_eq!(
            [mode(""), mode("af"), mode("of a user"), mode("00"), mode(&made)],
            [0o755, 0o700, 0o755, 0o700, 0o600]
        );
    }

    #[test]
    fn a_small_picture_keeps_its_size_and_a_thin_one_a_pixel() {
        let of = |width, height| {
            let small = shrink(RgbImage::filled(width, height, [0; 3]), 320);
            (small.width(), small.height())
        };
        assert_eq!(of(200, 100), (200, 100));
        assert_eq!(of(2000, 3), (320, 1));
    }
}
