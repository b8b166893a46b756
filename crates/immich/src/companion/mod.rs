//! Stands in front of a stock Immich.
//!
//! [`Companion::handle`] passes every request on to Immich but for a few: searches (`search`) and re-runs (`jobs`) are
//! answered from a [`Library`](crate::library::Library), the answer about features (`features`) says what is true then,
//! and pages get one script more (`page`, `script`), which tells what it misses there (`anchors`).
//!
//! Immich judges, not we. Before anything is answered here, `judge` sends Immich a request with the caller's own
//! credentials that has no effect and that it refuses for the same reasons; its refusal is the answer. And whatever goes
//! wrong here, the request goes to Immich as it came.

mod anchors;
mod as_caller;
mod body;
mod features;
mod front;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod jobs;
mod judge;
mod metric;
mod page;
mod places;
mod read;
mod reply;
mod script;
mod search;
mod shared_link;
mod watch;

pub use front::{Companion, CompanionConfig, Status};
pub use metric::describe as describe_metrics;
