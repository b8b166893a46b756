//! One kind of analysis for the whole library: what is missing, or everything.
use uuid::Uuid;
use viewfinder_catalog::{
    postgres::{Sql, at_most},
    query::Query,
};
use viewfinder_core::ErrorScope;

use crate::{
    database::{
        Database, Error, Previews, filters::add_of_query, rerun::needed, schema::Schema, single::rows,
    },
    library::{RerunKind, Unsupported, filters::needs_of_query},
};

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

impl Database {
    /// Reads pictures, or makes their vectors, and writes what Immich would; only those that the filters of `only` let through: paths,
    /// days, people. `tell` is called after each picture, with its failure if it
    /// failed, and returns whether to go on.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if `only` has words to search for; [`Error::Missing`] if this Immich lacks what it takes; what would befall every picture, such as [`Error::Width`]: pictures that fail by themselves are counted.
    pub async fn reindex(
        &self,
        kind: RerunKind,
        which: Which,
        only: &Query,
        previews: &dyn Previews,
        mut tell: impl FnMut(Progress, Option<(Uuid, &Error)>) -> bool + Send,
    ) -> Result<Progress, Error> {
        if !only.terms.is_empty() || !only.without.is_empty() {
            return Err(
                Unsupported::new("pictures are chosen by path, day and person here, not by words").into()
            );
        }
        let schema = self.schema();
        schema.require(needed(kind))?;
        for capability in needs_of_query(only) {
            schema.require(capability)?;
        }
        let settings = self.settings(&schema).await?;
        // Where a run over some of them was stopped says nothing about the others.
        let column = (which == Which::All && *only == Query::default()).then(|| column(kind));
        let open = |after: Uuid| open(&schema, kind, which, only, after);
        let mut after = Uuid::nil();
        let tx = self.pool().read().await?;
        if let Some(column) = column {
            let statement = format!("SELECT {column} FROM viewfinder.immich_state");
            after = tx.one::<Option<Uuid>>(&statement, &[]).await?.unwrap_or(after);
        }
        let (sql, condition) = open(after);
        let statement = format!("SELECT count(*) FROM {} AS asset WHERE {condition}", schema.asset);
        let all = tx.one::<i64>(&statement, &sql.refs()).await? as u64;
        tx.commit().await?;
        let mut progress = Progress { all, ..Progress::default() };
        loop {
            let (mut sql, condition) = open(after);
            let limit = sql.param(at_most(BATCH));
            let statement = format!(
                "SELECT asset.id FROM {} AS asset WHERE {condition} ORDER BY asset.id LIMIT {limit}",
                schema.asset
            );
            let rows = rows(self.pool(), &statement, &sql.refs()).await?;
            let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
            for id in &ids {
                let failure = match self.redo(&settings, kind, *id, previews).await {
                    Ok(()) => None,
                    Err(error) if is_of_picture(&error) => Some(error),
                    Err(error) => return Err(error),
                };
                after = *id;
                progress.done += u64::from(failure.is_none());
                progress.failed += u64::from(failure.is_some());
                if !tell(progress, failure.as_ref().map(|error| (*id, error))) {
                    self.remember(column, Some(after)).await?;
                    return Ok(progress);
                }
            }
            self.remember(column, ids.last().copied()).await?;
            if ids.is_empty() {
                return Ok(progress);
            }
        }
    }

    /// Remembers where all pictures are done up to; none at the end.
    async fn remember(&self, column: Option<&str>, up_to: Option<Uuid>) -> Result<(), Error> {
        if let Some(column) = column {
            let statement = format!("UPDATE viewfinder.immich_state SET {column} = $1");
            let tx = self.pool().write().await?;
            tx.execute(&statement, &[&up_to]).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Does the error concern one picture only?
fn is_of_picture(error: &Error) -> bool {
    match error {
        Error::Preview { .. } => true,
        Error::Engine(error) => error.code.scope() == ErrorScope::Picture,
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
        (Which::All, _) => String::new(),
        (Which::Missing, RerunKind::Clip) => {
            " AND NOT EXISTS (SELECT FROM public.smart_search AS s WHERE s.\"assetId\" = asset.id)".to_owned()
        }
        (Which::Missing, RerunKind::Ocr) if schema.ocr => format!(
            " AND NOT EXISTS (SELECT FROM {} AS s WHERE s.\"assetId\" = asset.id AND s.\"ocrAt\" IS NOT NULL)",
            schema.job_status
        ),
        (Which::Missing, RerunKind::Ocr) => {
            " AND NOT EXISTS (SELECT FROM viewfinder.immich_text AS t WHERE t.asset = asset.id)".to_owned()
        }
    };
    format!(
        "asset.\"deletedAt\" IS NULL AND asset.visibility <> 'hidden' AND EXISTS (
             SELECT FROM {} AS f WHERE f.\"assetId\" = asset.id AND f.type = 'preview'
         ){missing}",
        schema.file
    )
}

/// Pictures to be done after this one, as a condition on rows of `asset` and its parameters.
fn open(schema: &Schema, kind: RerunKind, which: Which, only: &Query, after: Uuid) -> (Sql, String) {
    let mut sql = Sql::default();
    let after = sql.param(after);
    let mut conditions = vec![format!("asset.id > {after}"), open_condition(schema, kind, which)];
    add_of_query(only, schema, &mut sql, &mut conditions, None);
    (sql, conditions.join(" AND "))
}
