//! An Immich's library by its database and by its API, and the companion in front of it.

mod api;
mod companion;
mod database;
