//! Photos and what is known about them, and finding them again.
//!
//! [`types`] holds plain data, [`Store`] keeps it, in SQLite or PostgreSQL. [`text`] cuts text into what a store finds it by.

mod store;
pub mod text;
mod types;

pub use store::{Counts, Field, Filter, Person, Scored, Store, StoreError, TextExpr};
pub use types::{
    AnalysisKind, AnalysisState, Asset, AssetId, ContentHash, FaceRecord, FileRecord, Finding, Outcome,
    PersonId, Properties, TextLine,
};
