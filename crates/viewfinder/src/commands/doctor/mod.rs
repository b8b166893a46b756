//! Looks for what would go wrong, and says what to do about it.
mod catalogue;
mod programs;
mod sources;

use std::net::{TcpListener, ToSocketAddrs as _};
use std::path::Path;
use std::time::Duration;

use indicatif::HumanBytes;
use serde::Serialize;
use viewfinder_engine::runtime::{Cores, Library, Runtime, RuntimeConfig};
use viewfinder_engine::runtime_flavour;
use viewfinder_immich::database;
use viewfinder_immich::library::Capabilities;
use viewfinder_models::{ModelStatus, State, Store};

use super::{look::json_line, on_threads};
use crate::cli::DoctorArgs;
use crate::config::{Config, Loaded, Severity};
use crate::failure::{Failure, Outcome};
use crate::{companion, descriptors, listen, output, wiring};

/// Less than this, and OCR with CLIP and faces together will not fit.
const LITTLE_MEMORY: u64 = 1 << 30;

/// Immich answers at once, where it answers.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum CheckStatus {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    verdict: CheckStatus,
    subject: &'static str,
    text: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    fn ok(subject: &'static str, text: impl Into<String>) -> Self {
        Self { verdict: CheckStatus::Ok, subject, text: text.into(), advice: None }
    }

    fn warn(subject: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: CheckStatus::Warn, subject, text: text.into(), advice: Some(advice.into()) }
    }

    fn fail(subject: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: CheckStatus::Fail, subject, text: text.into(), advice: Some(advice.into()) }
    }
}

/// Checks everything; a finding that keeps Viewfinder from working makes the exit code 1.
pub(crate) fn run(args: &DoctorArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    on_threads(check(args, loaded))
}

async fn check(args: &DoctorArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let config = &loaded.config;
    let mut findings = configuration(loaded);
    let store = wiring::store(loaded)?;
    findings.push(folder(store.root()));
    findings.extend(sources::sources(config, store.clone()).await);
    findings.extend(runtime(config, &store));
    findings.extend(models(config, &store));
    findings.extend(aliases(config, &store));
    findings.push(catalogue::catalogue(&args.catalog, loaded).await);
    findings.extend(ports(config));
    findings.extend(keys(config));
    findings.extend(api_key(config));
    findings.extend(memory());
    findings.extend(programs::programs());
    findings.extend(open_files(config));
    findings.extend(immich(config).await);
    for finding in &findings {
        if args.json {
            json_line(finding)?;
            continue;
        }
        let word = match finding.verdict {
            CheckStatus::Ok => "ok  ",
            CheckStatus::Warn => "warn",
            CheckStatus::Fail => "FAIL",
        };
        output::line(&format!("{word}  {:13}  {}", finding.subject, finding.text))?;
        if let Some(advice) = &finding.advice {
            output::line(&format!("                     -> {advice}"))?;
        }
    }
    let failed = findings.iter().any(|finding| finding.verdict == CheckStatus::Fail);
    Ok(if failed { Outcome::SomeFailed } else { Outcome::Done })
}

fn configuration(loaded: &Loaded) -> Vec<Finding> {
    let file = loaded.file.as_ref().map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
    let warnings = loaded.notes.iter().filter(|note| note.severity == Severity::Warning);
    [Finding::ok("configuration", format!("valid; {file}"))]
        .into_iter()
        .chain(warnings.map(|note| {
            Finding::warn("configuration", note.text.clone(), "`viewfinder config` shows what is in effect")
        }))
        .collect()
}

/// Can models be kept here?
fn folder(root: &Path) -> Finding {
    let probe = root.join(".doctor");
    let tried = std::fs::create_dir_all(root)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe));
    match tried {
        Ok(()) => Finding::ok("store", format!("{} can be written", root.display())),
        Err(error) => Finding::fail(
            "store",
            format!("{} cannot be written: {error}", root.display()),
            "give the user the right to write there, or set store.root (VIEWFINDER_MODELS)",
        ),
    }
}

