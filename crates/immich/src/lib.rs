//! A stock Immich's library, through its database: searched, kept up with, and redone picture by picture.
//!
//! [`Library`] reads Immich's tables and keeps the text of pictures, cut into tokens, in tables of its own in the schema
//! `viewfinder`. Nothing is made in Immich's schema, and nothing of ours refers to it. What Immich would write itself (lines of
//! text, vectors) is written exactly as it does.
//!
//! Calls block; whoever is asynchronous calls them on a blocking thread.

mod answerable;
mod ask;
mod base64;
mod cursor;
mod error;
mod fields;
mod filters;
mod flat;
mod follow;
mod item;
mod library;
mod list;
mod media;
mod mime;
mod needs;
mod order;
mod people;
mod reading;
mod reindex;
mod request;
mod rerun;
mod schema;
mod scope;
mod search;
mod settings;
mod source;
mod status;
mod structured;
mod tables;
mod tokens;
mod vectors;
mod words;

pub use error::{Error, NotUnderstood};
pub use follow::Follower;
pub use library::{Library, LibraryConfig, look};
pub use media::MediaFolder;
pub use reindex::{Progress, Which};
pub use request::SearchRequest;
pub use rerun::{NoPreview, Previews};
pub use status::{ClipStatus, FollowerStatus, OcrStatus, Status};
pub use viewfinder_companion::{Caller, Next, Page, RerunKind, SearchRoute};
