//! What a search needs from whatever keeps the pictures.
use async_trait::async_trait;

use crate::{AssetId, Filter, Scored, StoreError, TextExpr, TextLine};

/// What a search asks of whatever keeps the pictures: a [`Store`](crate::Store), or another program's database. Two questions may be
/// under way at once.
#[async_trait]
pub trait Source: Send + Sync {
    /// Assets whose text fits, best first, then by number, at most `limit`. An expression without any letter or digit fits nothing.
    async fn find_text(
        &self,
        expr: &TextExpr,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError>;

    /// Does [`Self::find_text`] find words in other forms, too, as a database's configuration knows them?
    fn finds_other_forms(&self) -> bool {
        false
    }

    /// Assets whose vector of `model` is nearest to `vector`, of unit length, best first, then by number, at most `limit`.
    async fn nearest(
        &self,
        model: &str,
        vector: &[f32],
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError>;

    /// Cosines of `vector` with about `count` vectors of `model` taken evenly from the catalogue, in any order: what is usual.
    async fn background(&self, model: &str, vector: &[f32], count: usize) -> Result<Vec<f32>, StoreError>;

    /// Lines of text of each of `ids`, in the same order; none for those that are gone.
    async fn lines(&self, ids: &[AssetId]) -> Result<Vec<Vec<TextLine>>, StoreError>;
}
