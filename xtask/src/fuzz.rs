//! Searches the targets of `crates/fuzz` for inputs that break something, led by coverage.
//!
//! Stable Rust will do: the compiler counts edges and shows comparisons to libFuzzer, with the flags that cargo-fuzz uses where there is
//! no sanitizer. Only what is built for a named platform is instrumented, and so build scripts are not.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    process::{self, cargo, say},
    workspace,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A target; without it, all of them, one after the other
    target: Option<String>,
    /// Only try this input
    #[arg(requires = "target")]
    input: Option<PathBuf>,
    /// How long each target is fuzzed
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
}

/// What cargo-fuzz gives the compiler. One unit of code a crate, because instrumented functions are not inlined across units.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1";

/// Memory that a target's whole process may take, in MB: more than what its own bound allows.
const MEMORY_MB: u32 = 1024;
/// Seconds that one input may take.
const SECONDS: u32 = 10;

/// A target, as the program lists it.
struct Target {
    name: String,
    longest: String,
    /// Its corpus in the tree first, then other seeds.
    seeds: Vec<String>,
}

/// What a run found out.
struct Found {
    target: String,
    executions: String,
    features: String,
    inputs: String,
    crashes: Vec<PathBuf>,
    ended_well: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = workspace().join("target/fuzz");
    let program = build(&folder.join("build"))?;
    let targets = list(&program)?;
    let chosen = |target: &&Target| arguments.target.as_ref().is_none_or(|name| *name == target.name);
    let chosen: Vec<&Target> = targets.iter().filter(chosen).collect();
    let names = || targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>().join(", ");
    ensure!(!chosen.is_empty(), "there is no such target; there are {}", names());
    if let Some(input) = &arguments.input {
        return process::run(Command::new(&program).env(TARGET, &chosen[0].name).arg(input));
    }
    let found: Vec<Found> = chosen
        .into_iter()
        .map(|target| fuzz(&program, target, &folder, arguments.minutes))
        .collect::<Result<_>>()?;
    report(&found)
}

const TARGET: &str = "VIEWFINDER_FUZZ_TARGET";

/// Builds the program for this machine's platform, in a folder of its own.
fn build(folder: &Path) -> Result<PathBuf> {
    ensure!(
        process::works("c++", &["--version"]),
        "libFuzzer needs a C++ compiler (on Debian and Ubuntu: apt install g++)"
    );
    let version = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    process::run(
        cargo()
            .env("CARGO_TARGET_DIR", folder)
            .env("RUSTFLAGS", FLAGS)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .args(["build", "--package", "viewfinder-fuzz", "--features", "libfuzzer", "--bin", "fuzz"])
            .args(["--target", host]),
    )?;
    Ok(folder.join(host).join("debug/fuzz"))
}

fn list(program: &Path) -> Result<Vec<Target>> {
    let output = Command::new(program).env_remove(TARGET).output().context("cannot start what was built")?;
    let read = |line: &str| {
        let mut words = line.split('\t').map(str::to_owned);
        Some(Target { name: words.next()?, longest: words.next()?, seeds: words.collect() })
    };
    let targets: Vec<Target> = String::from_utf8_lossy(&output.stdout).lines().filter_map(read).collect();
    ensure!(!targets.is_empty(), "the program lists no targets");
    Ok(targets)
}

