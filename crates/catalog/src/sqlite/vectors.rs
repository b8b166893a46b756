//! The vectors nearest to another: a quick scan in memory, then exact products with what the file says.
//!
//! Memory is filled when first asked, follows the file's `sequence`, and is given back after a while without questions.
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak},
    time::{Duration, Instant},
};

use rusqlite::{Connection, params};

use super::matrix::{IdSet, Matrix};
use crate::bytes::{dot, from_bytes};

/// Rows compared exactly beyond those asked for. Rounding to bytes moves cosines of 512 numbers by 0.001 or so: few rows lie so close
/// to the last one wanted.
const SPARE: usize = 64;
/// Up to this many allowed rows are read from the file without a scan.
const FEW: usize = 1000;
/// How long memory is kept without a question.
const IDLE: Duration = Duration::from_secs(600);

/// Which vectors.
#[derive(Clone, Copy)]
pub(super) enum Rows {
    /// One for each asset, by its number.
    Pictures,
    /// Faces that belong to somebody, by the face's number.
    KnownFaces,
}

impl Rows {
    /// Number and vector of all rows of a model after a place in the sequence.
    fn newer(self) -> &'static str {
        match self {
            Self::Pictures => "SELECT id, vector FROM embedding WHERE model = ? AND sequence > ?",
            Self::KnownFaces => {
                "SELECT id, vector FROM face WHERE person IS NOT NULL AND model = ? AND sequence > ?"
            }
        }
    }

    /// Numbers of all rows of a model.
    fn live(self) -> &'static str {
        match self {
            Self::Pictures => "SELECT id FROM embedding WHERE model = ?",
            Self::KnownFaces => "SELECT id FROM face WHERE person IS NOT NULL AND model = ?",
        }
    }

    fn one(self) -> &'static str {
        match self {
            Self::Pictures => "SELECT vector FROM embedding WHERE id = ? AND model = ?",
            Self::KnownFaces => "SELECT vector FROM face WHERE id = ? AND model = ? AND person IS NOT NULL",
        }
    }

    /// Where the sequence is, and how often rows went away.
    fn position(self) -> &'static str {
        match self {
            Self::Pictures => "SELECT sequence, pictures_gone FROM state",
            Self::KnownFaces => "SELECT sequence, faces_gone FROM state",
        }
    }
}

/// Vectors of the model last asked for.
pub(super) struct Vectors {
    rows: Rows,
    loaded: RwLock<Option<Loaded>>,
    last_use: Mutex<Instant>,
}

struct Loaded {
    model: String,
    sequence: i64,
    gone: i64,
    matrix: Matrix,
}

impl Vectors {
    pub(super) fn new(rows: Rows) -> Arc<Self> {
        Arc::new(Self { rows, loaded: RwLock::new(None), last_use: Mutex::new(Instant::now()) })
    }

    /// Numbers and cosines of the rows of `model` nearest to `query`, best first; among those `allowed`, if given.
    pub(super) fn nearest(
        self: &Arc<Self>,
        db: &Connection,
        model: &str,
        query: &[f32],
        allowed: Option<&[i64]>,
        limit: usize,
    ) -> rusqlite::Result<Vec<(i64, f32)>> {
        let candidates = match allowed {
            Some(ids) if ids.len() <= FEW => ids.to_vec(),
            _ => self.scan(db, model, query, allowed, limit.saturating_add(SPARE))?,
        };
        let mut one = db.prepare_cached(self.rows.one())?;
        let mut nearest = Vec::with_capacity(candidates.len());
        for id in candidates {
            let mut rows = one.query(params![id, model])?;
            let Some(row) = rows.next()? else { continue };
            let vector = row.get_ref(0)?.as_blob()?;
            if vector.len() == size_of_val(query) {
                nearest.push((id, dot(vector, query)));
            }
        }
        nearest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        nearest.truncate(limit);
        Ok(nearest)
    }

    fn scan(
        self: &Arc<Self>,
        db: &Connection,
        model: &str,
        query: &[f32],
        allowed: Option<&[i64]>,
        count: usize,
    ) -> rusqlite::Result<Vec<i64>> {
        *self.last_use() = Instant::now();
        let allowed = allowed.map(IdSet::new);
        let (sequence, gone) =
            db.prepare_cached(self.rows.position())?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        {
            let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(loaded) = loaded.as_ref().filter(|loaded| loaded.fits(model, query.len()))
                && loaded.sequence >= sequence
                && loaded.gone >= gone
            {
                return Ok(loaded.matrix.best(query, count, allowed.as_ref()));
            }
        }
        let mut slot = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        // Taken out while it changes, so that an error leaves nothing half done.
        let before = slot.take().filter(|loaded| loaded.fits(model, query.len()));
        let is_new = before.is_none();
        let mut loaded = before.unwrap_or_else(|| Loaded {
            model: model.to_owned(),
            sequence: 0,
            gone,
            matrix: Matrix::new(query.len()),
        });
        loaded.follow(db, self.rows, sequence, gone)?;
        let best = loaded.matrix.best(query, count, allowed.as_ref());
        *slot = Some(loaded);
        drop(slot);
        if is_new {
            self.drop_when_idle();
        }
        Ok(best)
    }

    fn last_use(&self) -> MutexGuard<'_, Instant> {
        self.last_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread that waits until nobody asks any more, and gives the memory back.
    fn drop_when_idle(self: &Arc<Self>) {
        let vectors: Weak<Self> = Arc::downgrade(self);
        let wait = move || {
            let mut left = IDLE;
            while !left.is_zero() {
                std::thread::sleep(left);
                let Some(vectors) = vectors.upgrade() else { return };
                left = IDLE.saturating_sub(vectors.last_use().elapsed());
                if left.is_zero() {
                    vectors.loaded.write().unwrap_or_else(PoisonError::into_inner).take();
                }
            }
        };
        // Without a thread the memory is kept, and nothing else is lost.
        let _ = std::thread::Builder::new().name("catalogue-idle".to_owned()).spawn(wait);
    }
}

impl Loaded {
    fn fits(&self, model: &str, width: usize) -> bool {
        self.model == model && self.matrix.width() == width
    }

    /// Takes in what the file has gained and lost. A reader may see an older state of the file than another one did before: then there is
    /// more in memory than it may see, which the exact products leave out.
    fn follow(&mut self, db: &Connection, rows: Rows, sequence: i64, gone: i64) -> rusqlite::Result<()> {
        if self.gone < gone {
            let live: HashSet<i64> = db
                .prepare_cached(rows.live())?
                .query_map([&self.model], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            self.matrix.retain(&live);
            self.gone = gone;
        }
        let mut newer = db.prepare_cached(rows.newer())?;
        let mut rows = newer.query(params![self.model, self.sequence])?;
        while let Some(row) = rows.next()? {
            self.matrix.put(row.get(0)?, &from_bytes(row.get_ref(1)?.as_blob()?));
        }
        self.sequence = self.sequence.max(sequence);
        Ok(())
    }
}
