use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use crate::runtime::Device;
use viewfinder_models::{Asked, Progress, Step, StoreConfig};

use crate::OnRequest;

/// How the local engine is set up.
#[derive(Clone)]
pub struct EngineConfig {
    /// Where models are and may come from.
    pub models: StoreConfig,
    /// Told about downloads.
    pub progress: Arc<dyn Progress>,
    /// The ONNX Runtime library; `None` looks in the usual places, then fetches it unless offline.
    pub library: Option<PathBuf>,
    /// The accelerator asked for.
    pub device: Device,
    /// Which of several accelerators.
    pub device_id: u32,
    /// May the CPU stand in for an accelerator that does not work?
    pub cpu_fallback: bool,
    /// Threads that work on pictures; `None` decides from the cores.
    pub workers: Option<usize>,
    /// Threads that one network call of such a worker may use; `None` shares the cores out among the workers.
    pub threads: Option<usize>,
    /// Requests accepted at most, waiting and running together.
    pub queue: usize,
    /// How long a request may wait for a place in the queue before it is refused; zero refuses at once.
    pub queue_wait: Duration,
    /// A model unused for so long is dropped; `None` keeps it.
    pub model_ttl: Option<Duration>,
    /// Bytes of the files of all models in memory; past it, the longest unused leave. `None` is half of the memory that there is.
    pub model_bytes: Option<u64>,
    /// Which models a request may have fetched.
    pub on_request: OnRequest,
    /// CLIP names that clients ask for, and the models that answer. Widths must agree.
    pub aliases: BTreeMap<String, String>,
    /// Limits on pictures, checked before pixels are decoded.
    pub limits: viewfinder_image::Limits,
    /// Faces embedded in one network call, at most; `None` is all faces of a picture.
    pub max_face_batch: Option<usize>,
}

impl EngineConfig {
    /// Defaults around a model store.
    pub fn new(models: StoreConfig) -> Self {
        Self {
            models,
            progress: Arc::new(LogProgress),
            library: None,
            device: Device::Auto,
            device_id: 0,
            cpu_fallback: false,
            workers: None,
            threads: None,
            queue: 256,
            queue_wait: Duration::ZERO,
            model_ttl: Some(Duration::from_secs(300)),
            model_bytes: None,
            on_request: OnRequest::Any,
            aliases: BTreeMap::new(),
            limits: viewfinder_image::Limits::default(),
            max_face_batch: None,
        }
    }

    /// Workers and threads of each on a machine with `cores` cores.
    ///
    /// One thread for each of as many workers as cores measures best, but Immich sends two pictures of a kind at a
    /// time, so that more than four workers would idle while each is slow.
    pub(crate) fn shape(&self, cores: usize) -> (usize, usize) {
        let workers = self.workers.unwrap_or(if cores > 4 { 4 } else { 2 }).clamp(1, cores.max(2));
        let threads = self.threads.unwrap_or(cores / workers).max(1);
        (workers, threads)
    }
}

/// Writes downloads to the log.
pub struct LogProgress;

impl Progress for LogProgress {
    fn ask(&self, asked: &Asked<'_>) {
        let Asked { file, total, source, next, .. } = *asked;
        tracing::info!(file, bytes = total, source, next, "fetching");
    }

    fn begin(&self, step: Step, file: &str, total: Option<u64>) {
        match step {
            // That was said when it was asked for.
            Step::Fetch => tracing::debug!(file, bytes = total, "arriving"),
            Step::Convert => tracing::info!(file, bytes = total, "converting"),
        }
    }

    fn advance(&self, _bytes: u64) {}

    fn pause(&self, reason: &str) {
        tracing::info!(reason, "waiting");
    }

    fn end(&self, result: Result<(), &str>) {
        match result {
            Ok(()) => tracing::info!("done"),
            Err(reason) => tracing::debug!(reason, "failed"),
        }
    }

    fn left(&self, source: &str, reason: &str) {
        tracing::warn!(source, reason, "a source did not deliver");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_never_exceed_cores() {
        let config = EngineConfig::new(StoreConfig::new("unused"));
        for cores in 2..64 {
            let (workers, threads) = config.shape(cores);
            assert!(workers * threads <= cores, "{workers} x {threads} on {cores}");
        }
        assert_eq!(config.shape(1), (2, 1));
        assert_eq!(config.shape(2), (2, 1));
        assert_eq!(config.shape(16), (4, 4));
    }
}
