//! ONNX Runtime's shared library: finding it, and taking it out of its Python package.
use crate::{
    Catalogue, ModelError, Progress, Source, SourceFailure, Step, archive,
    error::io_at,
    lock::Lock,
    manifest::{self, Manifest},
    pip,
};
use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// Which build of ONNX Runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuntimeFlavour {
    /// The plain build: CPU, on macOS also `CoreML`.
    #[default]
    Cpu,
    /// The build with CUDA and `TensorRT`. It runs on the CPU as well.
    Cuda,
}

impl RuntimeFlavour {
    /// Its name in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "runtime",
            Self::Cuda => "runtime-cuda",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }
}

/// The folder of one build inside the store.
pub(crate) fn folder(root: &Path, flavour: RuntimeFlavour) -> PathBuf {
    root.join("runtime").join(flavour.folder())
}

/// The library in a folder of the store, if it is complete and unchanged.
pub(crate) fn stored(root: &Path, flavour: RuntimeFlavour) -> Option<PathBuf> {
    let folder = folder(root, flavour);
    let manifest = Manifest::read(&folder)?;
    if let Err(error) = manifest.check(&folder, false) {
        tracing::warn!(%error, "the stored ONNX Runtime cannot be used");
        return None;
    }
    manifest.files.keys().find(|name| is_main(name)).map(|name| folder.join(name))
}

/// Looks where a library may be without downloading: `ORT_DYLIB_PATH`, the store, beside the program, the system.
pub(crate) fn locate(root: &Path, flavour: RuntimeFlavour) -> Option<PathBuf> {
    // An explicit choice is never replaced by another library, even when it turns out to be unusable.
    if let Some(path) = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    stored(root, flavour)
        .or_else(|| (flavour == RuntimeFlavour::Cpu).then(|| stored(root, RuntimeFlavour::Cuda)).flatten())
        .or_else(|| system_folders().into_iter().find_map(|folder| library_in(&folder)))
}

/// Fetches the library into the store.
pub(crate) fn fetch(
    root: &Path,
    flavour: RuntimeFlavour,
    catalogue: &Catalogue,
    progress: &dyn Progress,
) -> Result<PathBuf, ModelError> {
    let lock_root = root.to_owned();
    let _lock = Lock::wait(root, flavour.name()).map_err(io_at(lock_root))?;
    if let Some(path) = stored(root, flavour) {
        return Ok(path);
    }
    let mut failures = Vec::new();
    let entry =
        catalogue.find(flavour.name()).ok_or_else(|| ModelError::Unknown { name: flavour.name().into() })?;
    for source in &entry.sources {
        let Source::Pip { package, version, wheels, .. } = source else { continue };
        progress.begin(Step::Fetch, &format!("{package} {version}"), None);
        let result = from_package(root, flavour, package, version, wheels);
        progress.end(result.as_ref().map(|_| ()).map_err(String::as_str));
        match result {
            Ok(path) => return Ok(path),
            Err(reason) => failures.push(SourceFailure { source: source.to_string(), reason }),
        }
    }
    Err(ModelError::RuntimeUnavailable { failures })
}

fn from_package(
    root: &Path,
    flavour: RuntimeFlavour,
    package: &str,
    version: &str,
    wheels: &[String],
) -> Result<PathBuf, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let target = folder(root, flavour);
    let parent = root.join("runtime");
    fs::create_dir_all(&parent).map_err(|error| text(&error))?;
    let work =
        tempfile::Builder::new().prefix(".fetch-").tempdir_in(&parent).map_err(|error| text(&error))?;
    let into = work.path().join("wheel");
    let staged = work.path().join("lib");
    fs::create_dir_all(&into).map_err(|error| text(&error))?;
    let wheel = pip::download(package, version, None, wheels, &into)?;
    let found = archive::extract_matching(&wheel, |name| {
        let file = name.strip_prefix("onnxruntime/capi/").filter(|file| !file.contains('/'))?;
        is_part(file).then(|| staged.join(file))
    })?;
    let mut manifest = Manifest::default();
    let mut main = None;
    for file in found {
        let name = file.dest.file_name().and_then(OsStr::to_str).ok_or("odd file name in the package")?;
        manifest.record(&staged, name, file.sha256).map_err(|error| text(&error))?;
        if is_main(name) {
            main = Some(name.to_owned());
        }
    }
    let main = main.ok_or("the package holds no ONNX Runtime library for this platform")?;
    manifest.write(&staged).map_err(|error| text(&error))?;
    if target.exists() {
        fs::remove_dir_all(&target).map_err(|error| text(&error))?;
    }
    fs::rename(&staged, &target).map_err(|error| text(&error))?;
    manifest::sync_folder(&parent);
    Ok(target.join(main))
}

/// Is it the library itself? `libonnxruntime.so`, `libonnxruntime.so.1.32.0`, `libonnxruntime.1.32.0.dylib`, `onnxruntime.dll`.
fn is_main(name: &str) -> bool {
    let between = |head: &str, tail: &str| {
        name.strip_prefix(head).is_some_and(|rest| rest.strip_suffix(tail).is_some())
    };
    name.starts_with("libonnxruntime.so") || between("libonnxruntime.", "dylib") || name == "onnxruntime.dll"
}

/// Is it the library or one of its provider libraries, which must lie beside it?
fn is_part(name: &str) -> bool {
    is_main(name)
        || name.starts_with("libonnxruntime_providers_")
        || name.strip_prefix("onnxruntime_providers_").is_some_and(|rest| rest.strip_suffix(".dll").is_some())
}

fn system_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(own) = env::current_exe().ok().as_deref().and_then(Path::parent) {
        folders.push(own.to_owned());
        folders.extend(own.parent().map(|parent| parent.join("lib")));
    }
    if cfg!(unix) {
        folders.extend(["/usr/local/lib", "/usr/lib", "/usr/lib64", "/lib64"].map(PathBuf::from));
        folders.push(format!("/usr/lib/{}-linux-gnu", env::consts::ARCH).into());
        folders.extend(["/opt/onnxruntime/lib", "/opt/homebrew/lib"].map(PathBuf::from));
    }
    folders
}

/// The library in a folder; of several versions the last by name.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let names = fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| is_main(name)).max().map(|name| folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_names_are_told_apart() {
        for name in [
            "libonnxruntime.so",
            "libonnxruntime.so.1.32.0",
            "libonnxruntime.1.32.0.dylib",
            "onnxruntime.dll",
        ] {
            assert!(is_main(name) && is_part(name), "{name}");
        }
        for name in ["libonnxruntime_providers_shared.so", "onnxruntime_providers_cuda.dll"] {
            assert!(!is_main(name) && is_part(name), "{name}");
        }
        for name in ["onnxruntime_pybind11_state.cpython-311-x86_64-linux-gnu.so", "__init__.py"] {
            assert!(!is_part(name), "{name}");
        }
    }
}
