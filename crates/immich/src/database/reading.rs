//! Reads text where Immich does not: before v2.2, and where its OCR is switched off.
use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;
use viewfinder_catalog::query::Query;

use crate::{
    database::{Database, Error, NoPreview, Previews, reindex::Which},
    library::RerunKind,
};

impl Database {
    /// Is reading left to us?
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn reads_text(&self) -> Result<bool, Error> {
        let schema = self.schema();
        let settings = self.settings(&schema).await?;
        Ok(!schema.ocr || !settings.ocr.enabled)
    }

    /// Reads pictures without a reading, one after the other, until there are no more or `goes_on` says no; returns how many. Those that
    /// fail for a reason of their own go to `failed` and are passed over from then on.
    ///
    /// # Errors
    /// What would befall every picture.
    pub async fn read_missing(
        &self,
        previews: &dyn Previews,
        failed: &mut HashSet<Uuid>,
        goes_on: impl Fn() -> bool + Send + Sync,
    ) -> Result<u64, Error> {
        let previews = OfOthers { previews, failed: Mutex::new(failed) };
        let tell = |_, failure: Option<(Uuid, &Error)>| {
            if let Some((asset, error)) = failure.filter(|(id, _)| previews.failed().insert(*id)) {
                tracing::warn!(%asset, %error, "a picture of Immich cannot be read");
            }
            goes_on()
        };
        let only = Query::default();
        Ok(self.reindex(RerunKind::Ocr, Which::Missing, &only, &previews, tell).await?.done)
    }
}

/// Previews of pictures that have not failed yet.
struct OfOthers<'a> {
    previews: &'a dyn Previews,
    failed: Mutex<&'a mut HashSet<Uuid>>,
}

impl<'a> OfOthers<'a> {
    fn failed(&self) -> MutexGuard<'_, &'a mut HashSet<Uuid>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Previews for OfOthers<'_> {
    async fn preview(&self, asset: Uuid) -> Result<Bytes, NoPreview> {
        if self.failed().contains(&asset) {
            return Err("it could not be read before".to_owned().into());
        }
        self.previews.preview(asset).await
    }
}
