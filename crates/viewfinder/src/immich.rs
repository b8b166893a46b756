//! An Immich's library as its companion asks it.
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;
use viewfinder_companion::{AsCaller, Caller, Capabilities, LibraryError, Page, RerunKind, SearchRoute};
use viewfinder_core::ErrorScope;
use viewfinder_immich::{Error, Follower, Library, LibraryConfig, MediaFolder, SearchRequest};
use viewfinder_index::Stop;

/// Between two tries to open a database.
const PAUSE: Duration = Duration::from_secs(10);

/// A library that is opened in the background: the database may start later than this program, and Immich makes its tables
/// later still.
pub(crate) struct Immich {
    opened: Arc<OnceLock<(Library, Option<Follower>)>>,
    media: Option<MediaFolder>,
}

impl Immich {
    /// Opens the database, now or as soon as that is possible, and follows its changes from then on.
    ///
    /// With its folder of media, previews are read from there, and text is read that Immich does not read itself, until asked to stop.
    pub(crate) fn start(
        config: LibraryConfig,
        media: Option<MediaFolder>,
        stop: Stop,
    ) -> std::io::Result<Self> {
        let opened = Arc::new(OnceLock::new());
        let immich = Self { opened: Arc::clone(&opened), media: media.clone() };
        std::thread::Builder::new().name("immich-open".into()).spawn(move || {
            let library = open(&config, &opened);
            if let Some(media) = media {
                read(&library, &media, &stop);
            }
        })?;
        Ok(immich)
    }

    fn library(&self) -> Result<&Library, LibraryError> {
        self.opened.get().map(|(library, _)| library).ok_or_else(|| LibraryError::Failed {
            code: "database_away",
            message: "Immich's database is not open yet".to_owned(),
        })
    }
}

fn open(config: &LibraryConfig, opened: &OnceLock<(Library, Option<Follower>)>) -> Library {
    let mut told = BTreeSet::new();
    let library = loop {
        match Library::open(config.clone()) {
            Ok(library) => break library,
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
    let follower = library.start_following();
    if let Err(error) = &follower {
        tracing::error!(%error, "changes of Immich's library are not followed");
    }
    // Nobody else sets it.
    let _ = opened.set((library.clone(), follower.ok()));
    library
}

/// Reads what Immich leaves unread, and looks again and again whether there is more.
fn read(library: &Library, media: &MediaFolder, stop: &Stop) {
    let mut failed = HashSet::new();
    let mut told = None;
    let preview = |id| library.preview_in(media, id);
    while !stop.asked() {
        let read = library.reads_text().and_then(|ours| {
            if ours { library.read_missing(&preview, &mut failed, || !stop.asked()) } else { Ok(0) }
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

impl viewfinder_companion::Library for Immich {
    fn search(
        &self,
        caller: &Caller,
        route: SearchRoute,
        body: &Value,
        _: &dyn AsCaller,
    ) -> Result<Page, LibraryError> {
        let request =
            SearchRequest::parse(route, body).map_err(|why| LibraryError::NotUnderstood(why.to_string()))?;
        self.library()?.search(caller, &request).map_err(|error| match error {
            // Immich answers such searches itself.
            Error::Missing { reason, .. } => LibraryError::NotUnderstood(reason),
            other => ours(other),
        })
    }

    fn require_own(&self, caller: &Caller, assets: &[Uuid]) -> Result<(), LibraryError> {
        self.library()?.require_own(caller, assets).map_err(ours)
    }

    fn rerun(
        &self,
        caller: &Caller,
        kind: RerunKind,
        assets: &[Uuid],
        immich: &dyn AsCaller,
    ) -> Result<(), LibraryError> {
        let library = self.library()?;
        let preview = |asset| match &self.media {
            Some(media) => library.preview_in(media, asset),
            None => Ok(immich.preview(asset)?),
        };
        library.rerun(caller, kind, assets, &preview).map_err(ours)
    }

    fn capabilities(&self) -> Capabilities {
        match self.library() {
            Ok(library) => library.capabilities(),
            Err(error) => Capabilities::none(&error.to_string()),
        }
    }

    fn has_text(&self) -> bool {
        self.library().is_ok_and(Library::has_text)
    }

    fn reruns_as_caller(&self) -> bool {
        self.media.is_none()
    }
}

fn ours(error: Error) -> LibraryError {
    match error {
        // Search by meaning is off in Immich, too, which says so better.
        Error::NotUnderstood(_) | Error::NotElevated | Error::NoMeaning(_) => {
            LibraryError::NotUnderstood(error.to_string())
        }
        Error::NothingFound => LibraryError::NothingFound,
        Error::NotYours(_) => LibraryError::NotYours,
        Error::Preview { .. } => LibraryError::Picture { code: error.code(), message: error.to_string() },
        Error::Engine(engine) if is_of_one(engine.code.scope()) => {
            LibraryError::Picture { code: engine.code.as_str(), message: engine.message }
        }
        other => LibraryError::Failed { code: other.code(), message: other.to_string() },
    }
}

/// May others go well?
fn is_of_one(scope: ErrorScope) -> bool {
    matches!(scope, ErrorScope::Picture | ErrorScope::Attempt | ErrorScope::Answer)
}
