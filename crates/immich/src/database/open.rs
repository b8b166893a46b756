use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use viewfinder_catalog::{
    StoreError,
    postgres::{Pool, Tokenizer, require_config},
    search::Similarity,
    text::Segmenter,
};
use viewfinder_core::{Backend, ocr};

use crate::{
    database::{
        Error, ask::QueryEmbedder, follow::FollowerState, schema::Schema, settings::Settings, tables,
    },
    library::{Capabilities, WarningThrottle},
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
    tokenizer: Tokenizer,
    embedder: QueryEmbedder,
    schema: Mutex<Arc<Schema>>,
    looked: Mutex<Instant>,
    follower_state: Mutex<FollowerState>,
    similarity: Similarity,
    warnings: WarningThrottle,
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
        let tokenizer = Tokenizer { segmenter: config.segmenter, config: config.text_search_config };
        let embedder = QueryEmbedder::new(config.backend, config.ocr);
        let database = Self(Arc::new(Inner {
            pool,
            tokenizer,
            embedder,
            schema: Mutex::new(Arc::new(schema)),
            looked: Mutex::new(Instant::now()),
            follower_state: Mutex::default(),
            similarity: config.similarity,
            warnings: WarningThrottle::default(),
        }));
        database.prepare().await?;
        Ok(database)
    }

    /// Makes our own tables, or updates them.
    async fn prepare(&self) -> Result<(), Error> {
        let tokenizer = self.tokenizer();
        let tx = self.pool().write().await?;
        if let Some(config) = &tokenizer.config {
            require_config(&tx, config).await?;
        }
        tables::prepare(&tx).await?;
        tables::note_segmentation(&tx, &tokenizer.version()).await?;
        Ok(tx.commit().await?)
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.0.pool
    }

    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.0.tokenizer
    }

    pub(crate) fn embedder(&self) -> &QueryEmbedder {
        &self.0.embedder
    }

    pub(crate) fn similarity(&self) -> Similarity {
        self.0.similarity
    }

    pub(crate) fn warnings(&self) -> &WarningThrottle {
        &self.0.warnings
    }

    /// How following goes.
    pub(crate) fn follower_state(&self) -> MutexGuard<'_, FollowerState> {
        self.0.follower_state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How Immich's tables are called, as of the last look.
    pub(crate) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.0.schema.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What can be done with this Immich, and why not the rest; as of the last look at its tables. Returns at once.
    pub fn capabilities(&self) -> Capabilities {
        self.schema().capabilities.clone()
    }

    /// Looks at Immich's tables again: it may have been updated, or its vectors may have another width. If there are no
    /// pictures any more, or the database cannot be asked, what was known before stays.
    async fn refresh_schema(&self) -> Result<(), Error> {
        *self.looked() = Instant::now();
        let schema = probe(self.pool()).await?;
        *self.0.schema.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(schema);
        Ok(())
    }

    /// Looks again if that was not done for so long.
    pub(crate) async fn look_after(&self, pause: Duration) {
        if self.looked().elapsed() >= pause {
            // A database that is away has not changed; the next try tells.
            let _ = self.refresh_schema().await;
        }
    }

    /// A failed statement may mean that Immich was updated, or that somebody took our tables away.
    pub(crate) async fn look_after_failure(&self, error: &Error) {
        if matches!(error, Error::Store(StoreError::Internal(_))) && self.looked().elapsed() >= LOOK_PAUSE {
            // What cannot be read or made now is told by the next try.
            let _ = self.refresh_schema().await;
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
