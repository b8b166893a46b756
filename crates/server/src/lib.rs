//! HTTP routes of every protocol, in front of whatever answers the tasks.
//!
//! [`Server`] listens on any number of addresses and offers all protocols on each ([`ROUTES`]): Immich's
//! machine-learning service, MT Photos' AI service, and our own operations and status page. A request goes through
//! `observe` (id, span, log, metrics), shows the key of its address to `key` where there is one (`failed_attempts` slows
//! guesses), is looked at by `foreign`, has its body read under limits by `body`, is understood by its protocol's
//! module in `routes` with the types of `wire`, and is answered by a [`Backend`](viewfinder_core::Backend). `failure`
//! holds every way this can go wrong; each protocol says it in its own shape, of which `refusal` has all, and `notice` says
//! it to people. [`ledger`] keeps the tasks about
//! pictures that failed for good. `stream` ends connections whose client is slow to fetch its answer; `log_limit`
//! and `key_refusal_log` bound what requests write into the log.
//!
//! A handler declares its route: method, path, body and answers. The router, [`ROUTES`] and the interface's document
//! come from there.
//!
//! No handler ever runs inference or waits for a lock on an async thread, so `/ping` answers at once while models
//! load and all workers are busy.

mod body;
mod config;
mod failed_attempts;
mod failure;
mod foreign;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod key;
mod key_refusal_log;
pub mod ledger;
mod log_limit;
mod metric;
mod multipart;
mod notice;
mod observe;
mod refusal;
mod routes;
mod server;
mod stream;

pub use body::discard;
pub use config::{DEFAULT_API_KEY, Limits, Listen, Models, Profiles, ServerConfig};
pub use failed_attempts::FailedAttempts;
pub use foreign::host_name;
pub use key::{AddressKey, Admitted, BadKey, Key, guesses};
pub use metric::install as install_metrics;
pub use notice::{Notice, notice, wants_page};
pub use routes::{ROUTES, operations, page_file};
pub use server::Server;
pub use stream::Peer;
