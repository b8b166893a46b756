//! What `cargo metadata` tells of the program and what it is built from.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::process::cargo;

/// The package of the program.
const PROGRAM: &str = "viewfinder";

/// One package in one version.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression.
    pub(crate) license: Option<String>,
    #[serde(default)]
    pub(crate) authors: Vec<String>,
    pub(crate) repository: Option<String>,
    /// Where it comes from; none for members of the workspace.
    pub(crate) source: Option<String>,
    pub(crate) manifest_path: PathBuf,
    targets: Vec<Target>,
}

impl Package {
    /// It runs in the compiler and is not part of the program.
    fn is_macro(&self) -> bool {
        self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
    }
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

/// All packages, and who needs whom.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// None for what the package itself uses, else `build` or `dev`.
    kind: Option<String>,
}

impl Metadata {
    /// Asks cargo, for one kind of machine.
    pub(crate) fn read(target: &str) -> Result<Self> {
        let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", target];
        // In a new clone it fetches the sources of all crates, and tells of it.
        let output =
            cargo().args(arguments).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
        ensure!(output.status.success(), "cargo metadata failed");
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The program's own package.
    pub(crate) fn program(&self) -> Result<&Package> {
        let found = self.packages.iter().find(|package| package.name == PROGRAM && package.source.is_none());
        found.context("the workspace has no package of the program")
    }

    /// Packages whose code is in the program, by name.
    pub(crate) fn linked(&self) -> Result<Vec<&Package>> {
        self.reached(false)
    }

    /// Packages that are compiled for the program: also macros, and what build scripts use.
    pub(crate) fn compiled(&self) -> Result<Vec<&Package>> {
        self.reached(true)
    }

    fn reached(&self, for_building: bool) -> Result<Vec<&Package>> {
        let packages: BTreeMap<&str, &Package> =
            self.packages.iter().map(|package| (package.id.as_str(), package)).collect();
        let nodes: BTreeMap<&str, &Node> =
            self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let wanted = |kind: &DependencyKind| match kind.kind.as_deref() {
            None => true,
            Some(kind) => for_building && kind == "build",
        };
        let mut seen = BTreeSet::new();
        let mut waiting = vec![self.program()?.id.as_str()];
        while let Some(id) = waiting.pop() {
            let package = packages.get(id).context("cargo names a package that it does not describe")?;
            if (package.is_macro() && !for_building) || !seen.insert(id) {
                continue;
            }
            let node = nodes.get(id).context("cargo names a package without its dependencies")?;
            let needed = node.deps.iter().filter(|dependency| dependency.dep_kinds.iter().any(wanted));
            waiting.extend(needed.map(|dependency| dependency.pkg.as_str()));
        }
        let mut found: Vec<&Package> = seen.into_iter().filter_map(|id| packages.get(id).copied()).collect();
        found.sort_by_key(|package| (&package.name, &package.version));
        Ok(found)
    }
}

/// The kind of machine that this one is, as Rust names it.
pub(crate) fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say for which machine it is")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_and_build_scripts_are_compiled_and_not_linked() {
        let metadata = Metadata::read(&host().unwrap()).unwrap();
        let names = |packages: Vec<&Package>| -> BTreeSet<String> {
            packages.into_iter().map(|package| package.name.clone()).collect()
        };
        let (linked, compiled) = (names(metadata.linked().unwrap()), names(metadata.compiled().unwrap()));
        assert!(linked.is_subset(&compiled));
        assert!(
            linked.contains("serde") && !linked.contains("serde_derive") && compiled.contains("serde_derive")
        );
        assert!(linked.contains("libsqlite3-sys") && !linked.contains("cc") && compiled.contains("cc"));
        assert!(!compiled.contains("proptest"), "tests' packages are no part of it");
    }
}
