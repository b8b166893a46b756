//! The local store: from a name and a role to files on disk.
mod config;
mod convert;
mod fetch;
mod fetch_runtime;
mod find;
mod inspect;
mod probe;
mod turns;

pub use config::StoreConfig;
pub use convert::Converted;
pub use inspect::{CheckResult, ModelStatus, RoleStatus, State, Verdict};
pub use probe::Probe;

use crate::{
    Catalogue, Family, ModelEntry, ModelError, Progress, Role, RuntimeFlavour, error::io_at,
    failed_sources::FailedSources, http::Client, lock::Lock, manifest::Manifest, runtime_library,
};
use find::check_sum;
use std::{
    collections::{BTreeMap, HashMap},
    env, fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

/// One network, ready to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    /// The catalogue's name, or the name asked for when it comes from a cache nobody declared.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// How it is used.
    pub family: Family,
    /// The ONNX file. External data, if any, lies beside it.
    pub model: PathBuf,
    /// Files that belong to it, such as `tokenizer.json` and `config.json`.
    pub extra: BTreeMap<String, PathBuf>,
    /// Length of its vectors, where known.
    pub width: Option<usize>,
    /// Height and width of the picture it takes, where the catalogue fixes them (orientation classifiers).
    pub input_size: Option<(usize, usize)>,
    /// SHA-256 of the ONNX file; none for caches used in place.
    pub sha256: Option<String>,
    /// Where it was found.
    pub location: Location,
}

/// Where a network's files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Location {
    /// Files named in the configuration.
    Own,
    /// A cache in Immich's layout.
    ImmichCache,
    /// The store's own folder.
    Store,
    /// The folder of what came with the program.
    Bundled,
}

/// The store. Cheap to clone; safe to use from several threads and processes.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: StoreConfig,
    catalogue: Catalogue,
    client: Client,
    hf_endpoint: String,
    hf_token: Option<Token>,
    modelscope_endpoint: String,
    github_endpoint: String,
    /// Sources that nobody asks again for a while.
    failed: FailedSources,
    /// Sums of files used in place, by path, size and time of change.
    sums: Mutex<HashMap<Stamp, String>>,
}

/// A file as it was when it was summed: path, size, time of change.
type Stamp = (PathBuf, u64, Option<SystemTime>);

/// Keeps the token out of debug output.
struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The addresses where files are published.
const PUBLIC: [(&str, &str); 3] = [
    ("huggingface", "https://huggingface.co"),
    ("modelscope", "https://www.modelscope.cn"),
    ("github", "https://github.com"),
];

/// Abandoned work folders of killed processes are removed after this long.
const STALE: Duration = Duration::from_hours(24);

/// Where archives wait while files are taken out of them.
const ARCHIVES: &str = ".archives";

