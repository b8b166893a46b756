//! The companion of a server: an Immich opened through it, where one is configured.
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use viewfinder_core::Backend;
use viewfinder_engine::Engine;
use viewfinder_http::proxy::{Limits, ProxyConfig, Server};
use viewfinder_immich::api::{ApiConfig, ApiLibrary};
use viewfinder_immich::client::Client;
use viewfinder_immich::companion::{self, Companion, CompanionConfig};
use viewfinder_immich::database::{DatabaseConfig, DatabaseLibrary, MediaFolder};
use viewfinder_immich::library::Library;

use crate::catalogue;
use crate::config::Config;
use crate::failure::Failure;
use crate::keys;
use crate::wiring::{self, data_folder};

/// What is kept of Immich's users in the user's data folder: their catalogues, and the re-runs that they asked for.
const FOLDER: &str = "immich";
/// Longest time for the preview of one picture that is to be done again. Immich reads it from a disk, which may sleep.
const PREVIEW_TIME: Duration = Duration::from_secs(30);
/// How often Immich is asked over its API what was changed, and how often everything is compared.
const EVERY: Duration = Duration::from_secs(15);
const COMPARE: Duration = Duration::from_secs(3600);

/// The way to the Immich at this address, as configured.
pub(crate) fn client(config: &Config, url: &str) -> Result<Client, Failure> {
    let connect_time = config.companion.connect_time;
    let way = ProxyConfig { authorities: authorities(config)?, connect_time, ..ProxyConfig::new(url) };
    Client::new(&way).context("companion.immich_url").map_err(Failure::Usage)
}

/// A companion that listens but does not answer yet.
pub(crate) struct Listening {
    companion: Arc<Companion>,
    server: Server,
}

impl Listening {
    /// Listens where the configuration says; nowhere without an Immich. Within a Tokio runtime, and after the recorder of
    /// metrics was installed.
    pub(crate) async fn bind(
        config: &Config,
        engine: &Engine,
        backend: &Arc<dyn Backend>,
        stop: &CancellationToken,
        connections: usize,
        drain: Duration,
    ) -> Result<Option<Self>, Failure> {
        let Some(url) = &config.companion.immich_url else { return Ok(None) };
        let client = client(config, url)?;
        companion::describe_metrics();
        let library = library(config, &client, engine, backend, stop)?;
        let jobs = library.as_ref().and_then(|_| jobs(config, url));
        let companion = Arc::new(Companion::new(CompanionConfig {
            client,
            library,
            time: config.companion.search_time,
            preview_time: PREVIEW_TIME,
            jobs,
            script: config.companion.script,
        }));
        let addresses = addresses(config).map_err(Failure::Usage)?;
        let limits = Limits { head_time: config.limits.head_time, connections, drain };
        let server =
            Server::bind(&addresses, limits).await.map_err(|error| Failure::Environment(error.into()))?;
        for address in server.addresses() {
            tracing::info!("Immich at {url} is opened through http://{address}");
        }
        Ok(Some(Self { companion, server }))
    }

    /// What `/health` tells of it.
    pub(crate) fn health(&self) -> impl Fn() -> serde_json::Value + Send + Sync + use<> {
        let companion = Arc::clone(&self.companion);
        move || serde_json::to_value(companion.status()).unwrap_or_default()
    }

    /// Serves until `stop` is cancelled; tells whether every answer that was under way then was finished in time.
    pub(crate) async fn run(self, stop: CancellationToken) -> bool {
        let companion = self.companion;
        let watching = tokio::spawn(Arc::clone(&companion).watch());
        let answering = Arc::clone(&companion);
        let answer = move |request, visitor| Arc::clone(&answering).handle(request, visitor);
        let in_time = self.server.run(answer, stop).await;
        watching.abort();
        // It goes on with them when it is started again; if this fails, it does a few of them once more.
        drop(tokio::task::spawn_blocking(move || companion.close()).await);
        in_time
    }
}

/// Who may sign Immich's certificate, if that is configured.
fn authorities(config: &Config) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = &config.companion.immich_ca_file else { return Ok(None) };
    let read = keys::certificates(path);
    let read = read.with_context(|| format!("companion.immich_ca_file: cannot read {}", path.display()));
    read.map(Some).map_err(Failure::Usage)
}