/// Runs a target. What it learns stays in a corpus of this machine, and the next run goes on from there.
fn fuzz(program: &Path, target: &Target, folder: &Path, minutes: u64) -> Result<Found> {
    let corpus = folder.join("corpus").join(&target.name);
    let crashes = folder.join("crashes").join(&target.name);
    fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
    // Those of earlier runs are mended by now, or are found again.
    if crashes.exists() {
        fs::remove_dir_all(&crashes).with_context(|| crashes.display().to_string())?;
    }
    fs::create_dir_all(&crashes).with_context(|| crashes.display().to_string())?;
    say(&format!("{} for {minutes} min", target.name));
    let mut child = Command::new(program)
        .env(TARGET, &target.name)
        .arg(format!("-max_total_time={}", minutes * 60))
        .arg(format!("-max_len={}", target.longest))
        .arg(format!("-rss_limit_mb={MEMORY_MB}"))
        .arg(format!("-timeout={SECONDS}"))
        .arg(format!("-artifact_prefix={}/", crashes.display()))
        .args(["-print_final_stats=1", "-use_value_profile=1"])
        .arg(&corpus)
        .args(&target.seeds)
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start what was built")?;
    let mut log = Log::default();
    for line in BufReader::new(child.stderr.take().context("no output")?).split(b'\n') {
        log.read(&String::from_utf8_lossy(&line?));
    }
    let ended_well = child.wait()?.success();
    clean_up(child.id());
    if !ended_well {
        say(&format!("{}:\n{}", target.name, log.last.join("\n")));
    }
    let mut crashes: Vec<PathBuf> =
        fs::read_dir(&crashes)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    crashes.sort();
    let Log { executions, features, inputs, .. } = log;
    Ok(Found { target: target.name.clone(), executions, features, inputs, crashes, ended_well })
}

/// Removes the folders of a run, which ends without doing so.
fn clean_up(process: u32) {
    let prefix = format!("viewfinder-fuzz-{process}-");
    for folder in [PathBuf::from("/dev/shm"), env::temp_dir()] {
        let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)) {
            // What is left then is of this run alone, and in nobody's way.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// What libFuzzer prints, as far as it matters.
#[derive(Default)]
struct Log {
    executions: String,
    features: String,
    inputs: String,
    /// The last lines that are not about progress.
    last: Vec<String>,
}

impl Log {
    fn read(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("stat::number_of_executed_units:") => self.executions = words.collect(),
            Some("stat::new_units_added:") => self.inputs = words.collect(),
            // A line of progress: `#1024 NEW cov: 12 ft: 34 corp: 5/6b …`
            Some(first) if first.starts_with('#') && line.contains(" ft: ") => {
                let features = words.skip_while(|word| *word != "ft:").nth(1);
                features.unwrap_or_default().clone_into(&mut self.features);
                first[1..].clone_into(&mut self.executions);
            }
            _ => {
                self.last.push(line.to_owned());
                if self.last.len() > 40 {
                    self.last.remove(0);
                }
            }
        }
    }
}

fn report(found: &[Found]) -> Result<()> {
    let mut text = String::from(
        "| target | executions | features | new inputs | crashes |\n| --- | --- | --- | --- | --- |\n",
    );
    for Found { target, executions, features, inputs, crashes, .. } in found {
        text += &format!("| {target} | {executions} | {features} | {inputs} | {} |\n", crashes.len());
    }
    #[expect(clippy::print_stdout, reason = "the result")]
    {
        println!("{text}");
    }
    let broken: Vec<&Found> = found.iter().filter(|found| !found.ended_well).collect();
    if broken.is_empty() {
        return Ok(());
    }
    for Found { target, crashes, .. } in &broken {
        if crashes.is_empty() {
            say(&format!("{target} ended without leaving its input: the stack overflowed, or it was killed"));
        }
        for input in crashes {
            let input = input.display();
            say(&format!("{target}: {input}; again: cargo xtask fuzz {target} {input}"));
            say(&format!("once it is mended: cp {input} tests/fuzz/corpus/{target}/"));
        }
    }
    bail!("{} targets broke", broken.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_the_log() {
        let mut log = Log::default();
        for line in [
            "INFO: Seed: 1",
            "#2\tINITED cov: 5 ft: 6 corp: 1/1b exec/s: 0 rss: 30Mb",
            "#4096\tpulse  cov: 12 ft: 34 corp: 5/6b lim: 4 exec/s: 2048 rss: 30Mb",
            "#5000\tDONE   cov: 12 ft: 35 corp: 5/6b lim: 4 exec/s: 2048 rss: 30Mb",
            "stat::number_of_executed_units: 5001",
            "stat::new_units_added:          4",
        ] {
            log.read(line);
        }
        assert_eq!((&*log.executions, &*log.features, &*log.inputs), ("5001", "35", "4"));
        assert_eq!(log.last, ["INFO: Seed: 1"]);
    }
}
