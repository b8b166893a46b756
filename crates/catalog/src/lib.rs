//! Photos and what is known about them, and finding them again.
//!
//! [`Store`] keeps plain data, in SQLite or PostgreSQL. [`text`] cuts text into what a store finds it by, [`query`] reads
//! searches, and [`search`] makes them.

mod blocking;
mod bytes;
mod corrections;
mod faces;
mod fold;
mod overlap;
pub mod postgres;
pub mod query;
pub mod search;
mod sqlite;
mod store;
pub mod text;
mod types;
pub mod view;

pub use postgres::{PostgresConfig, PostgresStore};
pub use sqlite::SqliteStore;
pub use store::{Counts, Filter, Person, Scored, Store, StoreError, TextExpr};
pub use types::{
    AnalysisKind, AnalysisState, Asset, AssetId, ContentHash, FaceRecord, FileRecord, Finding, Outcome,
    PersonFace, PersonId, Properties, TextLine, UnassignedFace, unit,
};
