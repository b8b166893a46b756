//! Everything that is tested through the built program. One binary, so that it links once.
//!
//! `cli` holds what concerns the command line itself, `config` the configuration, `secrets` what nobody is told of it, `pictures` the
//! commands that look at pictures, `bundled` the program with its models beside it, `index` the commands about a catalogue, `models` the model store's commands and `doctor`, `serve` the
//! server, `on_request` what it has fetched for strangers, `people` its page of people,
//! `photos` its page of photos, `companion` an Immich opened through it, `failures` what it says of failed tasks, `foreign` what other programs
//! decode, `schema` what programs are told, `deploy` what is told to those who watch it, `unreachable` what is done and said while no hub of
//! models answers.

mod bundled;
mod cli;
mod companion;
mod config;
mod deploy;
mod failures;
mod foreign;
mod index;
mod models;
mod on_request;
mod people;
mod photos;
mod pictures;
mod schema;
mod secrets;
mod serve;
mod support;
mod unreachable;
