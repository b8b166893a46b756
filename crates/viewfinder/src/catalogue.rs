//! From the configuration to the catalogue of indexed folders.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use viewfinder_catalog::text::Segmenter;
use viewfinder_catalog::{AnalysisKind, SqliteStore, Store, StoreError};

use crate::cli::CatalogArgs;
use crate::config::{Config, Kind, Loaded};
use crate::failure::Failure;
use crate::wiring::data_folder;

/// The catalogue's name in the user's data folder.
const FILE: &str = "catalog.db";

/// The catalogue that the command line names, else the configuration, else the user's own. `make` it if it is not there.
pub(crate) fn open(args: &CatalogArgs, loaded: &Loaded, make: bool) -> Result<Arc<dyn Store>, Failure> {
    let segmenter = Segmenter::new(loaded.config.catalog_user_dictionary.as_deref())
        .context("catalog.user_dictionary")
        .map_err(Failure::Usage)?;
    let path = file(args, &loaded.config)?;
    if !make && !path.exists() {
        let message = format!("there is no catalogue at {}; `viewfinder index DIR` makes one", path.display());
        return Err(Failure::Usage(anyhow!(message)));
    }
    if let Some(folder) = path.parent().filter(|_| make) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))
            .map_err(Failure::Environment)?;
    }
    let store = SqliteStore::open(&path, Arc::new(segmenter))
        .with_context(|| path.display().to_string())
        .map_err(Failure::Environment)?;
    Ok(Arc::new(store))
}

fn file(args: &CatalogArgs, config: &Config) -> Result<PathBuf, Failure> {
    let named = args.catalog.as_deref().map(Path::new).or(config.catalog_file.as_deref());
    match named {
        Some(path) => Ok(path.to_owned()),
        None => data_folder().map(|data| data.join(FILE)).ok_or_else(|| {
            Failure::Environment(anyhow!("there is no home folder to keep a catalogue in; set catalog.file"))
        }),
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Internal(_) => Self::Other(error.into()),
            _ => Self::Environment(error.into()),
        }
    }
}

impl From<Kind> for AnalysisKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Ocr => Self::Ocr,
            Kind::Clip => Self::Clip,
            Kind::Faces => Self::Faces,
        }
    }
}
