//! The server over real sockets.

mod browser;
mod crowd;
mod engine;
mod failures;
mod foreign;
mod immich;
mod keys;
mod ledger;
mod lifecycle;
mod log;
mod mt_photos;
mod operations;
mod ping;
mod replay;
mod slow;
mod support;
