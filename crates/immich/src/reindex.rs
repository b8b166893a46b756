//! One kind of analysis for the whole library: what is missing, or everything.
use uuid::Uuid;
use viewfinder_catalog::postgres::{Result as Sql, Work, at_most};
use viewfinder_engine::Fault;

use crate::{Error, Library, Previews, RerunKind, schema::Schema, settings::Settings};

/// Pictures asked for at a time.
const BATCH: usize = 100;

/// Which pictures are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those without a result.
    Missing,
    /// All, one after the other, so that nothing is missing meanwhile. What was stopped goes on where it was.
    All,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    /// Pictures to be done when it began.
    pub all: u64,
    /// Done.
    pub done: u64,
    /// Failed, each for a reason of its own.
    pub failed: u64,
}

impl Library {
    /// Reads pictures, or makes their vectors, and writes what Immich would. `tell` is called after each picture, with its failure if it
    /// failed, and returns whether to go on.
    ///
    /// # Errors
    /// What would befall every picture, such as [`Error::Width`]: pictures that fail by themselves are counted.
    pub fn reindex(
        &self,
        kind: RerunKind,
        which: Which,
        preview: &Previews<'_>,
        mut tell: impl FnMut(Progress, Option<&Error>) -> bool,
    ) -> Result<Progress, Error> {
        let schema = self.schema();
        let settings = self.pool().read(Settings::read)?;
        let open = open_condition(&schema, kind, which);
        let (mut after, all) = self.pool().read(|work| begin(work, &schema, kind, which, &open))?;
        let mut progress = Progress { all, ..Progress::default() };
        loop {
            let ids = self.pool().read(|work| next(work, &schema, &open, after))?;
            for id in &ids {
                let failure = match self.redo(&settings, kind, *id, preview) {
                    Ok(()) => None,
                    Err(error) if is_of_picture(&error) => Some(error),
                    Err(error) => return Err(error),
                };
                after = *id;
                progress.done += u64::from(failure.is_none());
                progress.failed += u64::from(failure.is_some());
                if !tell(progress, failure.as_ref()) {
                    self.remember(kind, which, Some(after))?;
                    return Ok(progress);
                }
            }
            self.remember(kind, which, ids.last().copied())?;
            if ids.is_empty() {
                return Ok(progress);
            }
        }
    }

    /// Remembers where all pictures are done up to; none at the end.
    fn remember(&self, kind: RerunKind, which: Which, up_to: Option<Uuid>) -> Result<(), Error> {
        if which == Which::All {
            let statement = format!("UPDATE viewfinder.immich_state SET {} = $1", column(kind));
            self.pool().write(|work| work.execute(&statement, &[&up_to]))?;
        }
        Ok(())
    }
}

/// Does the error concern one picture only?
fn is_of_picture(error: &Error) -> bool {
    match error {
        Error::Preview { .. } => true,
        Error::Engine(error) => {
            error.code.fault() == Fault::Caller && error.code.as_str().starts_with("image_")
        }
        _ => false,
    }
}

fn column(kind: RerunKind) -> &'static str {
    match kind {
        RerunKind::Ocr => "ocr_up_to",
        RerunKind::Clip => "clip_up_to",
    }
}

/// Pictures that Immich's jobs would take, as a condition on rows of `asset`.
pub(crate) fn open_condition(schema: &Schema, kind: RerunKind, which: Which) -> String {
    let missing = match (which, kind) {
        (Which::All, _) => "",
        (Which::Missing, RerunKind::Clip) => {
            " AND NOT EXISTS (SELECT FROM public.smart_search AS s WHERE s.\"assetId\" = asset.id)"
        }
        (Which::Missing, RerunKind::Ocr) if schema.ocr => {
            " AND NOT EXISTS (SELECT FROM public.asset_job_status AS s
                  WHERE s.\"assetId\" = asset.id AND s.\"ocrAt\" IS NOT NULL)"
        }
        (Which::Missing, RerunKind::Ocr) => {
            " AND NOT EXISTS (SELECT FROM viewfinder.immich_text AS t WHERE t.asset = asset.id)"
        }
    };
    format!(
        "asset.\"deletedAt\" IS NULL AND asset.visibility <> 'hidden' AND EXISTS (
             SELECT FROM {} AS f WHERE f.\"assetId\" = asset.id AND f.type = 'preview'
         ){missing}",
        schema.file
    )
}

/// Where to begin, and how many there are from there on.
fn begin(
    work: &mut Work<'_>,
    schema: &Schema,
    kind: RerunKind,
    which: Which,
    open: &str,
) -> Sql<(Uuid, u64)> {
    let mut after = Uuid::nil();
    if which == Which::All {
        let statement = format!("SELECT {} FROM viewfinder.immich_state", column(kind));
        after = work.one::<Option<Uuid>>(&statement, &[])?.unwrap_or(after);
    }
    let statement = format!("SELECT count(*) FROM {} AS asset WHERE asset.id > $1 AND {open}", schema.asset);
    Ok((after, work.one::<i64>(&statement, &[&after])? as u64))
}

fn next(work: &mut Work<'_>, schema: &Schema, open: &str, after: Uuid) -> Sql<Vec<Uuid>> {
    let statement = format!(
        "SELECT asset.id FROM {} AS asset WHERE asset.id > $1 AND {open} ORDER BY asset.id LIMIT $2",
        schema.asset
    );
    Ok(work.rows(&statement, &[&after, &at_most(BATCH)])?.iter().map(|row| row.get(0)).collect())
}
