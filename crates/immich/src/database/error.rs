use uuid::Uuid;
use viewfinder_catalog::StoreError;
use viewfinder_core::{ErrorScope, TaskError};

use crate::library::{Capability, LibraryError, Unsupported};

/// Why the library could not do something. The companion lets Immich answer instead where it can.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be used, or not now.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database is not one of an Immich that is known here, or of one that has not made its tables yet.
    #[error("this is no database of an Immich that Viewfinder knows (v1.134, v2 and v3 it does): {0}")]
    UnknownSchema(String),
    /// This Immich lacks a table or column that it needs.
    #[error("{reason}")]
    Missing {
        /// What is not possible.
        capability: Capability,
        /// Why, and what follows from it, as a sentence for the owner.
        reason: String,
    },
    /// The request asks for something that this version of Immich answers in its own way.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// Plain words found nothing: no text, and nothing that is similar enough. Immich shows what comes nearest.
    #[error("nothing was found")]
    NothingFound,
    /// Locked pictures are shown after the PIN only.
    #[error("pictures of the locked folder are only found after the PIN was given")]
    NotElevated,
    /// The caller may not change one of the pictures, or there is none.
    #[error("not found, or not yours: {0}")]
    NotYours(Uuid),
    /// No vector of the words, or none of the pictures, can be had.
    #[error("search by meaning is not possible: {0}")]
    NoMeaning(String),
    /// The model's vectors do not fit into the database's column.
    #[error(
        "the model {model} gives vectors of {vector} numbers, but Immich's column smart_search.embedding holds {column}; \
         set the model in Immich's settings, which changes the column, or name one of that width"
    )]
    Width {
        /// The model that was asked.
        model: String,
        /// Numbers in its vector.
        vector: usize,
        /// Numbers that the column holds.
        column: usize,
    },
    /// The preview of a picture cannot be read.
    #[error("the preview of {asset} cannot be read: {reason}")]
    Preview {
        /// The picture.
        asset: Uuid,
        /// Why.
        reason: String,
    },
    /// No preview at all can be read: the folder of Immich's media is not there.
    #[error("no preview can be read: {0}")]
    MediaAway(String),
    /// The engine could not answer.
    #[error(transparent)]
    Engine(#[from] TaskError),
}

impl Error {
    /// Stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(StoreError::Away(_)) => "database_away",
            Self::Store(_) => "database_unusable",
            Self::UnknownSchema(_) => "schema_unknown",
            Self::Missing { .. } => "capability_missing",
            Self::Unsupported(_) => "not_understood",
            Self::NothingFound => "nothing_found",
            Self::NotElevated => "not_elevated",
            Self::NotYours(_) => "not_yours",
            Self::NoMeaning(_) => "no_meaning",
            Self::Width { .. } => "width",
            Self::Preview { .. } => "preview",
            Self::MediaAway(_) => "media_away",
            Self::Engine(_) => "engine",
        }
    }
}

/// As whoever asks a library knows it.
impl From<Error> for LibraryError {
    fn from(error: Error) -> Self {
        match error {
            // Search by meaning is off in Immich, too, which says so better.
            Error::Unsupported(_) | Error::NotElevated | Error::NoMeaning(_) => {
                LibraryError::Unsupported(error.to_string())
            }
            Error::NothingFound => LibraryError::NothingFound,
            Error::NotYours(_) => LibraryError::NotYours,
            Error::Preview { .. } => LibraryError::Picture { code: error.code(), message: error.to_string() },
            Error::Engine(engine) if is_of_one(engine.code.scope()) => {
                LibraryError::Picture { code: engine.code.as_str(), message: engine.message }
            }
            other => LibraryError::Failed { code: other.code(), message: other.to_string() },
        }
    }
}

/// May others go well?
fn is_of_one(scope: ErrorScope) -> bool {
    matches!(scope, ErrorScope::Picture | ErrorScope::Attempt | ErrorScope::Answer)
}
