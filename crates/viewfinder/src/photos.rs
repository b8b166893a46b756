//! The photo page of a server: the catalogue over HTTP, also where it comes later.
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use viewfinder_catalog::StoreError;
use viewfinder_catalog::search::Searcher;
use viewfinder_core::Backend;
use viewfinder_engine::Engine;
use viewfinder_index::Tools;
use viewfinder_server::Key;
use viewfinder_web::{Access, Photos, PhotosConfig, StorageLimits};

use crate::catalogue::{self, Catalogue};
use crate::cli::CatalogArgs;
use crate::config::{Loaded, OpenTo};
use crate::failure::Failure;
use crate::page_keys::PageKeys;
use crate::sentences::Sentences;
use crate::token;
use crate::wiring::{self, data_folder};

/// The small pictures' folder in the user's data folder.
const THUMBNAILS: &str = "thumbnails";

/// The page and what opens it.
pub(crate) struct Page {
    pub(crate) catalogue: Arc<viewfinder_web::Catalogue>,
    pub(crate) access: Access,
    /// What the owner shows.
    pub(crate) token: String,
}

/// What a catalogue is opened with, whenever it comes.
#[derive(Clone)]
pub(crate) struct Opener {
    pub(crate) args: Arc<CatalogArgs>,
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) engine: Engine,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) stop: CancellationToken,
}

/// How often a catalogue that is not there is looked for, and one that cannot be opened is tried again.
const LOOK: Duration = Duration::from_secs(1);
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// The page, over the catalogue that is there or will be. Whatever is wrong with it is logged and told on the page: it must not keep
/// those from their answers who only want those of the engine. None where no token can be had.
pub(crate) async fn start(opener: Opener) -> Option<Page> {
    let config = &opener.loaded.config;
    let token = token::of_this_server();
    let key = Key::new(&token);
    let key =
        key.inspect_err(|error| tracing::error!(%error, "the token of the page of photos is unfit")).ok()?;
    let access = Access {
        keys: PageKeys::of_this_user().map_or_else(|_| Access::token(key.clone()).keys, PageKeys::teller),
        token: key,
        loopback: config.web.open_to == OpenTo::Loopback,
    };
    let command = catalogue::index_command(&opener.args, &opener.loaded);
    let catalogue = Arc::new(viewfinder_web::Catalogue::absent(command.clone()));
    let pause = if catalogue::exists(&opener.args, config) {
        opener.attempt(&catalogue, true, &mut String::new()).await
    } else {
        tracing::info!("no catalogue of photos yet; `{command} FOLDER` makes one, and /photos shows it");
        Some(LOOK)
    };
    if let Some(pause) = pause {
        tokio::spawn(opener.wait(Arc::clone(&catalogue), pause));
    }
    Some(Page { catalogue, access, token })
}

impl Opener {
    /// Opens the catalogue as soon as it can be.
    async fn wait(self, catalogue: Arc<viewfinder_web::Catalogue>, mut pause: Duration) {
        let mut told = String::new();
        while self.stop.run_until_cancelled(sleep(pause)).await.is_some() {
            if !catalogue::exists(&self.args, &self.loaded.config) {
                pause = LOOK;
                continue;
            }
            // Whoever has just made it is at work on it, and two would do everything twice.
            match self.attempt(&catalogue, false, &mut told).await {
                None => return,
                Some(next) => pause = next,
            }
        }
    }

    /// Opens the catalogue, or tells why not, once, and when to try again.
    async fn attempt(
        &self,
        catalogue: &viewfinder_web::Catalogue,
        take_up: bool,
        told: &mut String,
    ) -> Option<Duration> {
        let opened = async {
            let opened = catalogue::open(&self.args, &self.loaded, false).await?;
            let photos = opened.store.counts().await?.assets;
            Ok::<_, Failure>((opened, photos))
        };
        match opened.await {
            Ok((opened, photos)) => {
                tracing::info!("{photos} photos in the catalogue");
                catalogue.open(self.photos(opened, take_up));
                None
            }
            Err(failure) => {
                let why = failure.to_string();
                if *told != why {
                    tracing::error!(error = why, "the catalogue cannot be opened; it is tried again");
                    *told = why;
                }
                catalogue.fail(store_error(failure));
                Some(TRY_AGAIN)
            }
        }
    }

    fn photos(&self, Catalogue { store, segmenter }: Catalogue, take_up: bool) -> Arc<Photos> {
        let config = &self.loaded.config;
        let models = wiring::index_models(config, &self.engine);
        let sentence_model = wiring::sentence_model(config).to_owned();
        let embedder = Sentences::new(&self.backend, &sentence_model, &models.clip);
        let searcher = Searcher::new(
            Arc::clone(&store),
            segmenter,
            Some(Arc::new(embedder)),
            catalogue::similarity(config),
        );
        let thumbnails =
            config.catalog.thumbnails.clone().or_else(|| data_folder().map(|data| data.join(THUMBNAILS)));
        Photos::start(PhotosConfig {
            store,
            searcher: Arc::new(searcher),
            backend: Arc::clone(&self.backend),
            models,
            sentence_model,
            kinds: config.index.kinds.iter().map(|kind| (*kind).into()).collect(),
            same_person: config.faces.same_person,
            pictures: Arc::new(wiring::files(config, Tools::find())),
            storage: StorageLimits::default(),
            limits: wiring::limits(config),
            thumbnails,
            thumbnail_bytes: config.catalog.thumbnail_bytes,
            take_up,
            stop: self.stop.clone(),
        })
    }
}

/// As the page tells it. What is no error of the store is one of the configuration, which only the owner can mend.
fn store_error(failure: Failure) -> StoreError {
    let (Failure::Usage(error) | Failure::Environment(error) | Failure::Other(error)) = failure;
    error.downcast().unwrap_or_else(|error| StoreError::Unusable(format!("{error:#}")))
}
