//! ONNX Runtime's shared library: finding it, and taking it out of its Python package or its makers' release.
use crate::{
    ModelError, Source, StoreConfig, archive,
    manifest::{self, Manifest},
    program::program_folder,
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

/// The library in the store's own folder, else in that of what came with the program, if it is complete and unchanged.
pub(crate) fn stored(config: &StoreConfig, flavour: RuntimeFlavour) -> Option<PathBuf> {
    let own = complete(&folder(&config.root, flavour), |manifest, folder| manifest.check(folder, false));
    own.or_else(|| {
        let bundled = folder(config.bundled.as_deref()?, flavour);
        complete(&bundled, |manifest, folder| manifest.looked_at(folder, false).map(drop))
    })
}

/// The library in a folder with a manifest, if that passes the check.
fn complete(
    folder: &Path,
    check: impl FnOnce(&Manifest, &Path) -> Result<(), ModelError>,
) -> Option<PathBuf> {
    let manifest = Manifest::read(folder)?;
    if let Err(error) = check(&manifest, folder) {
        tracing::warn!(%error, "the stored ONNX Runtime cannot be used");
        return None;
    }
    manifest.files.keys().find(|name| is_main(name)).map(|name| folder.join(name))
}

/// Looks where a library may be without downloading: `ORT_DYLIB_PATH`, the store, what came with the program, the system.
pub(crate) fn locate(config: &StoreConfig, flavour: RuntimeFlavour) -> Option<PathBuf> {
    // An explicit choice is never replaced by another library, even when it turns out to be unusable.
    if let Some(path) = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    stored(config, flavour)
        .or_else(|| (flavour == RuntimeFlavour::Cpu).then(|| stored(config, RuntimeFlavour::Cuda)).flatten())
        .or_else(|| system_folders().into_iter().find_map(|folder| library_in(&folder, flavour)))
}

/// Takes the library out of its archive into the store, and with it what belongs to it.
pub(crate) fn take_in(root: &Path, flavour: RuntimeFlavour, archive: &Path) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let work = work_folder(root)?;
    let staged = work.path().join("lib");
    let found = archive::extract_matching(archive, |name| wanted(name).map(|file| staged.join(file)))?;
    let mut manifest = Manifest::default();
    for file in found {
        let name = file.dest.file_name().and_then(OsStr::to_str).ok_or("odd file name in the package")?;
        manifest.record(&staged, name, file.sha256).map_err(|error| text(&error))?;
    }
    if !manifest.files.keys().any(|name| is_main(name)) {
        return Err("the package holds no ONNX Runtime library for this platform".into());
    }
    manifest.write(&staged).map_err(|error| text(&error))?;
    let target = folder(root, flavour);
    if target.exists() {
        fs::remove_dir_all(&target).map_err(|error| text(&error))?;
    }
    fs::rename(&staged, &target).map_err(|error| text(&error))?;
    manifest::sync_folder(&root.join("runtime"));
    Ok(())
}

/// A folder beside those of the library's builds. It goes with its owner, or as a stale one.
pub(crate) fn work_folder(root: &Path) -> Result<tempfile::TempDir, String> {
    let parent = root.join("runtime");
    let made = fs::create_dir_all(&parent)
        .and_then(|()| tempfile::Builder::new().prefix(".fetch-").tempdir_in(&parent));
    made.map_err(|error| error.to_string())
}

/// Can this source have a library for this machine?
pub(crate) fn is_for_this_machine(source: &Source) -> bool {
    let here = || format!("{}-{}", env::consts::OS, env::consts::ARCH);
    match source {
        Source::GitHub { platform: Some(platform), .. } => *platform == here(),
        _ => true,
    }
}

/// Under which name a file of a wheel (`onnxruntime/capi/…`) or of a release (`onnxruntime-linux-x64-1.30.0/lib/…`) is kept:
/// libraries, and the licences they come under.
fn wanted(path: &str) -> Option<&str> {
    let (folders, file) = path.trim_start_matches("./").rsplit_once('/')?;
    let library = matches!(folders.split_once('/'), Some((_, "capi" | "lib"))) && is_part(file);
    let licence = !folders.contains('/')
        && !folders.ends_with(".dist-info")
        && ["LICENSE", "ThirdPartyNotices.txt"].contains(&file);
    (library || licence).then_some(file)
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
    if let Some(own) = program_folder() {
        folders.push(own.clone());
        folders.extend(own.parent().map(|parent| parent.join("lib")));
    }
    if cfg!(unix) {
        folders.extend(["/usr/local/lib", "/usr/lib", "/usr/lib64", "/lib64"].map(PathBuf::from));
        folders.push(format!("/usr/lib/{}-linux-gnu", env::consts::ARCH).into());
        folders.extend(["/opt/onnxruntime/lib", "/opt/homebrew/lib"].map(PathBuf::from));
    }
    folders
}

/// The library in a folder; of several versions the last by name. The build for CUDA is known by what it needs beside it.
fn library_in(folder: &Path, flavour: RuntimeFlavour) -> Option<PathBuf> {
    let names = fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names: Vec<String> = names.collect();
    let cuda = ["libonnxruntime_providers_cuda.so", "onnxruntime_providers_cuda.dll"];
    if flavour == RuntimeFlavour::Cuda && !names.iter().any(|name| cuda.contains(&name.as_str())) {
        return None;
    }
    names.into_iter().filter(|name| is_main(name)).max().map(|name| folder.join(name))
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

    #[test]
    fn libraries_and_licences_are_taken_and_nothing_else() {
        for (path, name) in [
            ("onnxruntime/capi/libonnxruntime.so.1.32.0", Some("libonnxruntime.so.1.32.0")),
            ("./onnxruntime-linux-x64-1.30.0/lib/libonnxruntime.so.1.30.0", Some("libonnxruntime.so.1.30.0")),
            ("onnxruntime-win-x64-1.30.0/lib/onnxruntime.dll", Some("onnxruntime.dll")),
            ("onnxruntime/LICENSE", Some("LICENSE")),
            ("onnxruntime-osx-arm64-1.30.0/ThirdPartyNotices.txt", Some("ThirdPartyNotices.txt")),
            ("onnxruntime-1.32.0.dist-info/LICENSE", None),
            (
                "o/lib/libonnxruntime.1.30.0.dylib.dSYM/Contents/Resources/DWARF/libonnxruntime.1.30.0.dylib",
                None,
            ),
            ("onnxruntime-win-x64-1.30.0/lib/onnxruntime.lib", None),
            ("onnxruntime/tools/LICENSE", None),
            ("libonnxruntime.so", None),
        ] {
            assert_eq!(wanted(path), name, "{path}");
        }
    }

    #[test]
    fn a_folder_without_its_provider_is_no_build_for_cuda() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| fs::write(folder.path().join(name), "x").unwrap();
        put("libonnxruntime.so.1.30.0");
        assert!(library_in(folder.path(), RuntimeFlavour::Cuda).is_none());
        assert!(library_in(folder.path(), RuntimeFlavour::Cpu).is_some());
        put("libonnxruntime_providers_cuda.so");
        assert!(library_in(folder.path(), RuntimeFlavour::Cuda).is_some());
    }
}
