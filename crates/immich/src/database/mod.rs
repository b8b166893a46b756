//! A stock Immich's library, through its database: searched, kept up with, and redone picture by picture.
//!
//! [`Database`] reads Immich's tables and keeps the text of pictures, cut into tokens, in tables of its own in the schema
//! `viewfinder`. Nothing is made in Immich's schema, and nothing of ours refers to it. What Immich would write itself (lines of
//! text, vectors) is written exactly as it does. [`DatabaseLibrary`] opens it in the background, and is what a companion asks.

mod albums;
mod answerable;
mod ask;
mod error;
mod filters;
mod follow;
mod item;
mod library;
mod list;
mod media;
mod mime;
mod needs;
mod open;
mod people;
mod reading;
mod reindex;
mod rerun;
mod schema;
mod scope;
mod search;
mod settings;
mod single;
mod source;
mod status;
mod structured;
mod tables;
mod tokens;
mod vectors;

pub use error::Error;
pub use follow::Follower;
pub use library::DatabaseLibrary;
pub use media::{MediaFolder, MediaPreviews};
pub use open::{Database, DatabaseConfig, look};
pub use reindex::{Progress, Which};
pub use rerun::{NoPreview, Previews};
pub use status::{ClipStatus, FollowerStatus, OcrStatus, Status};