/// Where re-runs outlive this program.
fn jobs(config: &Config, url: &str) -> Option<PathBuf> {
    let file =
        config.companion.jobs.clone().or_else(|| Some(data_folder()?.join(FOLDER).join(jobs_file(url))));
    if file.is_none() {
        tracing::info!(
            "without a home folder, photos that are read again are forgotten at a restart; set companion.jobs"
        );
    }
    file
}

/// The name of that file: another one for each Immich, since two servers of one user must not do each other's re-runs.
fn jobs_file(url: &str) -> String {
    let hash: [u8; 32] = Sha256::digest(url.trim_end_matches('/').to_ascii_lowercase()).into();
    let [first, second, third, fourth, ..] = hash;
    format!("jobs-{:08x}.json", u32::from_be_bytes([first, second, third, fourth]))
}

/// What is known of Immich's library, where its database may be asked, or keys are given.
fn library(
    config: &Config,
    client: &Client,
    engine: &Engine,
    backend: &Arc<dyn Backend>,
    stop: &CancellationToken,
) -> Result<Option<Arc<dyn Library>>, Failure> {
    if let Some(database) = database_config(config, backend)? {
        if !config.companion.api_keys.is_empty() {
            tracing::info!("companion.api_keys is not used, since companion.database_url is set");
        }
        let media = media_folder(config, None, None);
        return Ok(Some(Arc::new(DatabaseLibrary::start(database, media, stop.clone()))));
    }
    if config.companion.api_keys.is_empty() {
        tracing::info!(
            "without companion.database_url and companion.api_keys, Immich itself searches for text"
        );
        return Ok(None);
    }
    let folder = config.companion.catalogs.clone().or_else(|| data_folder().map(|data| data.join(FOLDER)));
    let folder = folder.ok_or_else(|| {
        Failure::Usage(anyhow!("there is no home folder for Immich's catalogues; set companion.catalogs"))
    })?;
    Ok(Some(Arc::new(ApiLibrary::start(ApiConfig {
        client: client.clone(),
        keys: config.companion.api_keys.iter().map(|key| key.reveal().to_owned()).collect(),
        folder,
        segmenter: catalogue::segmenter(config)?,
        backend: Arc::clone(backend),
        models: wiring::index_models(config, engine),
        sentence_model: wiring::sentence_model(config).to_owned(),
        similarity: catalogue::similarity(config),
        search_time: config.companion.search_time,
        every: EVERY,
        compare: COMPARE,
        stop: stop.clone(),
    }))))
}

/// How to open Immich's database, if it is configured.
pub(crate) fn database_config(
    config: &Config,
    backend: &Arc<dyn Backend>,
) -> Result<Option<DatabaseConfig>, Failure> {
    let Some(database_url) = &config.companion.database_url else { return Ok(None) };
    Ok(Some(DatabaseConfig {
        database_url: database_url.reveal().to_owned(),
        text_search_config: config.companion.text_search_config.clone(),
        segmenter: catalogue::segmenter(config)?,
        backend: Arc::clone(backend),
        ocr: wiring::ocr_options(config.immich.ocr_profile),
        similarity: catalogue::similarity(config),
    }))
}

/// Where Immich's media are, as said here or configured.
pub(crate) fn media_folder(
    config: &Config,
    folder: Option<&PathBuf>,
    prefix: Option<&String>,
) -> Option<MediaFolder> {
    let folder = folder.or(config.companion.media.as_ref())?.clone();
    let prefix_in_database = prefix.or(config.companion.media_prefix.as_ref()).cloned();
    Some(MediaFolder { prefix_in_database, folder })
}

/// Where Immich is opened.
pub(crate) fn addresses(config: &Config) -> anyhow::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for name in &config.companion.listen {
        for address in name.to_socket_addrs().with_context(|| format!("companion.listen: {name}"))? {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_immich_has_its_own_file_of_jobs() {
        let file = jobs_file("http://immich:2283");
        // The same in every version of this program.
        assert_eq!(file, "jobs-3b797752.json");
        assert_eq!(jobs_file("http://Immich:2283/"), file);
        assert_ne!(jobs_file("http://immich:2284"), file);
    }
}
