//! Where the next page begins.
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::SearchError;
use crate::AssetId;

/// Where the next page of a search begins. Opaque: take it from [`Results::next`](super::Results::next).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Cursor(pub String);

/// A page to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where it begins; none for the first.
    pub cursor: Option<Cursor>,
    /// The most hits on it, at least 1.
    pub limit: usize,
}

/// What a cursor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// Of the catalogue, when the first page was made.
    pub(super) revision: i64,
    pub(super) from: From,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// After so many hits.
    Hit(usize),
    /// After an asset, where nothing is searched for.
    Asset(AssetId),
}

impl Position {
    /// Reads the cursor of a search for `query`.
    pub(super) fn read(cursor: &Cursor, query: &str) -> Result<Self, SearchError> {
        let mut parts = cursor.0.split('.');
        let mut next = || parts.next().unwrap_or_default();
        let (revision, kind, place, mark) = (next().parse(), next(), next().parse::<i64>(), next());
        let (Ok(revision), Ok(place)) = (revision, place) else { return Err(SearchError::BadCursor) };
        let from = match (kind, usize::try_from(place)) {
            ("h", Ok(hits)) => From::Hit(hits),
            ("a", _) => From::Asset(AssetId(place)),
            _ => return Err(SearchError::BadCursor),
        };
        if mark != mark_of(query) || parts.next().is_some() {
            return Err(SearchError::BadCursor);
        }
        Ok(Self { revision, from })
    }

    pub(super) fn write(self, query: &str) -> Cursor {
        let (kind, place) = match self.from {
            From::Hit(hits) => ("h", hits.to_string()),
            From::Asset(id) => ("a", id.0.to_string()),
        };
        Cursor(format!("{}.{kind}.{place}.{}", self.revision, mark_of(query)))
    }
}

/// Tells cursors of different queries apart.
fn mark_of(query: &str) -> String {
    let digest = Sha256::digest(query);
    let start = digest.iter().take(6).fold(0_u64, |start, byte| (start << 8) | u64::from(*byte));
    format!("{start:012x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_belong_to_their_query() {
        for from in [From::Hit(20), From::Asset(AssetId(-3))] {
            let position = Position { revision: 7, from };
            let cursor = position.write("发票");
            assert_eq!(Position::read(&cursor, "发票").unwrap(), position);
            assert!(matches!(Position::read(&cursor, "发"), Err(SearchError::BadCursor)));
            assert!(matches!(Position::read(&Cursor(cursor.0 + "."), "发票"), Err(SearchError::BadCursor)));
        }
        for broken in ["", "1", "1.h.-1.", "1.x.1.", "a.h.1."] {
            assert!(matches!(Position::read(&Cursor(broken.into()), ""), Err(SearchError::BadCursor)));
        }
    }
}
