//! Keeps our texts as Immich's are, without burdening the database.
//!
//! What changes is asked for by time: pictures by `updateId`, which has an index and moves with every edit; readings by `ocrAt`,
//! which has none, and so only when the server's own counters say that readings were written. Beside that, all pictures are
//! compared slowly, some at a time, round after round. The first round is what fills our table; later ones find what was missed: deleted
//! pictures, a restored database, a clock that was set back.
use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{task::JoinHandle, time::sleep};
use uuid::Uuid;
use viewfinder_catalog::postgres::{Result as Sql, Transaction, at_most};

use crate::database::{Database, Error, schema::Schema, single::rows, tables::OwnText};

/// How often changes are asked for.
const EVERY: Duration = Duration::from_secs(5);
/// How often Immich's tables are looked at: after an update it may be able to do more, or less.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// Changes that were made before the newest known one may become visible after it, when their transactions end.
const OVERLAP: Duration = Duration::from_secs(20);
/// Pictures compared in one transaction.
const SLICE: usize = 500;

/// How following goes, for the status.
#[derive(Clone, Debug, Default)]
pub(crate) struct FollowerState {
    /// When everything that had changed was last known.
    pub(crate) fresh: Option<Instant>,
    /// Why it is not now.
    pub(crate) trouble: Option<String>,
    /// Has any picture been read?
    has_text: bool,
    /// What the server counted when readings were last asked for.
    counted: Option<[i64; 2]>,
}