impl Store {
    /// Opens a store. The folder is made when something is first written to it.
    pub fn open(config: StoreConfig) -> Result<Self, ModelError> {
        let setting = |own: &Option<String>, variable: Option<&str>, public: &str| {
            own.clone()
                .or_else(|| variable.and_then(|name| env::var(name).ok()))
                .filter(|value| !value.trim().is_empty())
                .map_or_else(|| public.to_owned(), |value| value.trim().trim_end_matches('/').to_owned())
        };
        let inner = Inner {
            catalogue: Catalogue::new(config.extra_models.clone())?,
            client: Client::new(config.retry),
            hf_endpoint: setting(&config.hf_endpoint, Some("HF_ENDPOINT"), PUBLIC[0].1),
            hf_token: config
                .hf_token
                .clone()
                .or_else(|| env::var("HF_TOKEN").ok())
                .filter(|token| !token.is_empty())
                .map(Token),
            modelscope_endpoint: setting(&config.modelscope_endpoint, None, PUBLIC[1].1),
            github_endpoint: setting(&config.github_endpoint, None, PUBLIC[2].1),
            failed: FailedSources::of(&config.root),
            sums: Mutex::default(),
            config,
        };
        remove_stale(&inner.config.root.join(ARCHIVES));
        remove_stale(&inner.config.root.join("runtime"));
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The list of models, the user's own included.
    pub fn catalogue(&self) -> &Catalogue {
        &self.inner.catalogue
    }

    /// The store's own folder.
    pub fn root(&self) -> &Path {
        &self.inner.config.root
    }

    /// Is fetching forbidden?
    pub fn is_offline(&self) -> bool {
        self.inner.config.offline
    }

    /// The files of a network, fetched if need be and allowed.
    pub fn files(&self, name: &str, role: Role, progress: &dyn Progress) -> Result<ModelFiles, ModelError> {
        match self.local(name, role) {
            // A variant is made, not fetched.
            Err(ModelError::Missing { .. }) if !self.inner.config.offline || self.is_variant(name) => {}
            Err(error @ (ModelError::Corrupt { .. } | ModelError::Incomplete { .. }))
                if !self.inner.config.offline =>
            {
                tracing::warn!(%error, name, %role, "fetching the model again");
            }
            other => return other,
        }
        self.inner.fetch(name, role, progress)
    }

    /// Would asking for a network's files have them fetched, or made?
    pub fn would_fetch(&self, name: &str, role: Role) -> bool {
        match self.local(name, role) {
            Err(ModelError::Missing { .. }) => !self.inner.config.offline || self.is_variant(name),
            Err(ModelError::Corrupt { .. } | ModelError::Incomplete { .. }) => !self.inner.config.offline,
            _ => false,
        }
    }

    /// Is a network of this model's own on this machine, complete or not? One that it shares with another model does not count.
    pub fn has_any(&self, name: &str) -> bool {
        let Some(entry) = self.catalogue().find(name) else { return false };
        let own = |role: &Role| {
            self.catalogue().holder(entry, *role).is_some_and(|holder| holder.name == entry.name)
        };
        let here = |role| !matches!(self.local(name, role), Err(ModelError::Missing { .. }));
        entry.roles().into_iter().filter(own).any(here)
    }

    fn is_variant(&self, name: &str) -> bool {
        self.catalogue().find(name).is_some_and(|entry| entry.variant.is_some())
    }

    /// Asks sources again that failed a short while ago, since somebody wants it so.
    pub fn try_sources_again(&self) {
        self.inner.failed.forget_all();
    }

    /// The files of a network, if they are on this machine.
    pub fn local(&self, name: &str, role: Role) -> Result<ModelFiles, ModelError> {
        self.inner.local(name, role)
    }

    /// Fetches every network of a model that is not here yet; for the runtime's name, its library.
    pub fn pull(&self, name: &str, progress: &dyn Progress) -> Result<Vec<ModelFiles>, ModelError> {
        let entry =
            self.inner.catalogue.find(name).ok_or_else(|| ModelError::Unknown { name: name.into() })?;
        if let Some(flavour) = flavour_of(entry) {
            self.fetch_runtime_library(flavour, progress)?;
        }
        entry.roles().into_iter().map(|role| self.files(name, role, progress)).collect()
    }

    /// Takes a network in that `make` writes into the folder it is given, `model.onnx` and what belongs to it. What the
    /// store had of this network is replaced once all is there; if `make` fails, nothing changes.
    pub fn install<E: From<ModelError>>(
        &self,
        name: &str,
        role: Role,
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<ModelFiles, E> {
        let inner = &*self.inner;
        let entry = inner.catalogue.find(name).ok_or_else(|| ModelError::Unknown { name: name.into() })?;
        let root = &inner.config.root;
        let _lock = Lock::wait(root, &lock_name(entry, role)).map_err(io_at(root))?;
        let work = inner.work_folder()?;
        make(work.path())?;
        inner.take_in(work, entry, role)?;
        Ok(inner.local(name, role)?)
    }

    /// Makes a Chinese-CLIP's networks out of a checkpoint on this machine: in `out` if given, else in the store, under
    /// the name of the published size it has. `text_heads`: see [`viewfinder_convert::chinese_clip::Architecture::of`].
    pub fn convert(
        &self,
        checkpoint: &Path,
        out: Option<&Path>,
        text_heads: Option<usize>,
        progress: &dyn Progress,
    ) -> Result<Converted, ModelError> {
        self.inner.convert(checkpoint, out, text_heads, progress)
    }

    /// Deletes what the store's own folder holds of a model and returns the bytes freed. Networks shared with other
    /// models, caches in Immich's layout and files named in the configuration stay.
    pub fn remove(&self, name: &str) -> Result<u64, ModelError> {
        let inner = &*self.inner;
        let entry = inner.catalogue.find(name).ok_or_else(|| ModelError::Unknown { name: name.into() })?;
        let root = &inner.config.root;
        if let Some(flavour) = flavour_of(entry) {
            let _lock = Lock::wait(root, flavour.name()).map_err(io_at(root))?;
            return remove_folder(&runtime_library::folder(root, flavour));
        }
        let mut freed = 0;
        for role in Role::ALL {
            let folder = root.join(&entry.name).join(role.as_str());
            if folder.exists() {
                let _lock = Lock::wait(root, &lock_name(entry, role)).map_err(io_at(root))?;
                freed += remove_folder(&folder)?;
            }
        }
        // Only if nothing of the user's is left in them.
        let mut folder = root.join(&entry.name);
        while folder != *root && fs::remove_dir(&folder).is_ok() && folder.pop() {}
        Ok(freed)
    }

    /// Sums every file of a model (or of all) that is in the store or named in the configuration.
    pub fn verify(&self, name: Option<&str>) -> Result<Vec<CheckResult>, ModelError> {
        let inner = &*self.inner;
        let chosen: Vec<&ModelEntry> = match name {
            Some(name) => {
                vec![inner.catalogue.find(name).ok_or_else(|| ModelError::Unknown { name: name.into() })?]
            }
            None => inner.catalogue.entries().iter().chain(inner.catalogue.variants()).collect(),
        };
        let mut out = Vec::new();
        for entry in chosen {
            if let Some(flavour) = flavour_of(entry) {
                for root in inner.roots() {
                    let folder = runtime_library::folder(root, flavour);
                    if let Some(manifest) = Manifest::read(&folder) {
                        let looked = manifest.looked_at(&folder, true);
                        let verdict = looked.map_or_else(Verdict::Bad, |_| Verdict::Good);
                        out.push(CheckResult { name: entry.name.clone(), role: None, path: folder, verdict });
                    }
                }
                continue;
            }
            for role in entry.roles() {
                // A network shared by many bundles is checked where it lives, or for the bundle asked for.
                let Some(holder) = inner.catalogue.holder(entry, role) else { continue };
                if name.is_some() || holder.name == entry.name {
                    out.extend(inner.verify(holder, role));
                }
            }
        }
        Ok(out)
    }

    /// Every published model with what is here of it, the variants that were made, and those that only a cache in Immich's
    /// layout knows at the end. Reads no file contents but small settings.
    pub fn list(&self) -> Vec<ModelStatus> {
        let inner = &*self.inner;
        let status = |entry: &ModelEntry| ModelStatus {
            name: entry.name.clone(),
            family: entry.family,
            width: entry.width,
            licence: entry.licence.clone(),
            note: entry.note.clone(),
            roles: entry.roles().into_iter().map(|role| inner.status(entry, role)).collect(),
            library: flavour_of(entry).and_then(|flavour| runtime_library::stored(&inner.config, flavour)),
        };
        let made = |model: &ModelStatus| model.roles.iter().any(|role| role.state != State::Absent);
        let variants = inner.catalogue.variants().iter().map(status).filter(made);
        inner
            .catalogue
            .entries()
            .iter()
            .map(status)
            .chain(variants)
            .chain(inner.undeclared_models())
            .collect()
    }

    /// The ONNX Runtime library, fetched if it is nowhere on this machine and fetching is allowed.
    pub fn runtime_library(
        &self,
        flavour: RuntimeFlavour,
        progress: &dyn Progress,
    ) -> Result<PathBuf, ModelError> {
        if let Some(path) = self.locate_runtime_library(flavour) {
            return Ok(path);
        }
        self.fetch_runtime_library(flavour, progress)
    }

    /// Is this build of the ONNX Runtime library in the store, or did it come with the program?
    pub fn has_runtime_library(&self, flavour: RuntimeFlavour) -> bool {
        runtime_library::stored(&self.inner.config, flavour).is_some()
    }

    /// The ONNX Runtime library in the store, or that came with the program, else fetched, whatever else is on this machine.
    pub fn fetch_runtime_library(
        &self,
        flavour: RuntimeFlavour,
        progress: &dyn Progress,
    ) -> Result<PathBuf, ModelError> {
        let inner = &*self.inner;
        match runtime_library::stored(&inner.config, flavour) {
            Some(path) => Ok(path),
            None if inner.config.offline => Err(ModelError::RuntimeMissingOffline),
            None => inner.fetch_runtime(flavour, progress),
        }
    }

    /// The ONNX Runtime library on this machine: `ORT_DYLIB_PATH` (unchecked: an explicit choice is not replaced), the
    /// store, what came with the program, beside the program, the system's folders.
    pub fn locate_runtime_library(&self, flavour: RuntimeFlavour) -> Option<PathBuf> {
        runtime_library::locate(&self.inner.config, flavour)
    }
}

fn lock_name(entry: &ModelEntry, role: Role) -> String {
    format!("{}!{role}", entry.name)
}

fn flavour_of(entry: &ModelEntry) -> Option<RuntimeFlavour> {
    [RuntimeFlavour::Cpu, RuntimeFlavour::Cuda].into_iter().find(|flavour| flavour.name() == entry.name)
}

/// Deletes a folder of the store and says how much it held.
fn remove_folder(folder: &Path) -> Result<u64, ModelError> {
    let mut freed = 0;
    match fs::read_dir(folder) {
        Ok(items) => {
            for item in items.filter_map(Result::ok) {
                freed += item.metadata().map_or(0, |metadata| metadata.len());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(io_at(folder)(error)),
    }
    fs::remove_dir_all(folder).map_err(io_at(folder))?;
    Ok(freed)
}

/// Sweeps up after killed processes.
fn remove_stale(folder: &Path) {
    let Ok(items) = fs::read_dir(folder) else { return };
    for item in items.filter_map(Result::ok) {
        let name = item.file_name();
        let ours = folder.ends_with(ARCHIVES) || name.to_string_lossy().starts_with(".fetch-");
        let old = item
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age > STALE));
        if ours && old {
            let path = item.path();
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }
}
