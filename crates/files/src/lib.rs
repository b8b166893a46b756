//! Files of others opened with care, and files of our own kept from others.
//!
//! [`open()`] opens what may have been put there by anybody: never a pipe or a device, never by way of a link that is not wanted, and
//! never waiting for a writer. [`read()`] reads files whole that should be small. [`private`] makes files and folders that only their
//! owner may look into, and narrows those of before.

mod open;
pub mod private;
mod read;

pub use open::{Links, OpenError, open};
pub use read::{read, read_any, read_text};
