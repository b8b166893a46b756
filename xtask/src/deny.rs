//! Licences, known holes, duplicates and sources of what the project depends on.
//!
//! `cargo deny` decides by `deny.toml`. The holes that are known it gets from `xtask/advisories.tsv`, so that no network is needed and a
//! test of an old state says today what it said then. The list holds the facts of `RustSec`'s database: which versions of which crate are
//! affected. It is written anew from a clone of that database with `cargo xtask deny --advisories FOLDER`.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::{
    process::{self, cargo, say, works},
    workspace,
};

/// The version that is installed where there is none.
const VERSION: &str = "0.20.2";
/// What `cargo deny` calls its copy of the database that it would fetch.
const DATABASE: &str = "advisory-db-3157b0e258782691";
/// What becomes of a known hole. Whether a version was taken back is asked of the registry, which tests do not need.
const ADVISORIES: &str = "yanked = \"allow\"\nunmaintained = \"workspace\"\n";
/// The list.
const LIST: &str = "xtask/advisories.tsv";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// First write the list of known holes anew, from this clone of `RustSec`'s database.
    #[arg(long, value_name = "FOLDER")]
    advisories: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(folder) = &arguments.advisories {
        refresh(folder)?;
    }
    check()
}

/// Asks `cargo deny`, which is installed if it is not there.
pub(crate) fn check() -> Result<()> {
    let program = program()?;
    let databases = workspace().join("target/advisory-dbs");
    fill(&databases.join(DATABASE))?;
    let config = fs::read_to_string(workspace().join("deny.toml"))?;
    let config = format!("{config}\n[advisories]\ndb-path = \"{}\"\n{ADVISORIES}", databases.display());
    let path = workspace().join("target/deny.toml");
    fs::write(&path, config)?;
    // Of all systems: what is not built here is judged too.
    process::run(cargo().args(["fetch", "--locked", "--quiet"]))?;
    process::run(
        Command::new(program).current_dir(workspace()).arg("--config").arg(path).args(["--offline", "check"]),
    )
}

fn program() -> Result<PathBuf> {
    if works("cargo-deny", &["--version"]) {
        return Ok("cargo-deny".into());
    }
    let root = workspace().join("target/tools");
    let program = root.join("bin/cargo-deny");
    if !program.exists() {
        let install =
            ["install", "cargo-deny", "--version", VERSION, "--locked", "--debug", "--no-default-features"];
        process::run(cargo().args(install).arg("--root").arg(&root))?;
    }
    Ok(program)
}

/// What is told of a hole.
#[derive(Deserialize)]
struct Told {
    advisory: Advisory,
    #[serde(default)]
    versions: Versions,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    package: String,
    date: String,
    /// Set where it is no hole: that a crate is not maintained, for example.
    #[serde(default)]
    informational: String,
    withdrawn: Option<String>,
}

#[derive(Default, Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

/// Writes the list anew.
fn refresh(folder: &Path) -> Result<()> {
    let mut lines = Vec::new();
    for krate in fs::read_dir(folder.join("crates"))? {
        for file in fs::read_dir(krate?.path())? {
            let path = file?.path();
            let text = fs::read_to_string(&path)?;
            let told = text.strip_prefix("```toml").and_then(|rest| rest.split_once("\n```"));
            let told = told.with_context(|| format!("{} does not begin with facts", path.display()))?.0;
            let Told { advisory, versions } =
                toml::from_str(told).with_context(|| path.display().to_string())?;
            if advisory.withdrawn.is_some() {
                continue;
            }
            let Advisory { id, package, date, informational, .. } = advisory;
            let (patched, unaffected) = (versions.patched.join("|"), versions.unaffected.join("|"));
            lines.push(format!("{id}\t{package}\t{date}\t{informational}\t{patched}\t{unaffected}\n"));
        }
    }
    ensure!(!lines.is_empty(), "there are no advisories in {}", folder.display());
    lines.sort();
    fs::write(workspace().join(LIST), lines.concat())?;
    say(&format!("{} known holes in {LIST}", lines.len()));
    Ok(())
}

/// The list as a database that `cargo deny` reads, which is a repository.
fn fill(folder: &Path) -> Result<()> {
    let list = fs::read_to_string(workspace().join(LIST))?;
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let mut newest = String::new();
    for line in list.lines() {
        let [id, package, date, informational, patched, unaffected] = line
            .split('\t')
            .collect::<Vec<_>>()
            .try_into()
            .ok()
            .with_context(|| format!("{LIST}: {line}"))?;
        newest = newest.max(date.to_owned());
        let crates = folder.join("crates").join(package);
        fs::create_dir_all(&crates)?;
        fs::write(
            crates.join(format!("{id}.md")),
            advisory(id, package, date, informational, patched, unaffected)?,
        )?;
    }
    let git = |arguments: &[&str]| -> Result<()> {
        let mut command = Command::new("git");
        command.current_dir(folder).args(["-c", "user.name=xtask", "-c", "user.email=xtask@localhost"]);
        let output = command.args(arguments).output().context("cannot start git")?;
        if !output.status.success() {
            bail!("git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    };
    git(&["init", "--quiet", "--initial-branch=main"])?;
    git(&["add", "."])?;
    git(&["commit", "--quiet", "--message", "The list"])?;
    say(&format!("{} known holes, the newest of {newest}", list.lines().count()));
    Ok(())
}

fn advisory(
    id: &str,
    package: &str,
    date: &str,
    informational: &str,
    patched: &str,
    unaffected: &str,
) -> Result<String> {
    let mut text = format!("```toml\n[advisory]\nid = {id:?}\npackage = {package:?}\ndate = {date:?}\n");
    if !informational.is_empty() {
        writeln!(text, "informational = {informational:?}")?;
    }
    let [patched, unaffected] = [patched, unaffected]
        .map(|list| list.split('|').filter(|version| !version.is_empty()).collect::<Vec<_>>());
    writeln!(
        text,
        "[versions]\npatched = {patched:?}\nunaffected = {unaffected:?}\n```\n\n# {id}\n\nSee the database."
    )?;
    Ok(text)
}
