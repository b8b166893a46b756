//! Reads pictures again, or makes their vectors anew, and writes what Immich's own jobs would.
use std::{collections::HashSet, time::SystemTime};

use bytes::Bytes;
use uuid::Uuid;
use viewfinder_catalog::postgres::{Result as Sql, Work};
use viewfinder_core::{ErrorCode, TaskError};
use viewfinder_wire::immich::{Answer, ReadText};

use crate::{
    database::{Database, Error, schema::Schema, settings::Settings, tables::OwnText, tokens::search_text},
    library::{Caller, Capability, RerunKind},
};

/// Gives the preview of a picture, as Immich made it, or says why not; for a video, its still picture.
pub type Previews<'a> = dyn Fn(Uuid) -> Result<Bytes, NoPreview> + 'a;

/// Why there is no preview. One line, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPreview {
    /// This picture has none that can be read.
    #[error("{0}")]
    OfPicture(String),
    /// No other picture has one now, either.
    #[error("{0}")]
    OfAll(String),
}

impl From<String> for NoPreview {
    fn from(reason: String) -> Self {
        Self::OfPicture(reason)
    }
}

impl Database {
    /// May the caller change all of these? As in Immich: they must be the caller's own, and locked ones need the PIN.
    ///
    /// # Errors
    /// [`Error::NotYours`] with the first that may not be changed.
    pub fn require_own(&self, caller: &Caller, ids: &[Uuid]) -> Result<(), Error> {
        let schema = self.schema();
        let rows = self.pool().read(|work| {
            work.rows(
                &format!(
                    "SELECT id FROM {} WHERE id = ANY($1) AND \"ownerId\" = $2 AND (visibility <> 'locked' OR $3)",
                    schema.asset
                ),
                &[&ids, &caller.user, &caller.elevated],
            )
        })?;
        let own: HashSet<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        ids.iter().find(|id| !own.contains(id)).map_or(Ok(()), |id| Err(Error::NotYours(*id)))
    }

    /// Does one kind of analysis again for pictures of the caller, with the model that Immich is set to, and writes the result where
    /// Immich would. The moving parts of live photos are passed over, as Immich does.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::NotYours`] before anything is done; whatever else happens leaves those done that came before.
    pub fn rerun(
        &self,
        caller: &Caller,
        kind: RerunKind,
        ids: &[Uuid],
        preview: &Previews<'_>,
    ) -> Result<(), Error> {
        self.redo_all(caller, kind, ids, preview).inspect_err(|error| self.look_after_failure(error))
    }

    fn redo_all(
        &self,
        caller: &Caller,
        kind: RerunKind,
        ids: &[Uuid],
        preview: &Previews<'_>,
    ) -> Result<(), Error> {
        let schema = self.schema();
        schema.require(needed(kind))?;
        self.require_own(caller, ids)?;
        let settings = self.pool().read(|work| Settings::read(work, &schema))?;
        let mut done = HashSet::new();
        for id in ids.iter().filter(|id| done.insert(**id)) {
            self.redo(&settings, kind, *id, preview)?;
        }
        Ok(())
    }

