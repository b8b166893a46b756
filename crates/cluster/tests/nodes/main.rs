//! Nodes against our own server, recorded answers, and peers that misbehave.

mod answers;
mod captured;
mod keys;
mod refusals;
mod secrets;
mod support;
mod tls;
mod trace;
mod trouble;
