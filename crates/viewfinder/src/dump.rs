//! Writes what the stages hand to each other into a folder, for finding out why a picture was read wrongly.
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use viewfinder_image::{RgbImage, encode};
use viewfinder_vision::Dump;

/// A folder that collects pictures and maps as PNG and everything else as JSON.
pub(crate) struct Folder {
    path: PathBuf,
    failure: Mutex<Option<(PathBuf, io::Error)>>,
}

impl Folder {
    /// Makes the folder.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path: path.to_owned(), failure: Mutex::default() })
    }

    /// Tells whether everything could be written.
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some((path, error)) => Err(error).with_context(|| format!("cannot write {}", path.display())),
            None => Ok(()),
        }
    }

    /// Stages cannot fail because nobody can look at them: the first failure is kept for [`Folder::finish`].
    fn write(&self, name: &str, extension: &str, bytes: &[u8]) {
        let path = self.path.join(format!("{name}.{extension}"));
        if let Err(error) = std::fs::write(&path, bytes) {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((path, error));
        }
    }
}

impl Dump for Folder {
    fn picture(&self, name: &str, picture: &RgbImage) {
        self.write(name, "png", &encode::png(picture));
    }

    fn map(&self, name: &str, width: usize, height: usize, values: &[f32]) {
        let gray: Vec<u8> =
            values.iter().map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
        self.write(name, "png", &encode::gray_png(width, height, &gray));
    }

    fn json(&self, name: &str, value: serde_json::Value) {
        self.write(name, "json", format!("{value:#}\n").as_bytes());
    }
}
