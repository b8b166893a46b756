//! The database as a companion asks it.
use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::Value;
use uuid::Uuid;
use viewfinder_index::Stop;

use crate::{
    database::{Database, DatabaseConfig, Error, Follower, MediaFolder},
    library::{
        AsCaller, Caller, Capabilities, Library, LibraryError, Page, RerunKind, SearchRequest, SearchRoute,
    },
};

/// Between two tries to open a database.
const PAUSE: Duration = Duration::from_secs(10);

/// A library that is opened in the background: the database may start later than this program, and Immich makes its tables
/// later still.
pub struct DatabaseLibrary {
    opened: Arc<OnceLock<(Database, Option<Follower>)>>,
    media: Option<MediaFolder>,
}

impl DatabaseLibrary {
    /// Opens the database, now or as soon as that is possible, and follows its changes from then on.
    ///
    /// With its folder of media, previews are read from there, and text is read that Immich does not read itself, until asked to stop.
    pub fn start(config: DatabaseConfig, media: Option<MediaFolder>, stop: Stop) -> std::io::Result<Self> {
        let opened = Arc::new(OnceLock::new());
        let library = Self { opened: Arc::clone(&opened), media: media.clone() };
        std::thread::Builder::new().name("immich-open".into()).spawn(move || {
            let database = open(&config, &opened);
            if let Some(media) = media {
                read(&database, &media, &stop);
            }
        })?;
        Ok(library)
    }

    fn database(&self) -> Result<&Database, LibraryError> {
        self.opened.get().map(|(database, _)| database).ok_or_else(|| LibraryError::Failed {
            code: "database_away",
            message: "Immich's database is not open yet".to_owned(),
        })
    }
}

fn open(config: &DatabaseConfig, opened: &OnceLock<(Database, Option<Follower>)>) -> Database {
    let mut told = BTreeSet::new();
    let database = loop {
        match Database::open(config.clone()) {
            Ok(database) => break database,
            Err(error) => {
                let error = error.to_string();
                if told.insert(error.clone()) {
                    tracing::warn!(error, "Immich's database cannot be used; it is tried again");
                }
            }
        }
        std::thread::sleep(PAUSE);
    };
    tracing::info!("Immich's database is open: its text is searched here");
    let follower = database.start_following();
    if let Err(error) = &follower {
        tracing::error!(%error, "changes of Immich's library are not followed");
    }
    // Nobody else sets it.
    let _ = opened.set((database.clone(), follower.ok()));
    database
}

/// Reads what Immich leaves unread, and looks again and again whether there is more.
fn read(database: &Database, media: &MediaFolder, stop: &Stop) {
    let mut failed = HashSet::new();
    let mut told = None;
    let preview = |id| database.preview_in(media, id);
    while !stop.asked() {
        let read = database.reads_text().and_then(|ours| {
            if ours { database.read_missing(&preview, &mut failed, || !stop.asked()) } else { Ok(0) }
        });
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
        std::thread::sleep(PAUSE);
    }
}

impl Library for DatabaseLibrary {
    fn search(
        &self,
        caller: &Caller,
        route: SearchRoute,
        body: &Value,
        _: &dyn AsCaller,
    ) -> Result<Page, LibraryError> {
        let request = SearchRequest::parse(route, body)?;
        self.database()?.search(caller, &request).map_err(|error| match error {
            // Immich answers such searches itself.
            Error::Missing { reason, .. } => LibraryError::NotUnderstood(reason),
            other => other.into(),
        })
    }

    fn require_own(&self, caller: &Caller, assets: &[Uuid]) -> Result<(), LibraryError> {
        Ok(self.database()?.require_own(caller, assets)?)
    }

    fn rerun(
        &self,
        caller: &Caller,
        kind: RerunKind,
        assets: &[Uuid],
        immich: &dyn AsCaller,
    ) -> Result<(), LibraryError> {
        let database = self.database()?;
        let preview = |asset| match &self.media {
            Some(media) => database.preview_in(media, asset),
            None => Ok(immich.preview(asset)?),
        };
        Ok(database.rerun(caller, kind, assets, &preview)?)
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
