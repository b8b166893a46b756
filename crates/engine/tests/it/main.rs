//! The engine over real networks, as the servers and the command line use it.

mod lifecycle;
mod requests;
mod support;
