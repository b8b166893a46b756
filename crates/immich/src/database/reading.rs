//! Reads text where Immich does not: before v2.2, and where its OCR is switched off.
use std::{cell::RefCell, collections::HashSet};

use uuid::Uuid;
use viewfinder_catalog::query::Query;

use crate::{
    database::{Database, Error, Previews, reindex::Which, settings::Settings},
    library::RerunKind,
};

impl Database {
    /// Is reading left to us?
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn reads_text(&self) -> Result<bool, Error> {
        let schema = self.schema();
        let settings = self.pool().read(|work| Settings::read(work, &schema))?;
        Ok(!schema.ocr || !settings.ocr.enabled)
    }

    /// Reads pictures without a reading, one after the other, until there are no more or `goes_on` says no; returns how many. Those that
    /// fail for a reason of their own go to `failed` and are passed over from then on.
    ///
    /// # Errors
    /// What would befall every picture.
    pub fn read_missing(
        &self,
        preview: &Previews<'_>,
        failed: &mut HashSet<Uuid>,
        goes_on: impl Fn() -> bool,
    ) -> Result<u64, Error> {
        let failed = RefCell::new(failed);
        let preview = |id: Uuid| {
            if failed.borrow().contains(&id) {
                Err("it could not be read before".to_owned().into())
            } else {
                preview(id)
            }
        };
        let tell = |_, failure: Option<(Uuid, &Error)>| {
            if let Some((asset, error)) = failure.filter(|(id, _)| failed.borrow_mut().insert(*id)) {
                tracing::warn!(%asset, %error, "a picture of Immich cannot be read");
            }
            goes_on()
        };
        Ok(self.reindex(RerunKind::Ocr, Which::Missing, &Query::default(), &preview, tell)?.done)
    }
}
