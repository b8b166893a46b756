//! From the configuration to the catalogue of indexed folders.
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use viewfinder_catalog::search::Similarity;
use viewfinder_catalog::text::Segmenter;
use viewfinder_catalog::{AnalysisKind, PostgresConfig, PostgresStore, SqliteStore, Store, StoreError};

use crate::cli::CatalogArgs;
use crate::config::{Config, Kind, Loaded};
use crate::failure::Failure;
use crate::keys;
use crate::wiring::data_folder;

/// The catalogue's name in the user's data folder.
const FILE: &str = "catalog.db";

/// An open catalogue.
pub(crate) struct Catalogue {
    /// What it keeps.
    pub store: Arc<dyn Store>,
    /// What cut its texts.
    pub segmenter: Arc<Segmenter>,
}

/// Where a catalogue is.
enum Place {
    File(PathBuf),
    Database(String),
}

/// What counts as similar to words, as configured.
pub(crate) fn similarity(config: &Config) -> Similarity {
    Similarity {
        floor: config.search.similarity_floor,
        share: config.search.similarity_share,
        weight: config.search.similarity_weight,
    }
}

/// Opens the catalogue that the command line names, else the configuration, else the user's own. `make` it if it is not there.
pub(crate) async fn open(args: &CatalogArgs, loaded: &Loaded, make: bool) -> Result<Catalogue, Failure> {
    let config = &loaded.config;
    let segmenter = segmenter(config)?;
    let store: Arc<dyn Store> = match place(args, config)? {
        Place::Database(url) => {
            let database =
                PostgresConfig { url, text_search_config: config.catalog.text_search_config.clone() };
            Arc::new(PostgresStore::open(&database, Arc::clone(&segmenter)).await?)
        }
        Place::File(path) => {
            if !make && !path.exists() {
                let path = path.display();
                let message = format!("there is no catalogue at {path}; `viewfinder index DIR` makes one");
                return Err(Failure::Usage(anyhow!(message)));
            }
            if let Some(folder) = path.parent().filter(|_| make) {
                viewfinder_files::private::create_folder(folder)
                    .with_context(|| format!("cannot make {}", folder.display()))
                    .map_err(Failure::Environment)?;
            }
            Arc::new(SqliteStore::open(&path, Arc::clone(&segmenter)).await?)
        }
    };
    Ok(Catalogue { store, segmenter })
}

/// What cuts texts and queries.
pub(crate) fn segmenter(config: &Config) -> Result<Arc<Segmenter>, Failure> {
    let segmenter = Segmenter::new(config.catalog.user_dictionary.as_deref());
    segmenter.map(Arc::new).context("catalog.user_dictionary").map_err(Failure::Usage)
}

/// Can it be told which catalogue is meant?
pub(crate) fn check(args: &CatalogArgs, config: &Config) -> Result<(), Failure> {
    let named = args.catalog.is_some() || args.catalog_url_file.is_some();
    if named { place(args, config).map(drop) } else { Ok(()) }
}

/// Is there a catalogue? A database is taken to be there.
pub(crate) fn exists(args: &CatalogArgs, config: &Config) -> bool {
    match place(args, config) {
        Ok(Place::File(path)) => path.exists(),
        Ok(Place::Database(_)) => true,
        Err(_) => false,
    }
}

/// The command that puts a folder, which follows behind, into this catalogue, as a shell here takes it. An address of a database may
/// hold a password and is not told: whoever set it up has it.
pub(crate) fn index_command(args: &CatalogArgs, loaded: &Loaded) -> String {
    let mut words = vec![program(), "index".to_owned()];
    let mut add = |flag: &str, path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        words.extend([flag.to_owned(), quoted(&path.display().to_string())]);
    };
    if let Some(file) = &loaded.file {
        add("--config", file);
    }
    if let Some(file) = &args.catalog_url_file {
        add("--catalog-url-file", file);
    } else if let Ok(Place::File(path)) = place(args, &loaded.config)
        && place(&CatalogArgs::default(), &Config::default())
            .is_ok_and(|usual| !matches!(usual, Place::File(usual) if usual == path))
    {
        add("--catalog", &path);
    }
    words.join(" ")
}

/// How this program is called: by its name, where a shell finds it under that.
fn program() -> String {
    let name = env!("CARGO_PKG_NAME");
    let Some(own) = std::env::current_exe().and_then(fs::canonicalize).ok() else { return name.to_owned() };
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).find_map(|folder| fs::canonicalize(folder.join(&file)).ok());
    if found.is_some_and(|found| found == own) { name.to_owned() } else { quoted(&own.display().to_string()) }
}

fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "/\\:._-+@%".contains(letter);
    match word {
        _ if word.chars().all(plain) => word.to_owned(),
        _ if cfg!(windows) => format!("\"{word}\""),
        _ => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Where the catalogue is, without what might be secret of it.
pub(crate) fn shown_place(args: &CatalogArgs, config: &Config) -> Result<String, Failure> {
    Ok(match place(args, config)? {
        Place::File(path) => path.display().to_string(),
        Place::Database(_) => "the database".to_owned(),
    })
}

/// No file is called so, and a mistyped address may be.
fn looks_like_an_address(named: &str) -> bool {
    let words = ["://", "password=", "postgres:", "postgresql:"];
    words.iter().any(|word| named.contains(word)) || (named.contains('@') && named.contains(':'))
}

fn place(args: &CatalogArgs, config: &Config) -> Result<Place, Failure> {
    let is_url = |text: &str| text.starts_with("postgres://") || text.starts_with("postgresql://");
    if let Some(file) = &args.catalog_url_file {
        return keys::from_file(file).map(Place::Database).map_err(Failure::Usage);
    }
    if let Some(named) = &args.catalog {
        // Not repeated: it may hold a password.
        if !is_url(named) && looks_like_an_address(named) {
            return Err(Failure::Usage(anyhow!(
                "--catalog: the address of a database begins with postgres:// or postgresql://"
            )));
        }
        return Ok(if is_url(named) { Place::Database(named.clone()) } else { Place::File(named.into()) });
    }
    if let Some(url) = &config.catalog.url {
        return Ok(Place::Database(url.reveal().to_owned()));
    }
    let path = config.catalog.file.clone().or_else(|| data_folder().map(|data| data.join(FILE)));
    path.map(Place::File).ok_or_else(|| {
        Failure::Environment(anyhow!("there is no home folder to keep a catalogue in; set catalog.file"))
    })
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
