//! What failed for good: which picture, what was asked about it, who gave up and why. Never the picture itself.
//!
//! [`Ledger`] keeps a bounded number of [`Entry`]s in memory, and in a file of JSON lines where one is given, so that
//! they outlive the process. [`read`] is for whoever wants to see that file without a server.

mod entry;
mod file;
mod memory;

pub use entry::{Entry, Failed};
pub use file::read;
pub use memory::{Ledger, LedgerConfig};
