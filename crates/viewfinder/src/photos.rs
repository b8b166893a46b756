//! The photo page of a server: the catalogue over HTTP, where there is one.
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
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
use crate::sentences::Sentences;
use crate::token;
use crate::wiring::{self, data_folder};

/// The small pictures' folder in the user's data folder.
const THUMBNAILS: &str = "thumbnails";

/// Opens the catalogue and starts what serves it; none without a catalogue. Whatever is wrong with it is logged: it must not
/// keep those from their answers who only want those of the engine. With the token that opens the page.
pub(crate) async fn start(
    loaded: &Loaded,
    engine: &Engine,
    backend: &Arc<dyn Backend>,
    stop: &CancellationToken,
) -> Option<(Arc<Photos>, String)> {
    let config = &loaded.config;
    let args = CatalogArgs::default();
    if !catalogue::exists(&args, config) {
        tracing::info!(
            "no catalogue of photos; `viewfinder index DIR` makes one, for /photos after the next start"
        );
        return None;
    }
    let opened = async {
        let catalogue = catalogue::open(&args, loaded, false).await?;
        let photos = catalogue.store.counts().await?.assets;
        Ok::<_, Failure>((catalogue, photos))
    };
    let Catalogue { store, segmenter } = match opened.await {
        Ok((catalogue, photos)) => {
            tracing::info!("{photos} photos in the catalogue");
            catalogue
        }
        Err(failure) => {
            tracing::error!(error = %failure, "the catalogue cannot be opened; serving without /photos");
            return None;
        }
    };
    let models = wiring::index_models(config, engine);
    let sentence_model = wiring::sentence_model(config).to_owned();
    let embedder = Sentences::new(backend, &sentence_model, &models.clip);
    let searcher =
        Searcher::new(Arc::clone(&store), segmenter, Some(Arc::new(embedder)), catalogue::similarity(config));
    let thumbnails =
        config.catalog.thumbnails.clone().or_else(|| data_folder().map(|data| data.join(THUMBNAILS)));
    let token = token::of_this_server();
    let key = Key::new(&token);
    let key =
        key.inspect_err(|error| tracing::error!(%error, "the token of the page of photos is unfit")).ok()?;
    let photos = Photos::start(PhotosConfig {
        store,
        searcher: Arc::new(searcher),
        backend: Arc::clone(backend),
        models,
        sentence_model,
        kinds: config.index.kinds.iter().map(|kind| (*kind).into()).collect(),
        same_person: config.faces.same_person,
        pictures: Arc::new(wiring::files(config, Tools::find())),
        storage: StorageLimits::default(),
        limits: wiring::limits(config),
        thumbnails,
        thumbnail_bytes: config.catalog.thumbnail_bytes,
        access: match config.web.open_to {
            OpenTo::Token => Access::Token(key),
            OpenTo::Loopback => Access::Loopback(key),
        },
        stop: stop.clone(),
    });
    Some((photos, token))
}
