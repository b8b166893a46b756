//! An Immich's library through a real PostgreSQL with Immich's tables.
mod backend;
mod filter;
mod filters;
mod follow;
mod items;
mod layout;
mod layouts;
mod leaving;
mod meaning;
mod missing;
mod people;
mod reindex;
mod rerun;
mod scope;
mod text;
mod versions;
mod world;
