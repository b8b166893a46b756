//! From folders of pictures to the catalogue.
//!
//! [`index()`] does it all, one step after the other:
//! [`scan()`] compares folders (`walk`) with the catalogue and records what is new, changed, moved or gone, with hashes
//! and what the headers tell (`properties`). [`analyse_and_group()`] takes what was never analysed (`queue`), reads it from
//! [`Pictures`], for files with the system's [`Tools`] for what Viewfinder does not decode itself, asks a
//! [`Backend`](viewfinder_core::Backend) about it (`analyse`), also before all networks are here (`arrivals`), records what it `found` (`record`, `tally`) and puts faces together
//! (`people`). [`Watch`] tells which folders change. A server reads the same kinds of files through [`DecodingBackend`].
//!
//! The catalogue is always right about what it says is done: whatever ends a run loses at most the batch in flight, and
//! the next run goes on from there.

mod analyse;
mod arrivals;
mod blocking;
mod content;
mod decoding;
mod exif_time;
mod found;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod ignored;
mod kind;
mod people;
mod problems;
mod properties;
mod queue;
mod record;
mod report;
mod retry;
mod rules;
mod run;
mod scan;
mod source;
mod tally;
mod tools;
mod walk;
mod watch;

pub use analyse::{Analysed, Analysis, Models, Scope};
pub use decoding::DecodingBackend;
pub use kind::FileKind;
pub use people::Grouped;
pub use problems::{Problem, Problems};
pub use report::{Event, Listener};
pub use run::{Summary, analyse_and_group, index, prepare, take_up_undecoded};
pub use scan::{Scan, Scanned, scan};
pub use source::{Files, Originals, Pictures, Unread};
pub use tools::{Converted, Tool, Tools};
pub use viewfinder_files::Links;
pub use watch::{Watch, WatchError};

use viewfinder_catalog::StoreError;

/// Why indexing could not go on.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The catalogue does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine cannot work at all, whatever the picture.
    #[error(transparent)]
    Engine(#[from] viewfinder_core::TaskError),
    /// A mistake of ours: a thread ended unexpectedly.
    #[error("indexing ended unexpectedly: {0}")]
    Internal(String),
}
