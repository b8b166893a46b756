//! A stock Immich, opened through Viewfinder.
//!
//! [`library`] is what may be asked of an Immich's library, and the language of its searches. Two answer: [`database`]
//! from Immich's own tables, and [`api`] from its lists, with keys of its users. [`companion`] stands in front of
//! Immich and asks whichever there is; it knows only [`library`], and they do not know it. [`client`] is the one way to
//! Immich, for callers and for keys.

pub mod api;
pub mod client;
pub mod companion;
pub mod database;
pub mod library;
mod recent;
