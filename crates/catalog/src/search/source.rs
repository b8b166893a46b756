use crate::{AssetId, Filter, Scored, Store, StoreError, TextExpr, TextLine};

/// What a search asks of whatever keeps the pictures: a [`Store`], or another program's database. The functions do what those of
/// [`Store`] with the same names do.
pub trait Source {
    /// As [`Store::find_text`].
    fn find_text(&self, expr: &TextExpr, filter: &Filter, limit: usize) -> Result<Vec<Scored>, StoreError>;

    /// As [`Store::finds_other_forms`].
    fn finds_other_forms(&self) -> bool;

    /// As [`Store::lines`].
    fn lines(&self, ids: &[AssetId]) -> Result<Vec<Vec<TextLine>>, StoreError>;

    /// As [`Store::nearest`].
    fn nearest(
        &self,
        model: &str,
        vector: &[f32],
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError>;

    /// As [`Store::background`].
    fn background(&self, model: &str, vector: &[f32], count: usize) -> Result<Vec<f32>, StoreError>;
}

impl<S: Store + ?Sized> Source for S {
    fn find_text(&self, expr: &TextExpr, filter: &Filter, limit: usize) -> Result<Vec<Scored>, StoreError> {
        Store::find_text(self, expr, filter, limit)
    }

    fn finds_other_forms(&self) -> bool {
        Store::finds_other_forms(self)
    }

    fn lines(&self, ids: &[AssetId]) -> Result<Vec<Vec<TextLine>>, StoreError> {
        Store::lines(self, ids)
    }

    fn nearest(
        &self,
        model: &str,
        vector: &[f32],
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError> {
        Store::nearest(self, model, vector, filter, limit)
    }

    fn background(&self, model: &str, vector: &[f32], count: usize) -> Result<Vec<f32>, StoreError> {
        Store::background(self, model, vector, count)
    }
}
