//! What failed for good: asked of a server that runs, or read from the file that one left.
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Deserialize;
use viewfinder_server::ledger::{Entry, read};

use super::look::json_line;
use crate::cli::FailuresArgs;
use crate::config::{Config, Loaded};
use crate::failure::{Failure, Outcome};
use crate::{keys, listen, output};

/// A server answers this at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of its answer.
const LARGEST: u64 = 64 << 20;

/// The answer of `/api/failures`.
#[derive(Deserialize)]
struct Answer {
    failures: Vec<Entry>,
}

/// Shows what failed for good, what failed last first.
pub(crate) fn run(args: &FailuresArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let key = args.key_file.as_deref().map(keys::from_file).transpose().map_err(Failure::Environment)?;
    let entries = match &args.url {
        Some(url) => ask(url, key.as_deref()).map_err(Failure::Environment)?,
        None => find(&loaded.config)?,
    };
    if args.json {
        for entry in &entries {
            json_line(entry)?;
        }
    } else if entries.is_empty() {
        output::line("no task has failed for good")?;
    } else {
        for entry in &entries {
            output::text(&shown(entry))?;
        }
    }
    Ok(Outcome::Done)
}

/// From the server that is configured, if it runs, else from the file.
fn find(config: &Config) -> Result<Vec<Entry>, Failure> {
    let addresses = addresses(config).map_err(Failure::Environment)?;
    let ask = |(address, key): &(SocketAddr, Option<String>)| ask(&address.to_string(), key.as_deref()).ok();
    if let Some(entries) = addresses.iter().find_map(ask) {
        return Ok(entries);
    }
    let asked = addresses.iter().map(|(address, _)| address.to_string()).collect::<Vec<_>>().join(", ");
    let Some(file) = &config.failures.file else {
        return Err(Failure::Environment(anyhow!(
            "no server answers at {asked}, and no failures.file is set; say with --url where the server is"
        )));
    };
    if !file.exists() {
        // It begins with the first failure.
        return Ok(Vec::new());
    }
    let entries = read(file).with_context(|| format!("cannot read {}", file.display()));
    entries.map_err(Failure::Environment)
}

/// Where a server with this configuration can be reached from here, and with which key.
fn addresses(config: &Config) -> anyhow::Result<Vec<(SocketAddr, Option<String>)>> {
    let mut addresses: Vec<(SocketAddr, Option<String>)> = Vec::new();
    let resolved = config.listen.iter().filter_map(|name| Some((name, name.to_socket_addrs().ok()?)));
    for (name, address) in resolved.flat_map(|(name, found)| found.map(move |address| (name, address))) {
        let key = config.listen_keys.get(name).map(keys::reveal).transpose()?;
        for address in listen::from_here(address) {
            if !addresses.iter().any(|(known, _)| *known == address) {
                addresses.push((address, key.clone()));
            }
        }
    }
    Ok(addresses)
}

/// Asks a server at `http://host:port`, or `host:port`.
fn ask(url: &str, key: Option<&str>) -> anyhow::Result<Vec<Entry>> {
    let base = url.trim_end_matches('/');
    let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // The server is near.
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let mut request = agent.get(format!("{base}/api/failures"));
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let mut answer = request.call().with_context(|| format!("{base} cannot be asked"))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(anyhow!("{base} does not tell its failures: it answers {status}"));
    }
    let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec();
    let answer: Answer = body
        .map_err(anyhow::Error::from)
        .and_then(|body| Ok(serde_json::from_slice(&body)?))
        .with_context(|| format!("{base} does not answer as Viewfinder does"))?;
    Ok(answer.failures)
}

/// For people, in three lines.
fn shown(entry: &Entry) -> String {
    let Entry { last, count, task, model, code, message, engine, bytes, sha256, .. } = entry;
    let times = if *count > 1 { format!(", {count} times") } else { String::new() };
    let request = entry.request.as_ref().map_or_else(String::new, |id| format!(", request {id}"));
    format!(
        "{last}  {code}{times}  {task} with {model}\n    {message}\n    \
         {bytes} bytes, SHA-256 {sha256}, said by {engine}{request}\n"
    )
}
