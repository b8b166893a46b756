//! The companion of a server: an Immich opened through it, where one is configured.
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use viewfinder_companion::{Companion, CompanionConfig, Library};
use viewfinder_gateway::Backend;
use viewfinder_immich::LibraryConfig;
use viewfinder_proxy::{Limits, Proxy, ProxyConfig, Server};

use crate::catalogue;
use crate::config::Config;
use crate::failure::Failure;
use crate::immich::Immich;
use crate::wiring;

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
        backend: &Arc<dyn Backend>,
        drain: Duration,
    ) -> Result<Option<Self>, Failure> {
        let Some(url) = &config.companion_immich_url else { return Ok(None) };
        let way = ProxyConfig { connect_time: config.companion_connect_time, ..ProxyConfig::new(url) };
        let proxy = Proxy::new(&way).context("companion.immich_url").map_err(Failure::Usage)?;
        viewfinder_companion::describe_metrics();
        let companion = Arc::new(Companion::new(CompanionConfig {
            proxy,
            library: library(config, backend)?,
            time: config.companion_search_time,
            script: config.companion_script,
        }));
        let addresses = addresses(config).map_err(Failure::Usage)?;
        let limits =
            Limits { head_time: config.limits_head_time, connections: config.companion_connections, drain };
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

    /// Serves until `stop` is dropped; tells whether every answer that was under way then was finished in time.
    pub(crate) async fn run(self, stop: oneshot::Receiver<()>) -> bool {
        let companion = self.companion;
        let answer = move |request, visitor| Arc::clone(&companion).handle(request, visitor);
        self.server
            .run(answer, async {
                // Nothing is ever sent: the end of the sender is the word.
                let _ = stop.await;
            })
            .await
    }
}

/// What is known of Immich's library, where its database may be asked.
fn library(config: &Config, backend: &Arc<dyn Backend>) -> Result<Option<Arc<dyn Library>>, Failure> {
    let Some(database_url) = config.companion_database_url.clone() else {
        tracing::info!("without companion.database_url, Immich itself searches for text");
        return Ok(None);
    };
    let library = Immich::start(LibraryConfig {
        database_url,
        text_search_config: config.companion_text_search_config.clone(),
        segmenter: catalogue::segmenter(config)?,
        backend: Arc::clone(backend),
        runtime: Handle::current(),
        ocr: wiring::ocr_options(config.immich_ocr_profile),
        similarity: catalogue::similarity(config),
    })?;
    Ok(Some(Arc::new(library)))
}

fn addresses(config: &Config) -> anyhow::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for name in &config.companion_listen {
        for address in name.to_socket_addrs().with_context(|| format!("companion.listen: {name}"))? {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    Ok(addresses)
}