    /// Does it for one picture.
    pub(crate) fn redo(
        &self,
        settings: &Settings,
        kind: RerunKind,
        id: Uuid,
        preview: &Previews<'_>,
    ) -> Result<(), Error> {
        let schema = self.schema();
        // Before anything is asked: an answer that cannot be kept need not be made.
        let vectors = match kind {
            RerunKind::Clip => Some(Self::vectors(&schema, settings)?),
            RerunKind::Ocr => None,
        };
        if self.pool().read(|work| is_hidden(work, &schema, id))? {
            return Ok(());
        }
        let bytes = preview(id).map_err(|none| match none {
            NoPreview::OfPicture(reason) => Error::Preview { asset: id, reason },
            NoPreview::OfAll(reason) => Error::MediaAway(reason),
        })?;
        let Some((width, model)) = vectors else {
            let read = self.asker().text(&settings.ocr, bytes)?;
            return Ok(self.pool().write(|work| self.write_text(work, &schema, id, read))?);
        };
        let vector = self.asker().vector(&model, bytes)?;
        if vector.len() != width {
            return Err(Error::Width { model, vector: vector.len(), column: width });
        }
        let bad = |_| TaskError::new(ErrorCode::Internal, "the vector is not finite or has no length");
        let vector = Answer::vector(&vector).map_err(bad)?;
        self.pool().write(|work| {
            work.execute(
                &format!(
                    "INSERT INTO public.smart_search (\"assetId\", embedding)
                     SELECT id, $2::text::vector FROM {} WHERE id = $1
                     ON CONFLICT (\"assetId\") DO UPDATE SET embedding = excluded.embedding",
                    schema.asset
                ),
                &[&id, &vector],
            )
        })?;
        Ok(())
    }

    /// Writes what was read in a picture: into Immich's tables where it has them, and into ours.
    fn write_text(&self, work: &mut Work<'_>, schema: &Schema, id: Uuid, read: ReadText) -> Sql<()> {
        // Kept until the end, so that it cannot be deleted in between.
        let asset = &schema.asset;
        if work.row(&format!("SELECT id FROM {asset} WHERE id = $1 FOR KEY SHARE"), &[&id])?.is_none() {
            return Ok(());
        }
        let ReadText { text: texts, corners, region_scores, scores } = read;
        let scores: Vec<f32> = scores.into_iter().map(|score| score as f32).collect();
        let mut read_at = None;
        if schema.ocr {
            work.execute("DELETE FROM public.asset_ocr WHERE \"assetId\" = $1", &[&id])?;
            work.execute(
                "INSERT INTO public.asset_ocr
                     (\"assetId\", x1, y1, x2, y2, x3, y3, x4, y4, \"boxScore\", \"textScore\", text)
                 SELECT $1::uuid, c[n], c[n + 1], c[n + 2], c[n + 3], c[n + 4], c[n + 5], c[n + 6], c[n + 7],
                     box_score, text_score, text
                 FROM (SELECT $2::real[] AS c) AS corners,
                     unnest($3::real[], $4::real[], $5::text[]) WITH ORDINALITY AS line(box_score, text_score, text, place),
                     LATERAL (SELECT (place * 8 - 7)::int AS n) AS first",
                &[&id, &corners, &region_scores, &scores, &texts],
            )?;
            if texts.is_empty() {
                work.execute("DELETE FROM public.ocr_search WHERE \"assetId\" = $1", &[&id])?;
            } else {
                work.execute(
                    "INSERT INTO public.ocr_search (\"assetId\", text) VALUES ($1, $2)
                     ON CONFLICT (\"assetId\") DO UPDATE SET text = excluded.text",
                    &[&id, &search_text(&texts)],
                )?;
            }
            // In milliseconds, as a server in JavaScript writes it.
            let at: SystemTime = work.one(
                &format!(
                    "INSERT INTO {} (\"assetId\", \"ocrAt\")
                     VALUES ($1, date_trunc('milliseconds', clock_timestamp()))
                     ON CONFLICT (\"assetId\") DO UPDATE SET \"ocrAt\" = excluded.\"ocrAt\" RETURNING \"ocrAt\"",
                    schema.job_status
                ),
                &[&id],
            )?;
            read_at = Some(at);
        }
        OwnText { texts, scores, corners }.write(work, self.cutter(), id, read_at)
    }
}

/// What it takes to do it again.
pub(crate) fn needed(kind: RerunKind) -> Capability {
    match kind {
        RerunKind::Ocr => Capability::RedoText,
        RerunKind::Clip => Capability::RedoVectors,
    }
}

fn is_hidden(work: &mut Work<'_>, schema: &Schema, id: Uuid) -> Sql<bool> {
    let row =
        work.row(&format!("SELECT visibility = 'hidden' FROM {} WHERE id = $1", schema.asset), &[&id])?;
    Ok(row.is_none_or(|row| row.get(0)))
}
