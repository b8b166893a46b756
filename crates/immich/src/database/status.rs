//! What there is, what is missing, and how far our own tables are.
use std::time::Duration;

use viewfinder_catalog::StoreError;

use crate::{
    database::{
        Database, Error,
        people::People,
        reindex::{Which, open_condition},
        rerun::needed,
        schema::{Rules, Schema},
        settings::Settings,
        single::one,
        vectors::Index,
    },
    library::{Capabilities, RerunKind},
};

/// The state of a library. A number that this Immich's tables do not give is none.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Status {
    /// Which Immich it looks like: `v1`, `v2` or `v3`.
    pub immich: &'static str,
    /// Whose people are: `owner`, each of one user, or `group`, named by each user of a group (v3.2).
    pub people: &'static str,
    /// What can be done with it, and why not the rest.
    pub capabilities: Capabilities,
    /// Pictures and videos that are neither in the trash nor parts of others.
    pub assets: Option<u64>,
    /// The text of them.
    pub ocr: OcrStatus,
    /// The vectors of them.
    pub clip: ClipStatus,
    /// How far our own tables are.
    pub follower: FollowerStatus,
}

/// The state of texts.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct OcrStatus {
    /// Does Immich read text itself? Otherwise this program does, for its own tables.
    pub by_immich: bool,
    /// The model that Immich is set to.
    pub model: String,
    /// Pictures that have a preview and were not read yet.
    pub missing: Option<u64>,
}

/// The state of vectors.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ClipStatus {
    /// The model that Immich is set to; none if smart search is switched off.
    pub model: Option<String>,
    /// Numbers in a vector; none where they are of a kind that is not known.
    pub width: Option<usize>,
    /// How they are searched: `hnsw`, `vchordrq`, or `none`, one by one.
    pub index: &'static str,
    /// Vectors.
    pub vectors: Option<u64>,
    /// Pictures that have a preview and no vector.
    pub missing: Option<u64>,
}

/// How far our own tables are.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct FollowerStatus {
    /// Pictures whose text was read, by Immich or by this program.
    pub read: Option<u64>,
    /// Of these, those that can be found.
    pub taken_over: Option<u64>,
    /// Was everything compared at least once?
    pub caught_up: bool,
    /// Seconds since everything that had changed was known; none if it never was in this process.
    pub lag_s: Option<u64>,
    /// Why changes cannot be followed now.
    pub trouble: Option<String>,
}

impl Database {
    /// Counts. Takes as long as it takes to look at all pictures once.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn status(&self) -> Result<Status, Error> {
        let schema = self.schema();
        let tx = self.pool().read().await?;
        let caught_up = tx.one("SELECT laps > 0 FROM viewfinder.immich_state", &[]).await?;
        let settings = Settings::read(&tx, &schema).await?;
        tx.commit().await?;
        let asset = &schema.asset;
        let there = "asset.\"deletedAt\" IS NULL AND asset.visibility <> 'hidden'";
        let taken_over = self.count("viewfinder.immich_text").await?;
        let (lag_s, trouble) = {
            let follower_state = self.follower_state();
            (
                follower_state.fresh.map(|fresh| fresh.elapsed()).as_ref().map(Duration::as_secs),
                follower_state.trouble.clone(),
            )
        };
        Ok(Status {
            immich: match schema.rules {
                Rules::V1 => "v1",
                Rules::V2 => "v2",
                Rules::V3 => "v3",
            },
            people: match schema.people {
                People::Persons => "owner",
                People::Groups => "group",
            },
            capabilities: schema.capabilities.clone(),
            assets: self.count(&format!("{asset} AS asset WHERE {there}")).await?,
            ocr: OcrStatus {
                by_immich: schema.ocr,
                model: settings.ocr.model,
                missing: self.missing(&schema, RerunKind::Ocr).await?,
            },
            clip: ClipStatus {
                model: settings.clip,
                width: schema.vectors.as_ref().map(|vectors| vectors.width),
                index: match schema.vectors.as_ref().map(|vectors| &vectors.index) {
                    Some(Index::Hnsw { .. }) => "hnsw",
                    Some(Index::Vchord { .. }) => "vchordrq",
                    Some(Index::None) | None => "none",
                },
                vectors: self.count(&format!(
                    "public.smart_search AS s JOIN {asset} AS asset ON asset.id = s.\"assetId\" WHERE {there}"
                )).await?,
                missing: self.missing(&schema, RerunKind::Clip).await?,
            },
            follower: FollowerStatus {
                read: if schema.ocr {
                    self.count(&format!("{} WHERE \"ocrAt\" IS NOT NULL", schema.job_status)).await?
                } else {
                    taken_over
                },
                taken_over,
                caught_up,
                lag_s,
                trouble,
            },
        })
    }

    /// Pictures to be done; none where it cannot be told.
    async fn missing(&self, schema: &Schema, kind: RerunKind) -> Result<Option<u64>, Error> {
        if !schema.capabilities.has(needed(kind)) {
            return Ok(None);
        }
        let open = open_condition(schema, kind, Which::Missing);
        self.count(&format!("{} AS asset WHERE {open}", schema.asset)).await
    }

    /// Counts rows; none where this Immich lacks what it takes.
    async fn count(&self, of: &str) -> Result<Option<u64>, Error> {
        match one::<i64>(self.pool(), &format!("SELECT count(*) FROM {of}"), &[]).await {
            Ok(number) => Ok(Some(number as u64)),
            Err(StoreError::Internal(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
