use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use viewfinder_catalog::{
    StoreError,
    postgres::{Cutter, Pool, require_config},
    search::Similarity,
    text::Segmenter,
};
use viewfinder_core::{Backend, ocr};

use crate::{
    database::{Error, ask::Asker, follow::Pulse, schema::Schema, settings::Settings, tables},
    library::{Capabilities, Complaints},
};

/// A statement that failed makes us look at the tables at once, but no more often than this.
const LOOK_PAUSE: Duration = Duration::from_secs(2);

/// Where Immich's database is, and who helps.
#[derive(Clone)]
pub struct DatabaseConfig {
    /// `postgresql://user:password@host:port/database`.
    pub database_url: String,
    /// A text search configuration of the database, such as `english` or `chinese` of zhparser, whose words are found beside those of
    /// this program's segmenter.
    pub text_search_config: Option<String>,
    /// Cuts texts and queries.
    pub segmenter: Arc<Segmenter>,
    /// Answers what Immich would ask its machine-learning server. It is asked for the models that Immich is set to.
    pub backend: Arc<dyn Backend>,
    /// How text is read, but for model and thresholds, which Immich's settings say.
    pub ocr: ocr::Options,
    /// What counts as similar to words.
    pub similarity: Similarity,
}

/// An Immich's database. Copies share everything.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    pool: Pool,
    cutter: Cutter,
    asker: Asker,
    schema: Mutex<Arc<Schema>>,
    looked: Mutex<Instant>,
    pulse: Mutex<Pulse>,
    similarity: Similarity,
    complaints: Complaints,
}

/// What could be done with an Immich whose database is here, and why not the rest. Nothing is made in it.
///
/// # Errors
/// As those of [`Database::open`].
pub async fn look(database_url: &str) -> Result<Capabilities, Error> {
    Ok(probe(&Pool::new(database_url)?).await?.capabilities)
}

/// Looks at Immich's tables.
async fn probe(pool: &Pool) -> Result<Schema, Error> {
    let tx = pool.read().await?;
    let schema = Schema::probe(&tx).await?;
    tx.commit().await?;
    schema.ok_or_else(no_assets)
}

impl Database {
    /// Opens an Immich's database, makes or updates our own tables in it, and looks at how Immich's are called.
    ///
    /// # Errors
    /// [`Error::UnknownSchema`] for a database without pictures of an Immich; [`Error::Store`] if it cannot be used. What else is missing only
    /// takes away [capabilities](Self::capabilities).
    pub async fn open(config: DatabaseConfig) -> Result<Self, Error> {
        let pool = Pool::new(&config.database_url)?;
        let schema = probe(&pool).await?;
        let cutter = Cutter { segmenter: config.segmenter, config: config.text_search_config };
        let asker = Asker { backend: config.backend, ocr: config.ocr, sentences: Mutex::default() };
        let database = Self(Arc::new(Inner {
            pool,
            cutter,
            asker,
            schema: Mutex::new(Arc::new(schema)),
            looked: Mutex::new(Instant::now()),
            pulse: Mutex::default(),
            similarity: config.similarity,
            complaints: Complaints::default(),
        }));
        database.prepare().await?;
        Ok(database)
    }

    /// Makes our own tables, or updates them.
    async fn prepare(&self) -> Result<(), Error> {
        let cutter = self.cutter();
        let tx = self.pool().write().await?;
        if let Some(config) = &cutter.config {
            require_config(&tx, config).await?;
        }
        tables::prepare(&tx).await?;
        tables::note_segmentation(&tx, &cutter.version()).await?;
        Ok(tx.commit().await?)
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.0.pool
    }

    pub(crate) fn cutter(&self) -> &Cutter {
        &self.0.cutter
    }

    pub(crate) fn asker(&self) -> &Asker {
        &self.0.asker
    }

    pub(crate) fn similarity(&self) -> Similarity {
        self.0.similarity
    }

    pub(crate) fn complaints(&self) -> &Complaints {
        &self.0.complaints
    }

    /// How following goes.
    pub(crate) fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.0.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How Immich's tables are called, as of the last look.
    pub(crate) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.0.schema.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What can be done with this Immich, and why not the rest; as of the last look at its tables. Returns at once.
    pub fn capabilities(&self) -> Capabilities {
        self.schema().capabilities.clone()
    }

    /// Looks at Immich's tables again: it may have been updated, or its vectors may have another width. If there are no pictures any more, or the database cannot be asked, what was known before stays.
    async fn look_again(&self) -> Result<(), Error> {
        *self.looked() = Instant::now();
        let schema = probe(self.pool()).await?;
        *self.0.schema.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(schema);
        Ok(())
    }

    /// Looks again if that was not done for so long.
    pub(crate) async fn look_after(&self, pause: Duration) {
        if self.looked().elapsed() >= pause {
            // A database that is away has not changed; the next try tells.
            let _ = self.look_again().await;
        }
    }

    /// A failed statement may mean that Immich was updated, or that somebody took our tables away.
    pub(crate) async fn look_after_failure(&self, error: &Error) {
        if matches!(error, Error::Store(StoreError::Internal(_))) && self.looked().elapsed() >= LOOK_PAUSE {
            // What cannot be read or made now is told by the next try.
            let _ = self.look_again().await;
            let _ = self.prepare().await;
        }
    }

    fn looked(&self) -> MutexGuard<'_, Instant> {
        self.0.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers in a vector of the database, and the model that Immich is set to.
    pub(crate) fn vectors(schema: &Schema, settings: &Settings) -> Result<(usize, String), Error> {
        let vectors = schema.vectors.as_ref();
        let vectors =
            vectors.ok_or_else(|| Error::NoMeaning("the database has no vectors of a known kind".into()))?;
        let model = settings.clip.clone();
        let model = model.ok_or_else(|| Error::NoMeaning("Immich's smart search is switched off".into()))?;
        Ok((vectors.width, model))
    }
}

fn no_assets() -> Error {
    Error::UnknownSchema("there is no table asset".into())
}