/// Follows Immich's changes until it is dropped. What a transaction has not kept by then is done by the next one that follows.
pub struct Follower(JoinHandle<()>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Database {
    /// Starts to follow Immich's changes, and to catch up with what is there. Within a Tokio runtime.
    pub fn start_following(&self) -> Follower {
        let database = self.clone();
        Follower(tokio::spawn(async move { database.run().await }))
    }

    async fn run(&self) {
        loop {
            let begun = Instant::now();
            self.look_after(LOOK_EVERY).await;
            let mut caught_up = true;
            match self.follow().await {
                Ok(done) => {
                    caught_up = done;
                    let mut follower_state = self.follower_state();
                    if follower_state.trouble.take().is_some() {
                        tracing::info!("following Immich's changes again");
                    }
                    follower_state.fresh = Some(begun);
                }
                Err(error) => self.note(&error).await,
            }
            sleep(if caught_up { EVERY.saturating_sub(begun.elapsed()) } else { Duration::ZERO }).await;
        }
    }

    /// Tells a trouble once, and looks at the tables again where they may have changed.
    async fn note(&self, error: &Error) {
        let text = error.to_string();
        let known = self.follower_state().trouble.replace(text);
        if known.is_none() {
            tracing::warn!(%error, "Immich's changes cannot be followed now; trying again");
        }
        self.look_after_failure(error).await;
    }

    /// Takes over what has changed, and compares some more pictures; tells whether all were compared once.
    ///
    /// # Errors
    /// [`Error::Store`]; trying again later may help.
    pub async fn follow(&self) -> Result<bool, Error> {
        let schema = self.schema();
        if !schema.ids {
            return Ok(true);
        }
        let tx = self.pool().read().await?;
        let row = tx
            .row(
                "SELECT changed_up_to, read_up_to, EXISTS (SELECT FROM viewfinder.immich_text WHERE letters <> '')
                 FROM viewfinder.immich_state",
                &[],
            )
            .await?;
        tx.commit().await?;
        let (changed, read, has_text): (SystemTime, SystemTime, bool) =
            row.map_or((UNIX_EPOCH, UNIX_EPOCH, false), |row| (row.get(0), row.get(1), row.get(2)));
        self.follower_state().has_text = has_text;
        // Each is tried, whatever befalls the others.
        let pictures = if schema.changes { self.take_changes(&schema, changed).await } else { Ok(()) };
        let readings = if schema.readings { self.take_readings(&schema, read).await } else { Ok(()) };
        let tx = self.pool().write().await?;
        let laps = self.compare_slice(&tx, &schema).await?;
        tx.commit().await?;
        pictures.and(readings)?;
        Ok(laps > 0)
    }

    /// Is there text of any picture, as of the last look? Returns at once.
    pub fn has_text(&self) -> bool {
        self.follower_state().has_text
    }

    /// Takes over pictures that were changed since.
    async fn take_changes(&self, schema: &Schema, changed: SystemTime) -> Result<(), Error> {
        let mut after = first_id(changed - OVERLAP);
        let statement = format!(
            "SELECT id, \"updateId\" FROM {} WHERE \"updateId\" > $1 ORDER BY \"updateId\" LIMIT $2",
            schema.asset
        );
        loop {
            let tx = self.pool().write().await?;
            let rows = tx.rows(&statement, &[&after, &at_most(SLICE)]).await?;
            if let Some(last) = rows.last() {
                after = last.get(1);
                let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
                self.refresh(&tx, schema, &ids).await?;
                let up_to = time_of(after).max(changed);
                tx.execute("UPDATE viewfinder.immich_state SET changed_up_to = $1", &[&up_to]).await?;
            }
            tx.commit().await?;
            if rows.len() < SLICE {
                return Ok(());
            }
        }
    }

    /// Takes over what was read since, if anything was.
    async fn take_readings(&self, schema: &Schema, since: SystemTime) -> Result<(), Error> {
        // Counted by the server for its own purposes, a moment late: so they are read before the readings are.
        let counts = rows(
            self.pool(),
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint, sum(pg_relation_filenode(relid)::bigint)::bigint
             FROM pg_stat_user_tables WHERE schemaname = 'public' AND relname IN ('asset_ocr', 'asset_job_status')",
            &[],
        )
        .await?;
        let count = |at: usize| counts.first().and_then(|row| row.get::<_, Option<i64>>(at)).unwrap_or(0);
        let counted = [count(0), count(1)];
        if self.follower_state().counted == Some(counted) {
            return Ok(());
        }
        let statement = format!(
            "SELECT \"assetId\", \"ocrAt\" FROM {} WHERE \"ocrAt\" > $1 ORDER BY \"ocrAt\"",
            schema.job_status
        );
        let from = since - OVERLAP;
        for rows in rows(self.pool(), &statement, &[&from]).await?.chunks(SLICE) {
            let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
            let last: Option<SystemTime> = rows.last().map(|row| row.get(1));
            let up_to = last.unwrap_or(since).max(since);
            let tx = self.pool().write().await?;
            self.refresh(&tx, schema, &ids).await?;
            tx.execute("UPDATE viewfinder.immich_state SET read_up_to = $1", &[&up_to]).await?;
            tx.commit().await?;
        }
        self.follower_state().counted = Some(counted);
        Ok(())
    }

    /// Compares some more pictures in the order of their ids; returns how many rounds are complete.
    async fn compare_slice(&self, tx: &Transaction, schema: &Schema) -> Sql<i64> {
        let row = tx.row("SELECT compared_up_to FROM viewfinder.immich_state FOR UPDATE", &[]).await?;
        let from = row.and_then(|row| row.get::<_, Option<Uuid>>(0)).unwrap_or(Uuid::nil());
        let asset = &schema.asset;
        let ids = tx
            .rows(
                &format!("SELECT id FROM {asset} WHERE id > $1 ORDER BY id LIMIT $2"),
                &[&from, &at_most(SLICE)],
            )
            .await?;
        let up_to = ids.last().filter(|_| ids.len() == SLICE).map(|row| row.get::<_, Uuid>(0));
        let last = up_to.unwrap_or(Uuid::max());
        tx.execute(
            &format!(
                "DELETE FROM viewfinder.immich_text AS t WHERE asset > $1 AND asset <= $2
                 AND NOT EXISTS (SELECT FROM {asset} AS a WHERE a.id = t.asset)"
            ),
            &[&from, &last],
        )
        .await?;
        let (status, read_again) = if schema.readings {
            (
                format!("LEFT JOIN {} AS s ON s.\"assetId\" = a.id", schema.job_status),
                "s.\"ocrAt\" IS NOT NULL AND t.read_at IS DISTINCT FROM s.\"ocrAt\" OR",
            )
        } else {
            (String::new(), "")
        };
        let rows = tx
            .rows(
                &format!(
                    "SELECT a.id FROM {asset} AS a {status}
                 LEFT JOIN viewfinder.immich_text AS t ON t.asset = a.id
                 WHERE a.id > $1 AND a.id <= $2
                     AND ({read_again} t.generation <> (SELECT generation FROM viewfinder.immich_state))"
                ),
                &[&from, &last],
            )
            .await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        self.refresh(tx, schema, &ids).await?;
        tx.one(
            "UPDATE viewfinder.immich_state SET compared_up_to = $1, laps = laps + ($1::uuid IS NULL)::int RETURNING laps",
            &[&up_to],
        )
        .await
    }

    /// Makes our rows of some pictures what Immich's are.
    async fn refresh(&self, tx: &Transaction, schema: &Schema, ids: &[Uuid]) -> Sql<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let theirs = if schema.readings { theirs(tx, schema, ids).await? } else { HashMap::new() };
        let rows = tx
            .rows(
                "SELECT asset, texts, scores, corners, read_at,
                 generation = (SELECT generation FROM viewfinder.immich_state)
             FROM viewfinder.immich_text WHERE asset = ANY($1)",
                &[&ids],
            )
            .await?;
        let ours: HashMap<Uuid, Own> = rows
            .iter()
            .map(|row| {
                let text = OwnText { texts: row.get(1), scores: row.get(2), corners: row.get(3) };
                (row.get(0), Own { text, read_at: row.get(4), current: row.get(5) })
            })
            .collect();
        for id in ids {
            let own = ours.get(id);
            let Some(their) = theirs.get(id) else {
                // Read by us, or about to be read again by Immich: only the cut may be old.
                if let Some(own) = own.filter(|own| !own.current) {
                    own.text.write(tx, self.tokenizer(), *id, own.read_at).await?;
                }
                continue;
            };
            let at = Some(their.at);
            // No line, and nothing was read since: all are being read anew. Until then, ours are good.
            let same = |own: &&Own| own.read_at == at && (their.lines == 0 || own.text == their.text);
            match own.filter(same) {
                Some(own) if own.current => {}
                Some(own) => own.text.write(tx, self.tokenizer(), *id, at).await?,
                None => their.text.write(tx, self.tokenizer(), *id, at).await?,
            }
        }
        Ok(())
    }
}

