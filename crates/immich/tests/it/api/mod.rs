//! A library known through an API alone: a small Immich in this process, real pictures, the real engine.

mod immich;
mod library;
mod support;
