//! What a store is opened with.
use crate::{ModelEntry, Retry};
use std::{fmt, path::PathBuf};

/// Where models are and may come from.
#[derive(Clone)]
pub struct StoreConfig {
    /// The store's own folder.
    pub root: PathBuf,
    /// Never fetch anything.
    pub offline: bool,
    /// Model caches in Immich's layout, used in place and never written.
    pub immich_caches: Vec<PathBuf>,
    /// A store that came with the program, used in place after the store's own folder and never written.
    pub bundled: Option<PathBuf>,
    /// Address of the Hugging Face hub; without it `HF_ENDPOINT`, else the public one.
    pub hf_endpoint: Option<String>,
    /// Token for that hub; without it `HF_TOKEN`. Never logged.
    pub hf_token: Option<String>,
    /// Address of `ModelScope`; without it the public one.
    pub modelscope_endpoint: Option<String>,
    /// Address of GitHub; without it the public one.
    pub github_endpoint: Option<String>,
    /// The user's own models, in front of the built-in ones.
    pub extra_models: Vec<ModelEntry>,
    /// How stubborn downloads are.
    pub retry: Retry,
}

impl StoreConfig {
    /// A store in a folder, with public sources and nothing else.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            offline: false,
            immich_caches: Vec::new(),
            bundled: None,
            hf_endpoint: None,
            hf_token: None,
            modelscope_endpoint: None,
            github_endpoint: None,
            extra_models: Vec::new(),
            retry: Retry::default(),
        }
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("root", &self.root)
            .field("offline", &self.offline)
            .field("immich_caches", &self.immich_caches)
            .field("bundled", &self.bundled)
            .field("hf_endpoint", &self.hf_endpoint)
            .field("hf_token", &self.hf_token.as_ref().map(|_| "…"))
            .field("modelscope_endpoint", &self.modelscope_endpoint)
            .field("github_endpoint", &self.github_endpoint)
            .field("extra_models", &self.extra_models.len())
            .field("retry", &self.retry)
            .finish()
    }
}