/// The library, and the device it computes on.
fn runtime(config: &Config, store: &Store) -> Vec<Finding> {
    let located = config
        .engine
        .library
        .clone()
        .or_else(|| store.locate_runtime_library(runtime_flavour(config.engine.device, store)));
    let Some(path) = located else {
        let text = "ONNX Runtime is not on this machine";
        return vec![if store.is_offline() {
            Finding::fail("library", text, "copy libonnxruntime 1.23 or newer here and set engine.library")
        } else {
            Finding::warn(
                "library",
                text,
                "it is fetched when first needed; or run `viewfinder models pull runtime`",
            )
        }];
    };
    let library = match Library::load(&path) {
        Ok(library) => library,
        Err(error) => {
            return vec![Finding::fail(
                "library",
                error.to_string(),
                "run `viewfinder models pull runtime`, or set engine.library to another file",
            )];
        }
    };
    let mut findings =
        vec![Finding::ok("library", format!("ONNX Runtime {} at {}", library.version(), path.display()))];
    let total = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let wanted = RuntimeConfig {
        device: config.engine.device,
        device_id: config.engine.device_id,
        cpu_fallback: config.engine.cpu_fallback,
        threads: config.engine.threads.unwrap_or(1),
    };
    findings.push(match Runtime::new(library, wanted, std::sync::Arc::new(Cores::new(total))) {
        Ok(runtime) => match runtime.fallback() {
            None => Finding::ok("device", format!("{}; {total} cores", runtime.device())),
            Some(reason) => Finding::warn(
                "device",
                format!("{} instead of what was asked for: {reason}", runtime.device()),
                "install what it misses: the driver, an ONNX Runtime that supports the device, and the libraries that this one wants",
            ),
        },
        Err(error) => Finding::fail(
            "device",
            error.to_string(),
            "set engine.device to another device or `auto`, or allow the CPU with engine.cpu_fallback",
        ),
    });
    findings
}

/// Are the models there that are used when nobody names one?
fn models(config: &Config, store: &Store) -> Vec<Finding> {
    let all = store.list();
    let uses = [("text", &config.ocr.model), ("faces", &config.faces.model), ("meaning", &config.clip.model)];
    uses.into_iter()
        .map(|(subject, name)| {
            let Some(model) = store
                .catalogue()
                .find(name)
                .and_then(|entry| all.iter().find(|model| model.name == entry.name))
            else {
                return Finding::fail(
                    subject,
                    format!("no model is named {name}"),
                    "`viewfinder models list` shows the names",
                );
            };
            found(subject, model, store)
        })
        .collect()
}

fn found(subject: &'static str, model: &ModelStatus, store: &Store) -> Finding {
    let missing: Vec<String> = model
        .roles
        .iter()
        .filter(|role| role.state != State::Present)
        .map(|role| role.role.to_string())
        .collect();
    if missing.is_empty() {
        return Finding::ok(subject, format!("{} is here", model.name));
    }
    let advice = if store.is_offline() {
        "copy its files here, or turn offline mode off".to_owned()
    } else {
        format!("it is fetched when first needed; or run `viewfinder models pull {}`", model.name)
    };
    Finding::warn(subject, format!("{} is not here ({})", model.name, missing.join(", ")), advice)
}

fn aliases(config: &Config, store: &Store) -> Vec<Finding> {
    let width = |name: &str| store.catalogue().find(name).and_then(|entry| entry.width);
    config
        .aliases
        .iter()
        .map(|(asked, answering)| {
            let pair = format!("{asked} is answered by {answering}");
            match (width(asked), width(answering)) {
                (Some(a), Some(b)) if a != b => Finding::fail(
                    "aliases",
                    format!("{pair}, but their vectors have {a} and {b} values"),
                    "choose a model of the same width",
                ),
                (_, None) if store.catalogue().find(answering).is_none() => Finding::fail(
                    "aliases",
                    format!("{pair}, which no model is named"),
                    "`viewfinder models list` shows the names",
                ),
                _ => Finding::ok("aliases", pair),
            }
        })
        .collect()
}

