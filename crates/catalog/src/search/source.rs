//! What a search needs from whatever keeps the pictures.
use async_trait::async_trait;

use super::text::TextSteps;
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

    /// Lines of text of each of `ids`, which are different ones, in the same order; none for those that are gone.
    async fn lines(&self, ids: &[AssetId]) -> Result<Vec<Vec<TextLine>>, StoreError>;

    /// Goes through the steps of a search for text. A source that can do so at less cost than question by question does.
    async fn search_text(&self, mut steps: TextSteps, filter: &Filter) -> Result<TextSteps, StoreError> {
        while let Some(step) = steps.next_step() {
            let proposals = self.find_text(&step.expr, filter, step.limit()).await?;
            if !proposals.is_empty() {
                let lines = self.lines(&steps.to_read(&proposals)).await?;
                steps = steps.judged(step, proposals, lines).await?;
            }
        }
        Ok(steps)
    }

    /// [`Self::nearest`] and [`Self::background`], so many of each. A source that can answer both at once does.
    async fn compare(
        &self,
        model: &str,
        vector: &[f32],
        filter: &Filter,
        (limit, count): (usize, usize),
    ) -> Result<(Vec<Scored>, Vec<f32>), StoreError> {
        let nearest = self.nearest(model, vector, filter, limit).await?;
        Ok((nearest, self.background(model, vector, count).await?))
    }
}
