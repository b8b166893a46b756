//! The store against real sockets, real files and the real pip.

mod agreement;
mod bundled;
mod catalogue;
mod checkpoints;
mod downloads;
mod packages;
mod places;
mod releases;
mod unreachable;

use std::{path::Path, sync::Mutex, time::Duration};
use viewfinder_models::{Asked, Catalogue, ModelEntry, Progress, Retry, Step, Store, StoreConfig};

/// Tables for the configuration.
fn models(text: &str) -> Vec<ModelEntry> {
    Catalogue::parse(text).unwrap()
}

/// A configuration whose every endpoint is the given server, with short waits.
fn config(root: &Path, endpoint: &str) -> StoreConfig {
    StoreConfig {
        hf_endpoint: Some(endpoint.to_owned()),
        modelscope_endpoint: Some(endpoint.to_owned()),
        github_endpoint: Some(endpoint.to_owned()),
        retry: Retry {
            attempts: 3,
            first_delay: Duration::from_millis(5),
            max_delay: Duration::from_secs(2),
            ..Retry::default()
        },
        ..StoreConfig::new(root)
    }
}

/// A store of models declared in TOML.
fn store(root: &Path, endpoint: &str, text: &str) -> Store {
    Store::open(StoreConfig { extra_models: models(text), ..config(root, endpoint) }).unwrap()
}

/// SHA-256 in hex.
fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Bytes that differ everywhere, so that a piece in the wrong place shows.
fn weights(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// Remembers what it was told.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Progress for Log {
    fn ask(&self, asked: &Asked<'_>) {
        let Asked { file, source, next, .. } = asked;
        self.0.lock().unwrap().push(format!("ask {source} for {file}, then {next:?}"));
    }

    fn pause(&self, reason: &str) {
        self.0.lock().unwrap().push(format!("pause {reason}"));
    }

    fn begin(&self, _step: Step, file: &str, total: Option<u64>) {
        self.0.lock().unwrap().push(format!("begin {file} {total:?}"));
    }

    fn advance(&self, bytes: u64) {
        self.0.lock().unwrap().push(format!("advance {bytes}"));
    }

    fn end(&self, result: Result<(), &str>) {
        self.0.lock().unwrap().push(format!("end {result:?}"));
    }
}
