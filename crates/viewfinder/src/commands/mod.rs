//! The commands, one a file; `look` is what those that look at pictures share, `show` what those do that point at
//! something in them.

pub(crate) mod completions;
pub(crate) mod config;
mod convert;
pub(crate) mod doctor;
pub(crate) mod embed;
pub(crate) mod faces;
pub(crate) mod failures;
pub(crate) mod immich;
pub(crate) mod index;
mod look;
pub(crate) mod man;
pub(crate) mod models;
pub(crate) mod ocr;
pub(crate) mod open;
pub(crate) mod people;
pub(crate) mod rerun;
pub(crate) mod search;
pub(crate) mod serve;
mod show;
