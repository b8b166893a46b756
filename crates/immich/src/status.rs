//! What there is, what is missing, and how far our own tables are.
use std::time::Duration;

use viewfinder_catalog::postgres::{Result as Sql, Work};

use crate::{
    Error, Library, RerunKind,
    reindex::{Which, open_condition},
    schema::{Index, Rules, Schema},
    settings::Settings,
};

/// The state of a library.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Status {
    /// Which Immich it looks like: `v1`, `v2` or `v3`.
    pub immich: &'static str,
    /// Pictures and videos that are neither in the trash nor parts of others.
    pub assets: u64,
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
    pub missing: u64,
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
    pub vectors: u64,
    /// Pictures that have a preview and no vector.
    pub missing: u64,
}

/// How far our own tables are.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct FollowerStatus {
    /// Pictures whose text was read, by Immich or by this program.
    pub read: u64,
    /// Of these, those that can be found.
    pub taken_over: u64,
    /// Was everything compared at least once?
    pub caught_up: bool,
    /// Seconds since everything that had changed was known; none if it never was in this process.
    pub lag_s: Option<u64>,
    /// Why changes cannot be followed now.
    pub trouble: Option<String>,
}

impl Library {
    /// Counts. Takes as long as it takes to look at all pictures once.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn status(&self) -> Result<Status, Error> {
        let schema = self.schema();
        let mut status = self.pool().read(|work| count(work, &schema))?;
        let pulse = self.pulse();
        status.follower.lag_s = pulse.fresh.map(|fresh| fresh.elapsed()).as_ref().map(Duration::as_secs);
        status.follower.trouble.clone_from(&pulse.trouble);
        Ok(status)
    }

    /// Can pictures be searched by what they show? As of the last look at the database; returns at once.
    pub fn has_vectors(&self) -> bool {
        self.schema().vectors.is_some()
    }
}

fn count(work: &mut Work<'_>, schema: &Schema) -> Sql<Status> {
    let settings = Settings::read(work)?;
    let mut number = |of: &str| work.one::<i64>(&format!("SELECT count(*) FROM {of}"), &[]).map(|n| n as u64);
    let asset = &schema.asset;
    let missing = |kind| format!("{asset} AS asset WHERE {}", open_condition(schema, kind, Which::Missing));
    let taken_over = number("viewfinder.immich_text")?;
    let read =
        if schema.ocr { number("public.asset_job_status WHERE \"ocrAt\" IS NOT NULL")? } else { taken_over };
    let vectors = if schema.vectors.is_some() {
        number(&format!(
            "public.smart_search AS s JOIN {asset} AS asset ON asset.id = s.\"assetId\"
             WHERE asset.\"deletedAt\" IS NULL AND asset.visibility <> 'hidden'"
        ))?
    } else {
        0
    };
    Ok(Status {
        immich: match schema.rules {
            Rules::V1 => "v1",
            Rules::V2 => "v2",
            Rules::V3 => "v3",
        },
        assets: number(&format!("{asset} WHERE \"deletedAt\" IS NULL AND visibility <> 'hidden'"))?,
        ocr: OcrStatus {
            by_immich: schema.ocr,
            model: settings.ocr.model,
            missing: number(&missing(RerunKind::Ocr))?,
        },
        clip: ClipStatus {
            model: settings.clip,
            width: schema.vectors.as_ref().map(|vectors| vectors.width),
            index: match schema.vectors.as_ref().map(|vectors| &vectors.index) {
                Some(Index::Hnsw { .. }) => "hnsw",
                Some(Index::Vchord { .. }) => "vchordrq",
                Some(Index::None) | None => "none",
            },
            vectors,
            missing: if schema.vectors.is_some() { number(&missing(RerunKind::Clip))? } else { 0 },
        },
        follower: FollowerStatus {
            read,
            taken_over,
            caught_up: work.one("SELECT laps > 0 FROM viewfinder.immich_state", &[])?,
            lag_s: None,
            trouble: None,
        },
    })
}