/// What we have of a picture.
struct Own {
    text: OwnText,
    read_at: Option<SystemTime>,
    /// Was it cut by the segmenter of now?
    current: bool,
}

/// What Immich read in a picture.
struct Reading {
    at: SystemTime,
    /// Lines that can be seen.
    text: OwnText,
    /// All lines, those included that an edit hides.
    lines: usize,
}

async fn theirs(tx: &Transaction, schema: &Schema, ids: &[Uuid]) -> Sql<HashMap<Uuid, Reading>> {
    let rows = tx
        .rows(
            &format!(
                "SELECT \"assetId\", \"ocrAt\" FROM {} WHERE \"assetId\" = ANY($1) AND \"ocrAt\" IS NOT NULL",
                schema.job_status
            ),
            &[&ids],
        )
        .await?;
    let mut readings: HashMap<Uuid, Reading> = rows
        .iter()
        .map(|row| (row.get(0), Reading { at: row.get(1), text: OwnText::default(), lines: 0 }))
        .collect();
    let visible = if schema.ocr_visible { "\"isVisible\"" } else { "true" };
    // Immich keeps no order; this is the one of reading, more or less, and always the same.
    let rows = tx
        .rows(
            &format!(
                "SELECT \"assetId\", text, \"textScore\", ARRAY[x1, y1, x2, y2, x3, y3, x4, y4], {visible}
             FROM public.asset_ocr WHERE \"assetId\" = ANY($1) ORDER BY y1, x1, id"
            ),
            &[&ids],
        )
        .await?;
    for row in rows {
        let Some(reading) = readings.get_mut(&row.get(0)) else { continue };
        reading.lines += 1;
        if row.get(4) {
            reading.text.texts.push(row.get(1));
            reading.text.scores.push(row.get(2));
            reading.text.corners.extend(row.get::<_, Vec<f32>>(3));
        }
    }
    Ok(readings)
}

/// The first UUID of version 7 that a time can give: its milliseconds, and zeros.
fn first_id(time: SystemTime) -> Uuid {
    let ms = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Uuid::from_u128(ms << 80)
}

/// The time in a UUID of version 7.
fn time_of(id: Uuid) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis((id.as_u128() >> 80) as u64)
}
