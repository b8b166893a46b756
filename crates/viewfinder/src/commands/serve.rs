//! The server: from the configuration to the first answer, and from the first signal to the end.
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;
use viewfinder_core::{Backend, ErrorCode};
use viewfinder_engine::Engine;
use viewfinder_index::{DecodingBackend, Tools};
use viewfinder_models::{ModelEntry, Role};
use viewfinder_server::{Limits, Models, Profiles, Server, ServerConfig, ledger::LedgerConfig};

use crate::cli::ServeArgs;
use crate::companion::Listening;
use crate::config::{Config, Loaded, Preload};
use crate::failure::{Failure, Outcome};
use crate::photos::{self, Opener, Page};
use crate::{catalogue, descriptors, greeting, heap, listen, routing, signals, wiring};

/// How long running work may take to end after the first signal.
const PATIENCE: Duration = Duration::from_secs(10);

/// A form around a picture: its boundaries, headers and text fields.
const FORM_BYTES: usize = 1 << 20;

/// Serves until a signal ends it.
pub(crate) fn run(args: &ServeArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let runtime = threads("gateway")?;
    // Of its own: whoever keeps one of the two servers busy keeps nobody from the other.
    let companion = loaded.config.companion.immich_url.as_ref().map(|_| threads("companion")).transpose()?;
    let result = runtime.block_on(serve(args, loaded, companion.as_ref().map(Runtime::handle)));
    // A download that is under way is left behind; the store continues it next time.
    runtime.shutdown_background();
    if let Some(companion) = companion {
        companion.shutdown_background();
    }
    result?;
    viewfinder_engine::runtime::leave(0)
}

/// Threads that answer requests, with as many more as wait for disks and databases.
fn threads(name: &str) -> Result<Runtime, Failure> {
    let runtime = Builder::new_multi_thread().worker_threads(2).thread_name(name).enable_all().build();
    Ok(runtime.context("cannot start threads")?)
}

async fn serve(args: &ServeArgs, loaded: &Loaded, companion_threads: Option<&Handle>) -> Result<(), Failure> {
    let config = &loaded.config;
    // What is counted before it is there is lost.
    viewfinder_server::install_metrics();
    let stop = signals::first()?;
    let plan = descriptors::Plan::of(config)?;
    if let Some(shortage) = plan.shortage() {
        tracing::warn!("{shortage}; {}", descriptors::ADVICE);
    }
    let connections = plan.connections();
    let engine = Engine::new(wiring::serving_engine_config(loaded)?)?;
    wiring::check_sentence_model(config, engine.store())?;
    let backend = decoding(config, routing::backend(config, &engine)?);
    let mut server = Server::bind(server_config(config, connections.served)?, Arc::clone(&backend))
        .await
        .map_err(|error| Failure::Environment(error.into()))?;
    // A mistake on the command line is told before anything is served.
    catalogue::check(&args.catalog, config)?;
    let opener = Opener {
        args: Arc::new(args.catalog.clone()),
        loaded: Arc::new(loaded.clone()),
        engine: engine.clone(),
        backend: Arc::clone(&backend),
        stop: stop.clone(),
    };
    let page = photos::start(opener).await;
    let token = page.as_ref().map(|page| page.token.clone());
    if let Some(Page { catalogue, access, .. }) = page {
        server = server.with(viewfinder_web::router(catalogue, access), viewfinder_web::open_paths());
    }
    let companion = match companion_threads {
        Some(threads) => {
            let listening =
                Listening::bind(config, &engine, &backend, &stop, connections.companion, PATIENCE);
            block_in_place(|| threads.block_on(listening))?.map(|companion| (threads, companion))
        }
        None => None,
    };
    if let Some((_, companion)) = &companion {
        server = server.with_health("companion", companion.health());
    }
    tell(loaded, &engine, &server);
    if let Some(token) = token {
        let addresses: Vec<_> = server.listening().collect();
        greeting::tell(&addresses, &token);
    }

    let companion = companion.map(|(threads, companion)| threads.spawn(companion.run(stop.clone())));
    tokio::spawn(heap::watch());
    let (fatal, mut failed) = oneshot::channel();
    tokio::spawn(warm_up(engine.clone(), preloads(config, &engine), fatal, stop.clone()));
    let stopped = stop.clone();
    tokio::spawn(async move {
        stopped.cancelled().await;
        // New work is refused from now on; what was accepted is finished as far as the time allows.
        tokio::task::spawn_blocking(move || engine.stop(PATIENCE));
    });
    let mut in_time = server.run(stop).await;
    if let Some(companion) = companion {
        in_time &= companion.await.unwrap_or(false);
    }
    if let Ok(error) = failed.try_recv() {
        return Err(error);
    }
    if in_time {
        tracing::info!("stopped");
    } else {
        tracing::warn!("stopped with work unfinished after {} s", PATIENCE.as_secs());
    }
    Ok(())
}

