//! The engine over real networks, as the servers and the command line use it.

mod chinese_clip;
mod clip_families;
mod lifecycle;
mod requests;
mod support;
