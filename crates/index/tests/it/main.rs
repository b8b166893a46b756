//! Folders of real pictures into a real catalogue.

mod analyse;
mod database;
mod decoders;
mod scan;
mod support;
