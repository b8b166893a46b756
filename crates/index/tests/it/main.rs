//! Folders of real pictures into a real catalogue.

mod analyse;
mod database;
mod decoders;
#[cfg(unix)]
mod decoding;
mod scan;
mod support;
