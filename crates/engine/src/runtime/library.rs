use std::{
    ffi::{CStr, c_char, c_void},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::runtime::arena;

/// Oldest ONNX Runtime minor version (1.x) that is accepted: older ones crash while the process exits.
const MINIMUM_MINOR: u32 = 23;

/// Why the ONNX Runtime library cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LibraryError {
    /// The file is missing or is no shared library for this machine.
    #[error("{path} does not open as a shared library: {reason}")]
    Unopenable {
        /// The file.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },
    /// A shared library, but not this one.
    #[error("{0} is not an ONNX Runtime library")]
    NotOnnxRuntime(PathBuf),
    /// Its version is not supported.
    #[error("{path} is ONNX Runtime {version}; 1.{MINIMUM_MINOR} or newer is needed")]
    TooOld {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// It opened, but did not start.
    #[error("ONNX Runtime did not start: {0}")]
    Init(String),
    /// One process can hold one library only.
    #[error("ONNX Runtime was already loaded from {0}")]
    AlreadyLoaded(PathBuf),
}

/// The ONNX Runtime library of this process.
#[derive(Clone)]
pub struct Library {
    path: PathBuf,
    version: String,
    environment: ort::environment::Environment,
}

static LOADED: Mutex<Option<Library>> = Mutex::new(None);

/// Keeps ONNX Runtime from reporting to its makers. Call once, first thing in `main`, before there are other threads.
///
/// From version 1.32 on, it does so on Linux as well, before anything can be said about it through its interface; only this
/// variable keeps it from that.
pub fn forbid_telemetry() {
    // SAFETY: no other thread reads the environment, as there is none.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") }
}

impl Library {
    /// Opens and checks the library, once per process; later calls with the same file return the same library.
    ///
    /// The version is read before the bindings see the file, because they panic on, or wait for ever in, a
    /// library that is missing or too old.
    pub fn load(path: &Path) -> Result<Self, LibraryError> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = &*loaded {
            return if library.path == path {
                Ok(library.clone())
            } else {
                Err(LibraryError::AlreadyLoaded(library.path.clone()))
            };
        }
        let version = read_version(path)?;
        let minor = version.split('.').nth(1).and_then(|part| part.parse::<u32>().ok());
        if !version.starts_with("1.") || minor.is_none_or(|minor| minor < MINIMUM_MINOR) {
            return Err(LibraryError::TooOld { path: path.to_owned(), version });
        }
        let environment = ort::init_from(path)
            .map_err(|error| LibraryError::Init(error.to_string()))?
            .with_name("viewfinder")
            .with_telemetry(false)
            .build()
            .map_err(|error| LibraryError::Init(error.to_string()))?;
        arena::renew(&environment).map_err(|error| LibraryError::Init(error.to_string()))?;
        let library = Self { path: path.to_owned(), version, environment };
        *loaded = Some(library.clone());
        Ok(library)
    }

    /// The version without loading it for use, for diagnosis.
    pub fn version_of(path: &Path) -> Result<String, LibraryError> {
        read_version(path)
    }

    /// Where it was loaded from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version, such as `1.31.1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Gives back the working memory of sessions that are gone. Sessions that still run keep theirs.
    pub fn release_memory(&self) {
        if let Err(error) = arena::renew(&self.environment) {
            tracing::warn!(%error, "working memory could not be given back");
        }
    }

    pub(crate) fn environment(&self) -> &ort::environment::Environment {
        &self.environment
    }
}

/// First two members of ONNX Runtime's `OrtApiBase`, stable across all its versions.
#[repr(C)]
struct ApiBase {
    get_api: unsafe extern "C" fn(u32) -> *const c_void,
    get_version_string: unsafe extern "C" fn() -> *const c_char,
}

fn read_version(path: &Path) -> Result<String, LibraryError> {
    // SAFETY: opening a shared library runs its initialisers; the path comes from the operator, never from a request.
    let library = unsafe { libloading::Library::new(path) }
        .map_err(|error| LibraryError::Unopenable { path: path.to_owned(), reason: error.to_string() })?;
    // SAFETY: every ONNX Runtime library exports this symbol with this signature.
    let base = unsafe { library.get::<unsafe extern "C" fn() -> *const ApiBase>(b"OrtGetApiBase\0") }
        .map_err(|_| LibraryError::NotOnnxRuntime(path.to_owned()))?;
    // SAFETY: the function takes nothing and returns a pointer to static data, checked for null.
    let version = unsafe {
        let base = base();
        if base.is_null() {
            return Err(LibraryError::NotOnnxRuntime(path.to_owned()));
        }
        CStr::from_ptr(((*base).get_version_string)()).to_string_lossy().into_owned()
    };
    Ok(version)
}
