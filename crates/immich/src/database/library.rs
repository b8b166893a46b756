//! The database as a companion asks it.
use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    database::{Database, DatabaseConfig, Error, Follower, MediaFolder, MediaPreviews, NoPreview, Previews},
    library::{
        Caller, Capabilities, ImmichAsCaller, Library, LibraryError, Page, RerunKind, SearchRequest,
        SearchRoute,
    },
};

/// Between two tries to open a database.
const PAUSE: Duration = Duration::from_secs(10);

/// A library that is opened in the background: the database may start later than this program, and Immich makes its tables
/// later still.
pub struct DatabaseLibrary {
    opened: Arc<OnceLock<(Database, Follower)>>,
    media: Option<MediaFolder>,
}

impl DatabaseLibrary {
    /// Opens the database, now or as soon as that is possible, and follows its changes from then on. Within a Tokio runtime.
    ///
    /// With its folder of media, previews are read from there, and text is read that Immich does not read itself, until asked to stop.
    pub fn start(config: DatabaseConfig, media: Option<MediaFolder>, stop: CancellationToken) -> Self {
        let opened = Arc::new(OnceLock::new());
        let library = Self { opened: Arc::clone(&opened), media: media.clone() };
        tokio::spawn(async move {
            let Some(database) = open(&config, &stop).await else { return };
            tracing::info!("Immich's database is open: its text is searched here");
            // Nobody else sets it.
            let _ = opened.set((database.clone(), database.start_following()));
            if let Some(media) = media {
                read(&database, &media, &stop).await;
            }
        });
        library
    }

    fn database(&self) -> Result<&Database, LibraryError> {
        self.opened.get().map(|(database, _)| database).ok_or_else(|| LibraryError::Failed {
            code: "database_away",
            message: "Immich's database is not open yet".to_owned(),
        })
    }
}

/// Tries until it works, or the program stops.
async fn open(config: &DatabaseConfig, stop: &CancellationToken) -> Option<Database> {
    let mut told = BTreeSet::new();
    while !stop.is_cancelled() {
        match Database::open(config.clone()).await {
            Ok(database) => return Some(database),
            Err(error) => {
                let error = error.to_string();
                if told.insert(error.clone()) {
                    tracing::warn!(error, "Immich's database cannot be used; it is tried again");
                }
            }
        }
        stop.run_until_cancelled(sleep(PAUSE)).await;
    }
    None
}

/// Reads what Immich leaves unread, and looks again and again whether there is more.
async fn read(database: &Database, media: &MediaFolder, stop: &CancellationToken) {
    let mut failed = HashSet::new();
    let mut told = None;
    while !stop.is_cancelled() {
        let read = read_once(database, media, &mut failed, stop).await;
        let trouble = read.as_ref().err().map(ToString::to_string);
        match (read, &trouble) {
            (Ok(pictures @ 1..), _) => tracing::info!(pictures, "read pictures that Immich does not read"),
            (_, Some(error)) if told != trouble => {
                tracing::warn!(
                    error,
                    "pictures that Immich does not read cannot be read now; it is tried again"
                );
            }
            _ => {}
        }
        told = trouble;
        stop.run_until_cancelled(sleep(PAUSE)).await;
    }
}

async fn read_once(
    database: &Database,
    media: &MediaFolder,
    failed: &mut HashSet<Uuid>,
    stop: &CancellationToken,
) -> Result<u64, Error> {
    if !database.reads_text().await? {
        return Ok(0);
    }
    database.read_missing(&MediaPreviews { database, media }, failed, || !stop.is_cancelled()).await
}

/// Previews that Immich gives to the caller.
struct AsCallers<'a>(&'a dyn ImmichAsCaller);

#[async_trait]
impl Previews for AsCallers<'_> {
    async fn preview(&self, asset: Uuid) -> Result<Bytes, NoPreview> {
        Ok(self.0.preview(asset).await?)
    }
}

#[async_trait]
impl Library for DatabaseLibrary {
    async fn search(
        &self,
        caller: &Caller,
        route: SearchRoute,
        body: &Value,
        _: &dyn ImmichAsCaller,
    ) -> Result<Page, LibraryError> {
        let request = SearchRequest::parse(route, body)?;
        self.database()?.search(caller, &request).await.map_err(|error| match error {
            // Immich answers such searches itself.
            Error::Missing { reason, .. } => LibraryError::Unsupported(reason),
            other => other.into(),
        })
    }

    async fn require_own(&self, caller: &Caller, assets: &[Uuid]) -> Result<(), LibraryError> {
        Ok(self.database()?.require_own(caller, assets).await?)
    }

    async fn rerun(
        &self,
        caller: &Caller,
        kind: RerunKind,
        assets: &[Uuid],
        immich: &dyn ImmichAsCaller,
    ) -> Result<(), LibraryError> {
        let database = self.database()?;
        let done = match &self.media {
            Some(media) => database.rerun(caller, kind, assets, &MediaPreviews { database, media }).await,
            None => database.rerun(caller, kind, assets, &AsCallers(immich)).await,
        };
        Ok(done?)
    }

    fn capabilities(&self) -> Capabilities {
        match self.database() {
            Ok(database) => database.capabilities(),
            Err(error) => Capabilities::none(&error.to_string()),
        }
    }

    fn has_text(&self) -> bool {
        self.database().is_ok_and(Database::has_text)
    }

    fn reruns_as_caller(&self) -> bool {
        self.media.is_none()
    }
}
