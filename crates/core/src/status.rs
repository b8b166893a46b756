/// What the engine is doing right now, for health and metrics.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct EngineStatus {
    /// Can it answer? `Err` says why not (library missing, for example).
    pub ready: Result<(), String>,
    /// Version of the ONNX Runtime library in use.
    pub runtime_version: Option<String>,
    /// Execution provider really in use, such as `cpu` or `cuda`.
    pub provider: String,
    /// Said when a configured accelerator was refused and the configuration allowed the CPU instead.
    pub fallback: Option<String>,
    /// Worker threads for pictures.
    pub workers: usize,
    /// Threads one network call may use.
    pub threads: usize,
    /// Picture jobs waiting.
    pub queued_pictures: usize,
    /// Sentence jobs waiting.
    pub queued_sentences: usize,
    /// Jobs being worked on.
    pub running: usize,
    /// Loaded networks.
    pub models: Vec<LoadedModel>,
    /// Models that were asked for, are not on this machine, and may not be fetched for a request.
    pub refused_models: Vec<String>,
}

/// A network in memory.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LoadedModel {
    /// Catalogue name.
    pub name: String,
    /// Which of its networks (`detection`, `recognition`, `classification`, `visual`, `textual`).
    pub role: String,
    /// Execution provider that it runs on.
    pub provider: String,
    /// Seconds since it was last used.
    pub idle_s: u64,
}

/// A node, for health and the status page.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NodeStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Does it get work?
    pub up: bool,
    /// Requests that it is working on for us.
    pub in_flight: usize,
}
