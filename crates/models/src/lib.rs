//! Which models exist, where their files come from, and the local store.
//!
//! Models are data: [`Catalogue`] lists them (from `catalogue.toml` and the user's configuration), and [`Store`] turns a
//! name and a [`Role`] into files on disk. It looks, in this order, at
//!
//! 1. files the user named in the configuration, used in place;
//! 2. model caches in Immich's own layout, used in place and never written;
//! 3. the store's own folder;
//! 4. the folder of what came with the program, if there is one, never written;
//! 5. the sources in the catalogue, unless offline: ONNX files, or the checkpoint a model was published as, which
//!    becomes ONNX files here.
//!
//! A CLIP model exists in other precisions too, as `<model>@int8` and `<model>@fp16`; whoever can run networks makes and
//! compares them, and [`Store::install`] takes them in.
//!
//! The store's folder holds `<model>/<role>/model.onnx`, what belongs to it, and a `manifest.json` with sizes and SHA-256
//! sums. A file appears there only complete and verified, by rename; a changed file is noticed and fetched again. Several
//! processes may share one store: each download holds a lock that the system releases even when the process is killed.
//!
//! No source is waited for long, and one that failed is left alone for ten minutes, by every process on the store
//! (`failed_sources`), unless somebody asks for it: [`Store::try_sources_again`].
//!
//! All calls block; none of them runs inference or reads anything from the network but the sources of the catalogue.

mod agreement;
mod archive;
mod catalogue;
mod checksum;
mod error;
mod failed_sources;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod layout;
mod lock;
mod manifest;
mod names;
mod pip;
mod program;
mod progress;
mod runtime_library;
mod source;
mod store;

pub use agreement::{Agreement, Disagreement};
pub use catalogue::{Catalogue, Family, ModelEntry, Part, Role, Variant};
pub use error::{ModelError, SourceFailure};
pub use http::{Crawl, Retry};
pub use names::clean_name;
pub use program::program_folder;
pub use progress::{Asked, NoProgress, Progress, Step};
pub use runtime_library::RuntimeFlavour;
pub use source::Source;
pub use store::{
    CheckResult, Converted, Location, ModelFiles, ModelStatus, Probe, RoleStatus, State, Store, StoreConfig,
    Verdict,
};
