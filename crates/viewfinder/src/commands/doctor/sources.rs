//! Do the sources of models answer?
use std::env;

use tokio::task::spawn_blocking;
use viewfinder_models::{Probe, Store};

use super::Finding;
use crate::config::Config;
use crate::wiring;

/// How pip may be called.
const PIP: [&str; 3] = ["pip3", "pip", "python3"];

/// Asks each source that the configured models can come from for one byte; in offline mode, nobody.
pub(super) async fn sources(config: &Config, store: Store) -> Vec<Finding> {
    if store.is_offline() {
        return vec![Finding::ok("network", "offline: nothing is ever fetched")];
    }
    let mut findings = vec![Finding::ok(
        "network",
        "models are fetched when first needed, for requests as store.on_request says",
    )];
    let models = [&config.ocr.model, &config.clip.model, &config.faces.model].map(String::clone);
    let models = models.into_iter().chain([wiring::sentence_model(config).to_owned()]).collect::<Vec<_>>();
    let probed = spawn_blocking(move || store.probe(&models.iter().map(String::as_str).collect::<Vec<_>>()));
    findings.extend(probed.await.unwrap_or_default().into_iter().map(finding));
    findings.push(pip());
    findings
}

fn finding(probe: Probe) -> Finding {
    let Probe { source, model, result } = probe;
    match result {
        Ok(time) => {
            let seconds = time.as_secs_f32();
            Finding::ok("source", format!("{source} delivers {model}; it answered in {seconds:.1} s"))
        }
        Err(reason) => {
            let setting = match source.split(' ').next() {
                Some("huggingface") => "HF_ENDPOINT=https://… (store.hf_endpoint)",
                Some("modelscope") => "store.modelscope_endpoint",
                _ => "store.github_endpoint",
            };
            Finding::warn(
                "source",
                format!("{source} does not deliver {model}: {reason}"),
                format!("other sources are asked then; a mirror is set by {setting}"),
            )
        }
    }
}

/// pip has an index, mirrors and credentials of its own, so only its presence is looked at.
fn pip() -> Finding {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .flat_map(|folder| PIP.map(|name| folder.join(name).with_extension(env::consts::EXE_EXTENSION)))
        .find(|file| file.is_file());
    match found {
        Some(file) => Finding::ok("source", format!("pip: {}, with its own index", file.display())),
        None => Finding::warn(
            "source",
            "pip is not on this machine, so that what is published as Python packages comes from other sources only",
            "on Debian and Ubuntu: apt install python3-pip",
        ),
    }
}
