//! A folder that is ready to run, without Python and without a network, and its archive.
//!
//! The program looks for `models` beside itself, so the folder works wherever it is unpacked. What is in it, and why, is told in
//! `docs/design/release.md`.

mod check;
mod licences;
mod pack;

use std::{env, fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    compile,
    machine::{Need, provide},
    metadata::{self, Metadata},
    process::{self, say},
    workspace,
};

/// What reads text unless another model is chosen, and what runs it.
const MODELS: [&str; 2] = ["runtime", "PP-OCRv6_small"];
/// Shells whose completions come along, with the file that each shell looks for.
const COMPLETIONS: [(&str, &str); 5] = [
    ("bash", "viewfinder.bash"),
    ("zsh", "_viewfinder"),
    ("fish", "viewfinder.fish"),
    ("powershell", "viewfinder.ps1"),
    ("elvish", "viewfinder.elv"),
];
/// What comes along as it lies in the workspace.
const COPIED: [&str; 8] = [
    "README.md",
    "README.zh-CN.md",
    "LICENSE",
    "CHANGELOG.md",
    "SECURITY.md",
    "viewfinder.example.toml",
    "docs",
    "deploy",
];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Keep which line of code is where, for debuggers and `perf`, in a file of its own beside the archive. Builds everything again.
    #[arg(long)]
    symbols: bool,
    /// Do not build: take what lies in target/dist and only try it in an empty root.
    #[arg(long, conflicts_with = "symbols")]
    check: bool,
    /// Also build the container image `viewfinder` from the archive, with `docker`.
    #[arg(long)]
    image: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let target = metadata::host()?;
    let metadata = Metadata::read(&target)?;
    let name = format!("viewfinder-{}-{target}", metadata.program()?.version);
    let dist = workspace().join("target/dist");
    let archive = dist.join(format!("{name}.tar.zst"));
    if !arguments.check {
        provide(&[Need::Pip, Need::Assembler, Need::Packer])?;
        let program = compile::program(if arguments.symbols { "profiling" } else { "release" })?;
        if dist.exists() {
            fs::remove_dir_all(&dist)?;
        }
        let folder = dist.join(&name);
        make(&folder, &program, &metadata)?;
        if arguments.symbols {
            split(&folder.join("viewfinder"), &dist.join(format!("{name}.debug")))?;
        }
        let seconds = time()?;
        pack::fix_times(&folder, seconds)?;
        say("packing");
        pack::pack(&folder, seconds, &archive)?;
    }
    ensure!(archive.exists(), "{} is not there; run this without --check", archive.display());
    check::run(&archive, &name)?;
    if arguments.image {
        let mut docker = Command::new("docker");
        let dockerfile = workspace().join("deploy/Dockerfile");
        process::run(docker.args(["build", "--tag", "viewfinder", "--file"]).arg(dockerfile).arg(&dist))?;
    }
    let bytes = fs::metadata(&archive)?.len();
    say(&format!(
        "{} ({:.1} MB) is ready; unpack it with: tar -xf {name}.tar.zst",
        archive.display(),
        bytes as f64 / 1e6
    ));
    if let Some(glibc) = oldest_glibc(&dist.join(&name).join("viewfinder")) {
        say(&format!(
            "it runs where the C library is {glibc} or newer, with the C++ library of GCC beside it"
        ));
    }
    Ok(())
}

/// Fills the folder.
fn make(folder: &Path, program: &Path, metadata: &Metadata) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::copy(program, folder.join("viewfinder"))?;
    for name in COPIED {
        copy(&workspace().join(name), &folder.join(name))?;
    }
    licences::write(&folder.join("licences"), metadata)?;
    process::run(viewfinder(program).arg("man").arg(folder.join("man")))?;
    let completions = folder.join("completions");
    fs::create_dir(&completions)?;
    for (shell, file) in COMPLETIONS {
        let output = viewfinder(program).args(["completions", shell]).output()?;
        ensure!(output.status.success(), "no completions for {shell}");
        fs::write(completions.join(file), output.stdout)?;
    }
    // Kept for the next time.
    let store = workspace().join("target/dist-store");
    process::run(viewfinder(program).args(["models", "pull"]).args(MODELS).env("VIEWFINDER_MODELS", &store))?;
    process::run(viewfinder(program).args(["models", "verify"]).env("VIEWFINDER_MODELS", &store))?;
    copy(&store, &folder.join("models"))
}

/// The program, without its user's settings. The user's pip keeps its own.
fn viewfinder(program: &Path) -> Command {
    let mut command = Command::new(program);
    let settings = env::vars_os().map(|(name, _)| name);
    for name in settings.filter(|name| name.to_string_lossy().starts_with("VIEWFINDER_")) {
        command.env_remove(name);
    }
    command.env_remove("ORT_DYLIB_PATH").current_dir(workspace().join("target"));
    command
}

/// Copies a file, or a folder without what is hidden in it: locks and unfinished downloads of the store.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs::copy(from, to).with_context(|| from.display().to_string())?;
        return Ok(());
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if !name.to_string_lossy().starts_with('.') {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}

/// Moves what only debuggers read out of the program, which then names that file.
fn split(program: &Path, symbols: &Path) -> Result<()> {
    let objcopy = || Command::new("objcopy");
    process::run(
        objcopy().args(["--only-keep-debug", "--compress-debug-sections"]).arg(program).arg(symbols),
    )?;
    let mut link = std::ffi::OsString::from("--add-gnu-debuglink=");
    link.push(symbols);
    process::run(objcopy().arg("--strip-debug").arg(link).arg(program))
}

/// The time that all files get, in seconds since 1970: `SOURCE_DATE_EPOCH`, else that of the last commit.
fn time() -> Result<u64> {
    if let Ok(seconds) = env::var("SOURCE_DATE_EPOCH") {
        return seconds.trim().parse().context("SOURCE_DATE_EPOCH is no number of seconds");
    }
    let mut git = Command::new("git");
    let output = git
        .current_dir(workspace())
        .args(["log", "-1", "--format=%ct"])
        .output()
        .context("cannot start git")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim()
        .parse()
        .context("without a repository, set SOURCE_DATE_EPOCH to the time that files shall have")
}

/// The newest version of the C library that the program asks for, as `GLIBC_2.35`; none on systems that have another.
fn oldest_glibc(program: &Path) -> Option<String> {
    let output = Command::new("objdump").arg("-T").arg(program).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    newest_symbol_version(&text)
}

fn newest_symbol_version(symbols: &str) -> Option<String> {
    let words = symbols.split(|c: char| c.is_whitespace() || "()".contains(c));
    let numbers =
        |version: &str| version.split('.').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>();
    let versions = words.filter_map(|word| numbers(word.strip_prefix("GLIBC_")?));
    let newest = versions.max()?.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
    Some(format!("glibc {newest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_counts_by_number() {
        let said = "0 DF *UND* 0 (GLIBC_2.9) a\n0 DF *UND* 0 (GLIBC_2.35) b\n0 w D *UND* 0 (GLIBC_PRIVATE) c\n0 (GCC_3.0) d\n";
        assert_eq!(newest_symbol_version(said).as_deref(), Some("glibc 2.35"));
        assert_eq!(newest_symbol_version("no symbols"), None);
    }
}
