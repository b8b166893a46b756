//! Nodes against our own gateway, recorded answers, and peers that misbehave.

mod answers;
mod captured;
mod refusals;
mod secrets;
mod support;
mod trouble;
