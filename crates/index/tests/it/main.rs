//! Folders of real pictures into a real catalogue.

mod analyse;
mod decoders;
mod scan;
mod support;
