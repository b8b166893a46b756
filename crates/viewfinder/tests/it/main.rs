//! Everything that is tested through the built program. One binary, so that it links once.
//!
//! `cli` holds what concerns the command line itself, `config` the configuration, `pictures` the commands that look at
//! pictures, `models` the model store's commands and `doctor`, `serve` the server,
//! `failures` what it says of failed tasks, `deploy` what is told to those who watch it.

mod cli;
mod config;
mod deploy;
mod failures;
//! pictures, `index` the commands about a catalogue, `models` the model store's commands and `doctor`, `serve` the server.

mod cli;
mod config;
mod index;
mod models;
mod pictures;
mod serve;
mod support;
