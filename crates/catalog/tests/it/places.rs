//! Empty stores to test with: a new file, a new database.
use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use viewfinder_catalog::{PostgresConfig, PostgresStore, SqliteStore, Store, StoreError, text::Segmenter};
use viewfinder_test_support::PostgresServer;

/// Where a catalogue can be opened, again and again.
pub(crate) trait Place: Sync {
    /// Opens it.
    fn open_with(&self, segmenter: Arc<Segmenter>) -> Result<Arc<dyn Store>, StoreError>;

    /// How another process names it for [`named`].
    fn name(&self) -> String;

    /// Opens it with the common segmenter.
    fn open(&self) -> Arc<dyn Store> {
        self.open_with(segmenter()).unwrap()
    }
}

/// The threads of all tests on which stores work.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

/// Waits for an answer.
pub(crate) fn wait<F: Future>(answer: F) -> F::Output {
    runtime().block_on(answer)
}

/// The segmenter without a user's dictionary, whose own takes a while to load.
pub(crate) fn segmenter() -> Arc<Segmenter> {
    static SEGMENTER: OnceLock<Arc<Segmenter>> = OnceLock::new();
    SEGMENTER.get_or_init(|| Arc::new(Segmenter::new(None).unwrap())).clone()
}

/// A file in a folder of its own.
pub(crate) struct File(pub(crate) TempDir);

impl File {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.0.path().join("catalogue.db")
    }
}

impl Place for File {
    fn open_with(&self, segmenter: Arc<Segmenter>) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(wait(SqliteStore::open(&self.path(), segmenter))?))
    }

    fn name(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }
}

/// A database on the common server.
pub(crate) struct Database(pub(crate) String);

impl Database {
    pub(crate) fn new() -> Self {
        Self(server().new_database())
    }
}

impl Place for Database {
    fn open_with(&self, segmenter: Arc<Segmenter>) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(wait(PostgresStore::open(&PostgresConfig::new(&self.0), segmenter))?))
    }

    fn name(&self) -> String {
        self.0.clone()
    }
}

/// The server of all tests that do not stop it.
pub(crate) fn server() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(|| PostgresServer::start(&["max_connections=300"]))
}

/// Opens what [`Place::name`] names.
pub(crate) fn named(name: &str) -> Box<dyn Store> {
    if name.starts_with("postgresql:") {
        Box::new(wait(PostgresStore::open(&PostgresConfig::new(name), segmenter())).unwrap())
    } else {
        Box::new(wait(SqliteStore::open(Path::new(name), segmenter())).unwrap())
    }
}
