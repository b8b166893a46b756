//! From the configuration to the router: nodes, routes, and what the older Go gateway's variables stand for.
use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use viewfinder_cluster::{
    EngineClient, HoldLimits, LOCAL, Route, Router, RouterConfig, Routes, Thresholds,
    nodes::{Node, NodeConfig, NodeKind, Secret},
};
use viewfinder_core::Backend;
use viewfinder_engine::Engine;

use crate::config::{self, Config, NodeEntry};
use crate::failure::Failure;
use crate::keys;

/// The nodes of the older Go gateway's variables.
const IMMICH: &str = "immich";
const MT_PHOTOS: &str = "mt-photos";

/// What answers: the engine alone, or a router in front of it and the configured nodes. Within a Tokio runtime.
pub(crate) fn backend(config: &Config, engine: &Engine) -> Result<Arc<dyn Backend>, Failure> {
    let local: Arc<dyn Backend> = Arc::new(engine.clone());
    let (entries, routes) = plan(config).map_err(Failure::Usage)?;
    let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    let routes = Routes::new(routes, &names).map_err(|error| Failure::Usage(error.into()))?;
    if entries.is_empty() {
        return Ok(local);
    }
    let mut nodes = Vec::new();
    for entry in entries {
        if entry.name == LOCAL || nodes.iter().any(|(known, _)| *known == entry.name) {
            return Err(Failure::Usage(anyhow!("nodes: two engines are called {:?}", entry.name)));
        }
        tracing::info!("node {} ({})", entry.name, entry.kind);
        let node: Arc<dyn EngineClient> = Arc::new(node(&entry, config).map_err(Failure::Usage)?);
        nodes.push((entry.name, node));
    }
    let hold = HoldLimits {
        time: config.hold.time,
        bytes: usize::try_from(config.hold.bytes).unwrap_or(usize::MAX),
    };
    let config = RouterConfig { routes, thresholds: Thresholds::default(), hold };
    Ok(Arc::new(Router::start(local, nodes, config)))
}

/// Are there others than this process who may answer?
pub(crate) fn has_nodes(config: &Config) -> Result<bool, Failure> {
    Ok(!plan(config).map_err(Failure::Usage)?.0.is_empty())
}

fn node(entry: &NodeEntry, config: &Config) -> anyhow::Result<Node> {
    connected(entry, config).with_context(|| format!("node {}", entry.name))
}

fn connected(entry: &NodeEntry, config: &Config) -> anyhow::Result<Node> {
    let kind: NodeKind = entry.kind.parse()?;
    let key = match &entry.key_file {
        Some(path) => Some(keys::from_file(path)?),
        None => entry.key.as_ref().map(|key| key.reveal().to_owned()),
    };
    let authorities = match &entry.ca_file {
        Some(path) => {
            Some(keys::certificates(path).with_context(|| format!("cannot read {}", path.display()))?)
        }
        None => None,
    };
    Ok(Node::new(NodeConfig {
        name: entry.name.clone(),
        kind,
        url: entry.url.clone(),
        key: key.map(Secret::new),
        authorities,
        request_timeout: config.limits.node_time,
        connect_timeout: config.limits.node_connect_time,
    })?)
}

/// Nodes and routes as configured. The older Go gateway's variables add a node each and, where no route says otherwise,
/// its routing: text and CLIP to MT Photos, the rest to Immich's server.
fn plan(config: &Config) -> anyhow::Result<(Vec<NodeEntry>, BTreeMap<String, Route>)> {
    let mut nodes = config.nodes.clone();
    let mut routes = BTreeMap::new();
    let mut add =
        |name: &str, kind: &str, url: &Option<String>, key: &Option<config::Secret>, tasks: &[&str]| {
            let Some(url) = url else { return };
            nodes.push(NodeEntry {
                name: name.into(),
                kind: kind.into(),
                url: url.clone(),
                key: key.clone(),
                ..NodeEntry::default()
            });
            for task in tasks {
                routes.insert((*task).to_owned(), vec![vec![name.to_owned()]]);
            }
        };
    add(IMMICH, "immich-ml", &config.remote.immich_api, &None, &["default"]);
    let key = &config.remote.mt_photos_api_key;
    add(MT_PHOTOS, "mt-photos", &config.remote.mt_photos_api, key, &["ocr", "clip.visual", "clip.textual"]);
    for (task, value) in &config.routes {
        routes.insert(task.clone(), route(value).with_context(|| format!("routes: {task}"))?);
    }
    Ok((nodes, routes))
}

/// `"a"`, `["a", "b"]`, or `[["a", "b"], "c"]`.
fn route(value: &toml::Value) -> anyhow::Result<Route> {
    let rank = |value: &toml::Value| -> anyhow::Result<Vec<String>> {
        match value {
            toml::Value::String(name) => Ok(vec![name.clone()]),
            toml::Value::Array(names) => names
                .iter()
                .map(|name| name.as_str().map(str::to_owned).context("names of engines are expected"))
                .collect(),
            _ => Err(anyhow!("names of engines are expected")),
        }
    };
    match value {
        toml::Value::Array(ranks) => ranks.iter().map(rank).collect(),
        one => Ok(vec![rank(one)?]),
    }
}
