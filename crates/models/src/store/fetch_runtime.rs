//! Fetching ONNX Runtime's library from its sources.
use super::{ARCHIVES, Inner, turns::Wanted};
use crate::{
    ModelError, Progress, RuntimeFlavour, Source, Step,
    error::io_at,
    http::{Download, Expected, Trouble},
    lock::Lock,
    pip,
    runtime_library::{is_for_this_machine, stored, take_in, work_folder},
};
use std::{fs, path::PathBuf};

impl Inner {
    /// Fetches the library into the store.
    pub(super) fn fetch_runtime(
        &self,
        flavour: RuntimeFlavour,
        progress: &dyn Progress,
    ) -> Result<PathBuf, ModelError> {
        let (root, name) = (&self.config.root, flavour.name());
        let busy = || progress.pause(&format!("another process is fetching {name}"));
        let _lock = Lock::wait_telling(root, name, busy).map_err(io_at(root))?;
        // Someone else may have fetched it while we waited.
        if let Some(path) = stored(&self.config, flavour) {
            return Ok(path);
        }
        let entry = self.catalogue.find(name).ok_or_else(|| ModelError::Unknown { name: name.into() })?;
        let sources: Vec<&Source> =
            entry.sources.iter().filter(|source| is_for_this_machine(source)).collect();
        let wanted = Wanted { file: "ONNX Runtime", total: None, sources: &sources };
        let delivered = self.in_turn(&wanted, progress, |source, impatient| {
            self.try_runtime(source, flavour, impatient, progress)
        });
        progress.over();
        delivered.map_err(|failures| ModelError::RuntimeUnavailable { failures })?;
        stored(&self.config, flavour).ok_or_else(|| ModelError::RuntimeUnavailable { failures: Vec::new() })
    }

    /// Tries one source. The caller holds the library's lock.
    fn try_runtime(
        &self,
        source: &Source,
        flavour: RuntimeFlavour,
        impatient: bool,
        progress: &dyn Progress,
    ) -> Result<(), Trouble> {
        let root = &self.config.root;
        match source {
            Source::Pip { package, version, wheels, .. } => {
                let work = work_folder(root)?;
                progress.begin(Step::Fetch, &format!("{package} {version}"), None);
                let result = pip::download(package, version, None, wheels, work.path())
                    .and_then(|wheel| take_in(root, flavour, &wheel));
                progress.end(result.as_ref().copied().map_err(String::as_str));
                result.map_err(pip::blame)
            }
            Source::GitHub { repo, tag, asset, sha256, .. } => {
                let (url, bearer) = self.address(source).ok_or("it has no address".to_owned())?;
                let archive = root.join(ARCHIVES).join(format!("{repo}/{tag}/{asset}").replace('/', "!"));
                let expected = Expected { sha256: sha256.clone(), bytes: None };
                let file = Download { url: &url, bearer, expected: &expected, dest: &archive, label: asset };
                self.client.download(file, impatient, progress)?;
                let result = take_in(root, flavour, &archive);
                let _ = fs::remove_file(&archive);
                Ok(result?)
            }
            _ => Err("a runtime comes from pip or from a release".to_owned().into()),
        }
    }
}