/// Has decoded by programs what the engines do not decode.
fn decoding(config: &Config, backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
    match config.limits.decoders {
        0 => backend,
        programs => Arc::new(DecodingBackend::new(backend, Tools::find(), config.limits.max_bytes, programs)),
    }
}

/// Opens the library and loads what was asked for, while the server already answers.
///
/// A device that does not work ends the program: it would answer every request with an error. A library or a model that
/// cannot be had now may be had when it is needed.
async fn warm_up(
    engine: Engine,
    preload: Vec<(String, Role)>,
    fatal: oneshot::Sender<Failure>,
    stop: CancellationToken,
) {
    if let Err(error) = engine.start_runtime().await {
        if error.code == ErrorCode::DeviceUnavailable {
            // Whoever would have listened is already stopping.
            let _ = fatal.send(error.into());
            stop.cancel();
            return;
        }
        tracing::error!(%error, "ONNX Runtime did not start; it is tried again with the next request");
        return;
    }
    for network in preload {
        if let Err(error) = engine.preload(std::slice::from_ref(&network)).await {
            tracing::error!(model = network.0, role = %network.1, %error, "not loaded ahead");
        }
    }
}

/// The networks to load ahead: those named, or all of a model.
fn preloads(config: &Config, engine: &Engine) -> Vec<(String, Role)> {
    let roles = |preload: &Preload| {
        let name = config.aliases.get(&preload.model).unwrap_or(&preload.model);
        let all = || engine.store().catalogue().find(name).map(ModelEntry::roles).unwrap_or_default();
        preload.role.map_or_else(all, |role| vec![role])
    };
    let mut networks = Vec::new();
    for preload in &config.engine.preload {
        let roles = roles(preload);
        if roles.is_empty() {
            tracing::warn!("nothing to load ahead: no model is named {}", preload.model);
        }
        networks.extend(roles.into_iter().map(|role| (preload.model.clone(), role)));
    }
    networks
}

/// What is starting here, for whoever reads the log.
fn tell(loaded: &Loaded, engine: &Engine, server: &Server) {
    let config = &loaded.config;
    let status = engine.status();
    let file = loaded.file.as_ref().map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
    tracing::info!("Viewfinder {}, configuration: {file}", env!("CARGO_PKG_VERSION"));
    let offline = if config.store.offline { ", offline" } else { "" };
    tracing::info!("models in {}{offline}", engine.store().root().display());
    for cache in &config.store.immich_caches {
        tracing::info!("models also from Immich's cache {}", cache.display());
    }
    tracing::info!(
        "device {}, {} workers of {} threads",
        config.engine.device,
        status.workers,
        status.threads
    );
    for (asked, answering) in &config.aliases {
        tracing::info!("CLIP model {asked} is answered by {answering}");
    }
    for (address, wants_key) in server.listening() {
        let who = if wants_key { "whoever has its key" } else { "everybody who can reach it" };
        tracing::info!("listening on http://{address} for {who}");
    }
}

fn server_config(config: &Config, connections: usize) -> Result<ServerConfig, Failure> {
    let listen = listen::addresses(config).map_err(Failure::Usage)?;
    let whole = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Ok(ServerConfig {
        listen,
        hosts: config.server.hosts.clone(),
        api_key: config.api_key.reveal().to_owned(),
        models: Models {
            ocr: config.ocr.model.clone(),
            clip: config.clip.model.clone(),
            clip_text: wiring::sentence_model(config).to_owned(),
            faces: config.faces.model.clone(),
        },
        profiles: Profiles {
            immich: config.immich.ocr_profile.into(),
            mt_photos: config.mt_photos.ocr_profile.into(),
            page: config.ocr.profile.into(),
        },
        face_min_score: config.faces.min_score,
        limits: Limits {
            body_bytes: whole(config.limits.max_bytes).saturating_add(FORM_BYTES),
            held_bytes: whole(config.limits.held_bytes),
            body_time: config.limits.body_time,
            head_time: config.limits.head_time,
            answer_time: config.limits.answer_time,
            head_bytes: config.limits.head_bytes,
            headers: config.limits.headers,
            connections,
        },
        failures: LedgerConfig { capacity: config.failures.count, file: config.failures.file.clone() },
        drain: PATIENCE,
    })
}
