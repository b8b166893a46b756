//! Keeps our texts as Immich's are, without burdening the database.
//!
//! What changes is asked for by time: pictures by `updateId`, which has an index and moves with every edit; readings by `ocrAt`,
//! which has none, and so only when the server's own counters say that readings were written. Beside that, all pictures are
//! compared slowly, some at a time, round after round. The first round is what fills our table; later ones find what was missed: deleted
//! pictures, a restored database, a clock that was set back.
use std::{
    collections::HashMap,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use uuid::Uuid;
use viewfinder_catalog::postgres::{Result as Sql, Work, at_most};

use crate::database::{Database, Error, schema::Schema, tables::OwnText};

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
pub(crate) struct Pulse {
    /// When everything that had changed was last known.
    pub(crate) fresh: Option<Instant>,
    /// Why it is not now.
    pub(crate) trouble: Option<String>,
    /// Has any picture been read?
    has_text: bool,
    /// What the server counted when readings were last asked for.
    counted: Option<[i64; 2]>,
}

/// Follows Immich's changes on a thread of its own until it is dropped.
pub struct Follower {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic was printed when it happened
        }
    }
}

impl Database {
    /// Starts to follow Immich's changes, and to catch up with what is there.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start_following(&self) -> std::io::Result<Follower> {
        let (stop, stopped) = channel();
        let library = self.clone();
        let thread =
            std::thread::Builder::new().name("immich-follow".into()).spawn(move || library.run(&stopped))?;
        Ok(Follower { stop: Some(stop), thread: Some(thread) })
    }

    fn run(&self, stopped: &Receiver<()>) {
        loop {
            let begun = Instant::now();
            self.look_after(LOOK_EVERY);
            let mut caught_up = true;
            match self.follow() {
                Ok(done) => {
                    caught_up = done;
                    let mut pulse = self.pulse();
                    if pulse.trouble.take().is_some() {
                        tracing::info!("following Immich's changes again");
                    }
                    pulse.fresh = Some(begun);
                }
                Err(error) => self.note(&error),
            }
            let rest = if caught_up { EVERY.saturating_sub(begun.elapsed()) } else { Duration::ZERO };
            if stopped.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    /// Tells a trouble once, and looks at the tables again where they may have changed.
    fn note(&self, error: &Error) {
        let text = error.to_string();
        let known = self.pulse().trouble.replace(text);
        if known.is_none() {
            tracing::warn!(%error, "Immich's changes cannot be followed now; trying again");
        }
        self.look_after_failure(error);
    }

    /// Takes over what has changed, and compares some more pictures; tells whether all were compared once.
    ///
    /// # Errors
    /// [`Error::Store`]; trying again later may help.
    pub fn follow(&self) -> Result<bool, Error> {
        let schema = self.schema();
        if !schema.ids {
            return Ok(true);
        }
        let (changed, read, has_text): (SystemTime, SystemTime, bool) = self.pool().read(|work| {
            let row = work.row(
                "SELECT changed_up_to, read_up_to, EXISTS (SELECT FROM viewfinder.immich_text WHERE letters <> '')
                 FROM viewfinder.immich_state",
                &[],
            )?;
            Ok(row.map_or((UNIX_EPOCH, UNIX_EPOCH, false), |row| (row.get(0), row.get(1), row.get(2))))
        })?;
        self.pulse().has_text = has_text;
        // Each is tried, whatever befalls the others.
        let pictures = if schema.changes { self.take_changes(&schema, changed) } else { Ok(()) };
        let readings = if schema.readings { self.take_readings(&schema, read) } else { Ok(()) };
        let laps = self.pool().write(|work| self.compare_slice(work, &schema))?;
        pictures.and(readings)?;
        Ok(laps > 0)
    }

    /// Is there text of any picture, as of the last look? Returns at once.
    pub fn has_text(&self) -> bool {
        self.pulse().has_text
    }

    /// Takes over pictures that were changed since.
    fn take_changes(&self, schema: &Schema, changed: SystemTime) -> Result<(), Error> {
        let mut after = first_id(changed - OVERLAP);
        loop {
            let more = self.pool().write(|work| {
                let statement = format!(
                    "SELECT id, \"updateId\" FROM {} WHERE \"updateId\" > $1 ORDER BY \"updateId\" LIMIT $2",
                    schema.asset
                );
                let rows = work.rows(&statement, &[&after, &at_most(SLICE)])?;
                let Some(last) = rows.last() else { return Ok(false) };
                after = last.get(1);
                let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
                self.refresh(work, schema, &ids)?;
                let up_to = time_of(after).max(changed);
                work.execute("UPDATE viewfinder.immich_state SET changed_up_to = $1", &[&up_to])?;
                Ok(rows.len() == SLICE)
            })?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Takes over what was read since, if anything was.
    fn take_readings(&self, schema: &Schema, since: SystemTime) -> Result<(), Error> {
        // Counted by the server for its own purposes, a moment late: so they are read before the readings are.
        let counted: [i64; 2] = self.pool().read(|work| {
            let row = work.row(
                "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint, sum(pg_relation_filenode(relid)::bigint)::bigint
                 FROM pg_stat_user_tables WHERE schemaname = 'public' AND relname IN ('asset_ocr', 'asset_job_status')",
                &[],
            )?;
            let count = |at: usize| row.as_ref().and_then(|row| row.get::<_, Option<i64>>(at)).unwrap_or(0);
            Ok([count(0), count(1)])
        })?;
        if self.pulse().counted == Some(counted) {
            return Ok(());
        }
        let from = since - OVERLAP;
        let rows = self.pool().read(|work| {
            work.rows(
                &format!(
                    "SELECT \"assetId\", \"ocrAt\" FROM {} WHERE \"ocrAt\" > $1 ORDER BY \"ocrAt\"",
                    schema.job_status
                ),
                &[&from],
            )
        })?;
        for rows in rows.chunks(SLICE) {
            let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
            let last: Option<SystemTime> = rows.last().map(|row| row.get(1));
            let up_to = last.unwrap_or(since).max(since);
            self.pool().write(|work| {
                self.refresh(work, schema, &ids)?;
                work.execute("UPDATE viewfinder.immich_state SET read_up_to = $1", &[&up_to])?;
                Ok(())
            })?;
        }
        self.pulse().counted = Some(counted);
        Ok(())
    }

    /// Compares some more pictures in the order of their ids; returns how many rounds are complete.
    fn compare_slice(&self, work: &mut Work<'_>, schema: &Schema) -> Sql<i64> {
        let row = work.row("SELECT compared_up_to FROM viewfinder.immich_state FOR UPDATE", &[])?;
        let from = row.and_then(|row| row.get::<_, Option<Uuid>>(0)).unwrap_or(Uuid::nil());
        let asset = &schema.asset;
        let ids = work.rows(
            &format!("SELECT id FROM {asset} WHERE id > $1 ORDER BY id LIMIT $2"),
            &[&from, &at_most(SLICE)],
        )?;
        let up_to = ids.last().filter(|_| ids.len() == SLICE).map(|row| row.get::<_, Uuid>(0));
        let last = up_to.unwrap_or(Uuid::max());
        work.execute(
            &format!(
                "DELETE FROM viewfinder.immich_text AS t WHERE asset > $1 AND asset <= $2
                 AND NOT EXISTS (SELECT FROM {asset} AS a WHERE a.id = t.asset)"
            ),
            &[&from, &last],
        )?;
        let (status, read_again) = if schema.readings {
            (
                format!("LEFT JOIN {} AS s ON s.\"assetId\" = a.id", schema.job_status),
                "s.\"ocrAt\" IS NOT NULL AND t.read_at IS DISTINCT FROM s.\"ocrAt\" OR",
            )
        } else {
            (String::new(), "")
        };
        let rows = work.rows(
            &format!(
                "SELECT a.id FROM {asset} AS a {status}
                 LEFT JOIN viewfinder.immich_text AS t ON t.asset = a.id
                 WHERE a.id > $1 AND a.id <= $2
                     AND ({read_again} t.generation <> (SELECT generation FROM viewfinder.immich_state))"
            ),
            &[&from, &last],
        )?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        self.refresh(work, schema, &ids)?;
        work.one(
            "UPDATE viewfinder.immich_state SET compared_up_to = $1, laps = laps + ($1::uuid IS NULL)::int RETURNING laps",
            &[&up_to],
        )
    }

    /// Makes our rows of some pictures what Immich's are.
    fn refresh(&self, work: &mut Work<'_>, schema: &Schema, ids: &[Uuid]) -> Sql<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let theirs = if schema.readings { theirs(work, schema, ids)? } else { HashMap::new() };
        let rows = work.rows(
            "SELECT asset, texts, scores, corners, read_at,
                 generation = (SELECT generation FROM viewfinder.immich_state)
             FROM viewfinder.immich_text WHERE asset = ANY($1)",
            &[&ids],
        )?;
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
                    own.text.write(work, self.cutter(), *id, own.read_at)?;
                }
                continue;
            };
            let at = Some(their.at);
            // No line, and nothing was read since: all are being read anew. Until then, ours are good.
            let same = |own: &&Own| own.read_at == at && (their.lines == 0 || own.text == their.text);
            match own.filter(same) {
                Some(own) if own.current => {}
                Some(own) => own.text.write(work, self.cutter(), *id, at)?,
                None => their.text.write(work, self.cutter(), *id, at)?,
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

fn theirs(work: &mut Work<'_>, schema: &Schema, ids: &[Uuid]) -> Sql<HashMap<Uuid, Reading>> {
    let rows = work.rows(
        &format!(
            "SELECT \"assetId\", \"ocrAt\" FROM {} WHERE \"assetId\" = ANY($1) AND \"ocrAt\" IS NOT NULL",
            schema.job_status
        ),
        &[&ids],
    )?;
    let mut readings: HashMap<Uuid, Reading> = rows
        .iter()
        .map(|row| (row.get(0), Reading { at: row.get(1), text: OwnText::default(), lines: 0 }))
        .collect();
    let visible = if schema.ocr_visible { "\"isVisible\"" } else { "true" };
    // Immich keeps no order; this is the one of reading, more or less, and always the same.
    let rows = work.rows(
        &format!(
            "SELECT \"assetId\", text, \"textScore\", ARRAY[x1, y1, x2, y2, x3, y3, x4, y4], {visible}
             FROM public.asset_ocr WHERE \"assetId\" = ANY($1) ORDER BY y1, x1, id"
        ),
        &[&ids],
    )?;
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
