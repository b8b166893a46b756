//! Fetching a network from its sources.
use super::{ARCHIVES, Inner, ModelFiles, lock_name, turns::Wanted};
use crate::{
    Family, ModelEntry, ModelError, Progress, Role, Source, Step,
    archive::{self, ArchiveMember},
    checksum,
    error::io_at,
    http::{Download, Expected, Trouble},
    layout,
    lock::Lock,
    manifest::{self, Manifest},
    names, pip,
};
use std::{fmt::Write as _, fs, io, path::Path};

impl Inner {
    pub(super) fn fetch(
        &self,
        name: &str,
        role: Role,
        progress: &dyn Progress,
    ) -> Result<ModelFiles, ModelError> {
        let entry = self.catalogue.find(name).ok_or_else(|| ModelError::Unknown { name: name.into() })?;
        let holder = self
            .catalogue
            .holder(entry, role)
            .ok_or_else(|| ModelError::NoRole { name: name.into(), role })?;
        let root = &self.config.root;
        let busy = || progress.pause(&format!("another process is fetching {} {role}", holder.name));
        let _lock = Lock::wait_telling(root, &lock_name(holder, role), busy).map_err(io_at(root))?;
        // Someone else may have fetched it while we waited.
        match self.local(name, role) {
            Err(ModelError::Missing { .. }) => {}
            Err(error @ (ModelError::Corrupt { .. } | ModelError::Incomplete { .. })) => {
                self.discard(error, holder, role)?;
            }
            other => return other,
        }
        if let Some(variant) = &holder.variant {
            return Err(ModelError::NotMade {
                name: name.into(),
                role,
                base: variant.base.clone(),
                precision: variant.precision,
            });
        }
        let part = holder.part(role);
        let sources = self.sources(holder, role);
        let checkpoint = |source: &Source| holder.checkpoints.contains(source);
        let total = part.and_then(|part| part.bytes).filter(|_| holder.checkpoints.is_empty());
        let wanted = Wanted { file: &format!("{} {role}", holder.name), total, sources: &sources };
        let delivered = self.in_turn(&wanted, progress, |source, impatient| {
            if checkpoint(source) {
                self.try_checkpoint(source, holder, role, impatient, progress)
            } else {
                self.try_source(source, entry, holder, role, impatient, progress)
            }
        });
        let Err(failures) = delivered else { return self.local(name, role) };
        let tried = sources.iter().any(|source| checkpoint(source) || !matches!(source, Source::File { .. }));
        if tried || !failures.is_empty() {
            return Err(ModelError::Unavailable { name: name.into(), role, failures });
        }
        Err(ModelError::NoSource { name: name.into(), role, hint: self.bring_your_own(holder, role) })
    }

    /// Who may have a model's network, in the order in which they are asked.
    pub(super) fn sources<'a>(&'a self, entry: &'a ModelEntry, role: Role) -> Vec<&'a Source> {
        let Some(holder) = self.catalogue.holder(entry, role) else { return Vec::new() };
        let part = holder.part(role).iter().flat_map(|part| &part.sources).collect::<Vec<_>>();
        holder.checkpoints.iter().chain(part).chain(&holder.sources).collect()
    }

    /// How to use a model that nobody publishes as ONNX.
    fn bring_your_own(&self, holder: &ModelEntry, role: Role) -> String {
        let folder = self.config.root.join(&holder.name);
        let mut hint = format!("put the file at {}", folder.join(role.as_str()).join("model.onnx").display());
        if holder.family == Family::ChineseClip {
            let side = if role == Role::Visual { "img" } else { "txt" };
            let _ = write!(
                hint,
                ", or the exporter's <prefix>.{side}.fp32.onnx into {}, or name the prefix in the configuration: \
                 [[models]] name = {:?}, family = \"chinese-clip\", sources = [{{ file = \"/path/<prefix>\" }}]",
                folder.display(),
                holder.name
            );
        }
        hint
    }

