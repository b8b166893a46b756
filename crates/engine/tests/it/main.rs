//! The engine over real networks, as the servers and the command line use it.

mod chinese_clip;
mod lifecycle;
mod requests;
mod support;
