//! The language of searches; [`LANGUAGE`] describes it to people.
mod date;
mod error;
mod parse;

pub use error::{Problem, QueryError};
pub use parse::{LONGEST_QUERY, Query, Scope, Term};

/// What can be written in a search, for people: a table in Markdown. The program's help and the README show it.
pub const LANGUAGE: &str = include_str!("language.md");