    /// Removes a damaged copy from the store; a damaged file elsewhere is the user's to look at.
    fn discard(&self, error: ModelError, holder: &ModelEntry, role: Role) -> Result<(), ModelError> {
        let folder = self.config.root.join(&holder.name).join(role.as_str());
        let (ModelError::Corrupt { path: bad, .. } | ModelError::Incomplete { folder: bad, .. }) = &error
        else {
            return Err(error);
        };
        if !bad.starts_with(&folder) {
            return Err(error);
        }
        // Without a manifest and a graph the folder counts as unfinished, and what is good in it is kept.
        let damaged = bad.is_file().then(|| bad.clone());
        for path in damaged.into_iter().chain([folder.join(manifest::FILE), folder.join("model.onnx")]) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_at(path)(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Tries one source. The caller holds the network's lock.
    fn try_source(
        &self,
        source: &Source,
        entry: &ModelEntry,
        holder: &ModelEntry,
        role: Role,
        impatient: bool,
        progress: &dyn Progress,
    ) -> Result<(), Trouble> {
        let folder = self.config.root.join(&holder.name).join(role.as_str());
        let part = holder.part(role);
        let expected = Expected {
            bytes: part.and_then(|part| part.bytes),
            sha256: part.and_then(|part| part.sha256.clone()),
        };
        let label = format!("{} {role}", holder.name);
        let dest = folder.join("model.onnx");
        let one = || -> Result<(), Trouble> {
            let (url, bearer) =
                self.address(source).ok_or("the source does not say which file".to_owned())?;
            let file = Download { url: &url, bearer, expected: &expected, dest: &dest, label: &label };
            let sha256 = self.client.download(file, impatient, progress)?;
            Ok(finish(&folder, &[("model.onnx".to_owned(), sha256)])?)
        };
        match source {
            Source::File { path } => Err(format!("{} does not exist or is empty", path.display()).into()),
            Source::HuggingFace { repo, revision, path: None } => {
                self.try_repository(repo, revision, holder, role, impatient, progress)
            }
            Source::HuggingFace { .. } | Source::ModelScope { .. } | Source::GitHub { member: None, .. } => {
                one()
            }
            Source::GitHub { repo, tag, asset, member: Some(_), .. } => {
                let url = format!("{}/{repo}/releases/download/{tag}/{asset}", self.github_endpoint);
                let key = format!("{repo}/{tag}/{asset}").replace('/', "!");
                let _lock = Lock::wait(&self.config.root, &key).map_err(|error| error.to_string())?;
                let archive = self.config.root.join(ARCHIVES).join(key);
                let unknown = Expected::default();
                let file =
                    Download { url: &url, bearer: None, expected: &unknown, dest: &archive, label: asset };
                self.client.download(file, impatient, progress)?;
                let result = self.unpack(&archive, source, entry, holder, role);
                let _ = fs::remove_file(&archive);
                Ok(result?)
            }
            Source::Pip { package, version, sdist, wheels, .. } => {
                let archives = self.config.root.join(ARCHIVES);
                fs::create_dir_all(&archives).map_err(|error| error.to_string())?;
                let work = tempfile::Builder::new()
                    .prefix("pip-")
                    .tempdir_in(&archives)
                    .map_err(|error| error.to_string())?;
                progress.begin(Step::Fetch, &format!("{package} {version}"), None);
                let result = pip::download(package, version, sdist.as_ref(), wheels, work.path())
                    .and_then(|archive| self.unpack(&archive, source, entry, holder, role));
                progress.end(result.as_ref().copied().map_err(String::as_str));
                result.map_err(pip::blame)
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
        let wanted = ArchiveMember {
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
    fn try_repository(
        &self,
        repo: &str,
        revision: &str,
        holder: &ModelEntry,
        role: Role,
        impatient: bool,
        progress: &dyn Progress,
    ) -> Result<(), Trouble> {
        let folder = self.config.root.join(&holder.name).join(role.as_str());
        let mut files = Vec::new();
        let mut next = Some(self.listing(repo, revision));
        while let Some(url) = next {
            let bearer = self
                .token()
                .filter(|_| url.strip_prefix(&self.hf_endpoint).is_some_and(|rest| rest.starts_with('/')));
            let (page, following) = self.client.json(&url, bearer, progress)?;
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
                names::is_safe(name).then(|| (name.to_owned(), item))
            })
            .collect();
        for name in ["model.onnx"].iter().chain(layout::required(holder.family, role)) {
            if !wanted.iter().any(|(have, _)| have == name) {
                return Err(format!("the repository has no {prefix}{name}").into());
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
            let sum = self.client.download(file, impatient, progress)?;
            sums.push((name, sum));
        }
        Ok(finish(&folder, &sums)?)
    }

    /// Where a repository tells what is in it.
    pub(super) fn listing(&self, repo: &str, revision: &str) -> String {
        format!("{}/api/models/{repo}/tree/{revision}?recursive=true", self.hf_endpoint)
    }

    pub(super) fn hub_file(&self, repo: &str, revision: &str, path: &str) -> String {
        format!("{}/{repo}/resolve/{revision}/{path}", self.hf_endpoint)
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.hf_token.as_ref().map(|token| token.0.as_str())
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
            Source::Pip { package: a, version: av, sdist: asd, wheels: aw, member: Some(_) },
            Source::Pip { package: b, version: bv, sdist: bsd, wheels: bw, member: Some(_) },
        ) => a == b && av == bv && asd == bsd && aw == bw,
        (
            Source::GitHub { repo: a, tag: at, asset: aa, member: Some(_), .. },
            Source::GitHub { repo: b, tag: bt, asset: ba, member: Some(_), .. },
        ) => a == b && at == bt && aa == ba,
        _ => false,
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
