//! Reads pictures again, or makes their vectors anew, and writes what Immich's own jobs would.
use std::{collections::HashSet, time::SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;
use viewfinder_catalog::postgres::{Result as Sql, Transaction};
use viewfinder_core::{ErrorCode, TaskError};
use viewfinder_wire::immich::{Answer, ReadText};

use crate::{
    database::{
        Database, Error, schema::Schema, settings::Settings, single::rows, tables::OwnText,
        tokens::search_text,
    },
    library::{Caller, Capability, RerunKind},
};

/// Gives the previews of pictures, as Immich made them; for a video, its still picture.
#[async_trait]
pub trait Previews: Send + Sync {
    /// The preview of one, or why there is none.
    async fn preview(&self, asset: Uuid) -> Result<Bytes, NoPreview>;
}

/// What has them without having to wait.
#[async_trait]
impl<F: Fn(Uuid) -> Result<Bytes, NoPreview> + Send + Sync> Previews for F {
    async fn preview(&self, asset: Uuid) -> Result<Bytes, NoPreview> {
        self(asset)
    }
}

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
    pub async fn require_own(&self, caller: &Caller, ids: &[Uuid]) -> Result<(), Error> {
        let schema = self.schema();
        let statement = format!(
            "SELECT id FROM {} WHERE id = ANY($1) AND \"ownerId\" = $2 AND (visibility <> 'locked' OR $3)",
            schema.asset
        );
        let rows = rows(self.pool(), &statement, &[&ids, &caller.user, &caller.elevated]).await?;
        let own: HashSet<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        ids.iter().find(|id| !own.contains(id)).map_or(Ok(()), |id| Err(Error::NotYours(*id)))
    }

    /// Does one kind of analysis again for pictures of the caller, with the model that Immich is set to, and writes the result where
    /// Immich would. The moving parts of live photos are passed over, as Immich does.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::NotYours`] before anything is done; whatever else happens leaves those done that came before.
    pub async fn rerun(
        &self,
        caller: &Caller,
        kind: RerunKind,
        ids: &[Uuid],
        previews: &dyn Previews,
    ) -> Result<(), Error> {
        let done = self.redo_all(caller, kind, ids, previews).await;
        if let Err(error) = &done {
            self.look_after_failure(error).await;
        }
        done
    }

    async fn redo_all(
        &self,
        caller: &Caller,
        kind: RerunKind,
        ids: &[Uuid],
        previews: &dyn Previews,
    ) -> Result<(), Error> {
        let schema = self.schema();
        schema.require(needed(kind))?;
        self.require_own(caller, ids).await?;
        let settings = self.settings(&schema).await?;
        let mut done = HashSet::new();
        for id in ids.iter().filter(|id| done.insert(**id)) {
            self.redo(&settings, kind, *id, previews).await?;
        }
        Ok(())
    }

    /// What Immich is set to.
    pub(crate) async fn settings(&self, schema: &Schema) -> Result<Settings, Error> {
        let tx = self.pool().read().await?;
        let settings = Settings::read(&tx, schema).await?;
        tx.commit().await?;
        Ok(settings)
    }

    /// Does it for one picture.
    pub(crate) async fn redo(
        &self,
        settings: &Settings,
        kind: RerunKind,
        id: Uuid,
        previews: &dyn Previews,
    ) -> Result<(), Error> {
        let schema = self.schema();
        // Before anything is asked: an answer that cannot be kept need not be made.
        let vectors = match kind {
            RerunKind::Clip => Some(Self::vectors(&schema, settings)?),
            RerunKind::Ocr => None,
        };
        if self.is_hidden(&schema, id).await? {
            return Ok(());
        }
        let bytes = previews.preview(id).await.map_err(|none| match none {
            NoPreview::OfPicture(reason) => Error::Preview { asset: id, reason },
            NoPreview::OfAll(reason) => Error::MediaAway(reason),
        })?;
        let Some((width, model)) = vectors else {
            let read = self.embedder().text(&settings.ocr, bytes).await?;
            let tx = self.pool().write().await?;
            self.write_text(&tx, &schema, id, read).await?;
            return Ok(tx.commit().await?);
        };
        let vector = self.embedder().vector(&model, bytes).await?;
        if vector.len() != width {
            return Err(Error::Width { model, vector: vector.len(), column: width });
        }
        let bad = |_| TaskError::new(ErrorCode::Internal, "the vector is not finite or has no length");
        let vector = Answer::vector(&vector).map_err(bad)?;
        let statement = format!(
            "INSERT INTO public.smart_search (\"assetId\", embedding)
             SELECT id, $2::text::vector FROM {} WHERE id = $1
             ON CONFLICT (\"assetId\") DO UPDATE SET embedding = excluded.embedding",
            schema.asset
        );
        let tx = self.pool().write().await?;
        tx.execute(&statement, &[&id, &vector]).await?;
        Ok(tx.commit().await?)
    }

    async fn is_hidden(&self, schema: &Schema, id: Uuid) -> Result<bool, Error> {
        let statement = format!("SELECT visibility = 'hidden' FROM {} WHERE id = $1", schema.asset);
        let rows = rows(self.pool(), &statement, &[&id]).await?;
        Ok(rows.first().is_none_or(|row| row.get(0)))
    }

    /// Writes what was read in a picture: into Immich's tables where it has them, and into ours.
    async fn write_text(&self, tx: &Transaction, schema: &Schema, id: Uuid, read: ReadText) -> Sql<()> {
        // Kept until the end, so that it cannot be deleted in between.
        let asset = &schema.asset;
        if tx.row(&format!("SELECT id FROM {asset} WHERE id = $1 FOR KEY SHARE"), &[&id]).await?.is_none() {
            return Ok(());
        }
        let ReadText { text: texts, corners, region_scores, scores } = read;
        let scores: Vec<f32> = scores.into_iter().map(|score| score as f32).collect();
        let mut read_at = None;
        if schema.ocr {
            tx.execute("DELETE FROM public.asset_ocr WHERE \"assetId\" = $1", &[&id]).await?;
            tx.execute(
                "INSERT INTO public.asset_ocr
                     (\"assetId\", x1, y1, x2, y2, x3, y3, x4, y4, \"boxScore\", \"textScore\", text)
                 SELECT $1::uuid, c[n], c[n + 1], c[n + 2], c[n + 3], c[n + 4], c[n + 5], c[n + 6], c[n + 7],
                     box_score, text_score, text
                 FROM (SELECT $2::real[] AS c) AS corners,
                     unnest($3::real[], $4::real[], $5::text[]) WITH ORDINALITY AS line(box_score, text_score, text, place),
                     LATERAL (SELECT (place * 8 - 7)::int AS n) AS first",
                &[&id, &corners, &region_scores, &scores, &texts],
            ).await?;
            if texts.is_empty() {
                tx.execute("DELETE FROM public.ocr_search WHERE \"assetId\" = $1", &[&id]).await?;
            } else {
                tx.execute(
                    "INSERT INTO public.ocr_search (\"assetId\", text) VALUES ($1, $2)
                     ON CONFLICT (\"assetId\") DO UPDATE SET text = excluded.text",
                    &[&id, &search_text(&texts)],
                )
                .await?;
            }
            // In milliseconds, as a server in JavaScript writes it.
            let at: SystemTime = tx.one(
                &format!(
                    "INSERT INTO {} (\"assetId\", \"ocrAt\")
                     VALUES ($1, date_trunc('milliseconds', clock_timestamp()))
                     ON CONFLICT (\"assetId\") DO UPDATE SET \"ocrAt\" = excluded.\"ocrAt\" RETURNING \"ocrAt\"",
                    schema.job_status
                ),
                &[&id],
            ).await?;
            read_at = Some(at);
        }
        OwnText { texts, scores, corners }.write(tx, self.tokenizer(), id, read_at).await
    }
}

/// What it takes to do it again.
pub(crate) fn needed(kind: RerunKind) -> Capability {
    match kind {
        RerunKind::Ocr => Capability::RedoText,
        RerunKind::Clip => Capability::RedoVectors,
    }
}