/// An Immich that is opened through this program: does it answer, and what can be added to it?
async fn immich(config: &Config) -> Vec<Finding> {
    let Some(url) = &config.companion.immich_url else { return Vec::new() };
    let client = companion::client(config, url);
    let version = match &client {
        Ok(client) => client.version(PATIENCE).await,
        Err(failure) => Err(failure.to_string()),
    };
    let mut findings = vec![match version {
        Ok(version) => Finding::ok("Immich", format!("{version} answers at {url}")),
        Err(error) => Finding::fail(
            "Immich",
            format!("no Immich answers at {url}: {error}"),
            "start it, or set companion.immich_url to where it can be reached from here",
        ),
    }];
    let Some(url) = &config.companion.database_url else { return findings };
    match database::look(url.reveal()).await {
        Ok(capabilities) => {
            let missing = capabilities.missing().map(|(_, told)| {
                Finding::warn("Immich", told, "look for a newer Viewfinder that knows this Immich")
            });
            findings.extend(missing);
            if capabilities == Capabilities::default() {
                findings.push(Finding::ok("Immich", "everything can be added to it, by its database"));
            }
        }
        Err(error) => findings.push(Finding::fail(
            "Immich",
            format!("its database: {error}"),
            "see companion.database_url; the database must be reachable from here, and Immich have started once",
        )),
    }
    findings
}

/// Is every address free?
fn ports(config: &Config) -> Vec<Finding> {
    config
        .listen
        .iter()
        .map(|listen| {
            let tried = listen
                .to_socket_addrs()
                .and_then(|addresses| TcpListener::bind(&*addresses.collect::<Vec<_>>()));
            match tried {
                Ok(_) => Finding::ok("port", format!("{listen} is free")),
                Err(error) => Finding::fail(
                    "port",
                    format!("{listen} cannot be used: {error}"),
                    "stop what uses it (perhaps a Viewfinder that already runs), or choose another with --listen",
                ),
            }
        })
        .collect()
}

/// Can the keys of addresses be read?
fn keys(config: &Config) -> Option<Finding> {
    if config.listen_keys.is_empty() {
        return None;
    }
    Some(match listen::addresses(config) {
        Ok(addresses) => {
            let keyed = addresses.iter().filter(|listen| listen.key.is_some()).count();
            Finding::ok("keys", format!("{keyed} of {} addresses want a key", addresses.len()))
        }
        Err(error) => Finding::fail("keys", format!("{error:#}"), "see listen_keys in the configuration"),
    })
}

/// The key that everybody knows protects nothing, where it is asked for.
fn api_key(config: &Config) -> Option<Finding> {
    let open = config.listen.iter().any(|address| !config.listen_keys.contains_key(address));
    (open && config.api_key == Config::default().api_key).then(|| {
        Finding::warn(
            "api key",
            "MT Photos' well-known default key is in use",
            "set api_key (API_AUTH_KEY) if others can reach the port",
        )
    })
}

/// Free memory, where the system tells.
fn memory() -> Option<Finding> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let available = line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024;
    // A container may be allowed less than the machine has.
    let limit =
        std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    let usable = limit.map_or(available, |limit: u64| limit.min(available));
    let said = format!("{} available", HumanBytes(usable));
    Some(if usable < LITTLE_MEMORY {
        Finding::warn("memory", said, "use smaller models, or fewer workers (engine.workers)")
    } else {
        Finding::ok("memory", said)
    })
}

/// Is there room for every connection that may come? Addresses that cannot be read are told of among the ports.
fn open_files(config: &Config) -> Option<Finding> {
    let plan = descriptors::Plan::of(config).ok()?;
    Some(match plan.shortage() {
        None => Finding::ok("open files", plan.room()),
        Some(shortage) => Finding::warn("open files", shortage, descriptors::ADVICE),
    })
}
