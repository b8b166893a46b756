//! The commands, one a file; `look` is what those that look at pictures share, `show` what those do that point at
//! something in them.

mod advise;
pub(crate) mod completions;
pub(crate) mod config;
mod convert;
pub(crate) mod doctor;
pub(crate) mod embed;
pub(crate) mod faces;
pub(crate) mod failures;
pub(crate) mod immich;
pub(crate) mod index;
pub(crate) mod key;
mod look;
pub(crate) mod man;
mod missing;
pub(crate) mod models;
mod models_list;
pub(crate) mod ocr;
pub(crate) mod open;
pub(crate) mod people;
pub(crate) mod rerun;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod serve;
mod show;

use anyhow::Context as _;
use tokio::runtime::Builder;

use crate::failure::{Failure, Outcome};

/// Does a command's work on threads of its own. What these still do when it is done is left behind.
fn on_threads(work: impl Future<Output = Result<Outcome, Failure>>) -> Result<Outcome, Failure> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.context("cannot start threads")?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}
