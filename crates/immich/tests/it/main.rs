//! An Immich's library through a real PostgreSQL with Immich's tables.
mod backend;
mod filter;
mod filters;
mod follow;
mod items;
mod meaning;
mod reindex;
mod rerun;
mod scope;
mod text;
mod versions;
mod world;
