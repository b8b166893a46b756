//! A stock Immich's library without its database: listed and read with API keys of its users, found by whoever Immich
//! lets see it.
//!
//! Each key's user has a catalogue of their own (`account`). It is kept as Immich's lists are (`follow`), and its
//! pictures are read and embedded from their previews (`analyse`). A search ranks what the catalogue knows (`search`),
//! and then asks Immich about the best ones in the caller's own name (`confirm`), with the filters of the request
//! (`filters`, `structured`): what Immich does not give is not shown.

mod account;
mod analyse;
mod client;
mod confirm;
mod filters;
mod follow;
mod library;
mod listed;
mod rerun;
mod search;
mod structured;

pub use library::{ApiConfig, ApiLibrary};
