//! Compiling the program, for somebody who waits.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, IsTerminal as _, Write as _},
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::{
    metadata::{self, Metadata},
    process::{cargo, say},
    workspace,
};

/// Where no line can be written over, a line says this often how far it is.
const PAUSE: Duration = Duration::from_secs(30);

/// Compiles the program under a profile of `Cargo.toml` and tells where it is.
pub(crate) fn program(profile: &str) -> Result<PathBuf> {
    let packages = Metadata::read(&metadata::host()?)?;
    let weights: Vec<(&str, f64)> =
        packages.compiled()?.into_iter().map(|package| (package.id.as_str(), weight(package))).collect();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut build = Build::new(weights.iter().copied(), cores);
    say(&build.announcement());
    let mut child = cargo()
        .args(["build", "--package", "viewfinder", "--profile", profile, "--locked", "--quiet"])
        .args(["--message-format", "json-render-diagnostics"])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let output = child.stdout.take().context("cargo gives no output")?;
    let mut line = Line::new();
    for text in BufReader::new(output).lines() {
        if let Ok(Message::CompilerArtifact { package_id, fresh }) = serde_json::from_str(&text?) {
            build.done(&package_id, fresh);
            line.show(&build.progress());
        }
    }
    line.end();
    if !child.wait()?.success() {
        bail!("cargo could not compile it");
    }
    say(&format!("compiled in {}", duration(build.started.elapsed())));
    Ok(workspace().join("target").join(profile).join(format!("viewfinder{}", std::env::consts::EXE_SUFFIX)))
}

/// What a package takes, in seconds of one core, roughly: ours took 343 s in all on a server of 2023; what is written in C takes more than others.
fn weight(package: &metadata::Package) -> f64 {
    match package.name.as_str() {
        _ if package.source.is_none() => OWN,
        name if name.ends_with("-sys") || name == "ring" => FOREIGN,
        _ => OTHER,
    }
}
const OWN: f64 = 18.0;
const FOREIGN: f64 = 20.0;
const OTHER: f64 = 2.0;

/// What cargo says; of all of it only what was compiled matters here.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        package_id: String,
        /// Nothing had to be done.
        fresh: bool,
    },
    #[serde(other)]
    Other,
}

/// How far a build is.
struct Build<'a> {
    /// What each package takes.
    weights: Vec<(&'a str, f64)>,
    done: BTreeSet<&'a str>,
    /// Seconds of one core that are still to come, and that were spent on packages that had to be compiled.
    left: f64,
    spent: f64,
    cores: usize,
    started: Instant,
}

impl<'a> Build<'a> {
    fn new(weights: impl Iterator<Item = (&'a str, f64)>, cores: usize) -> Self {
        let weights: Vec<_> = weights.collect();
        let left = weights.iter().map(|(_, weight)| weight).sum();
        Self { weights, done: BTreeSet::new(), left, spent: 0.0, cores, started: Instant::now() }
    }

    fn announcement(&self) -> String {
        format!(
            "compiling {} crates with {}: about {} if none was compiled before",
            self.weights.len(),
            if self.cores == 1 { "one core".to_owned() } else { format!("{} cores", self.cores) },
            duration(self.guess()),
        )
    }

    /// From what packages usually take, and that cores share the work but for the last few.
    fn guess(&self) -> Duration {
        Duration::from_secs_f64(self.left / self.cores.min(MOST_CORES) as f64)
    }

    fn done(&mut self, package: &str, fresh: bool) {
        let Some((id, weight)) = self.weights.iter().find(|(id, _)| *id == package) else { return };
        if self.done.insert(id) {
            self.left -= weight;
            if !fresh {
                self.spent += weight;
            }
        }
    }

    fn progress(&self) -> String {
        let elapsed = self.started.elapsed();
        // This machine's own pace tells more than the guess, once there is enough of it.
        let left =
            if self.spent > ENOUGH { elapsed.mul_f64(self.left.max(0.0) / self.spent) } else { self.guess() };
        let (done, all) = (self.done.len(), self.weights.len());
        format!("{done} of {all} crates, {} so far, about {} left", duration(elapsed), duration(left))
    }
}

/// More cores than these wait for each other at the end.
const MOST_CORES: usize = 12;
/// Work after which the pace of a build is known, in seconds of one core.
const ENOUGH: f64 = 30.0;

/// One line that is written over on a terminal, or lines with pauses between.
struct Line {
    terminal: bool,
    shown: Option<Instant>,
}

impl Line {
    fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), shown: None }
    }

    fn show(&mut self, text: &str) {
        let pause = if self.terminal { Duration::from_millis(100) } else { PAUSE };
        if self.shown.is_some_and(|shown| shown.elapsed() < pause) {
            return;
        }
        self.shown = Some(Instant::now());
        if self.terminal {
            // Nobody is helped by an error about progress.
            let _ = write!(std::io::stderr(), "\r\x1b[2K==> {text}");
        } else {
            say(text);
        }
    }

    fn end(&self) {
        if self.terminal && self.shown.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}

/// `40 s`, `12 min`.
fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    if seconds < 100 { format!("{seconds} s") } else { format!("{} min", (seconds + 30) / 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_tells_how_far_it_is() {
        let mut build = Build::new([("a", 300.0), ("b", 100.0), ("c", 200.0)].into_iter(), 2);
        assert_eq!(
            build.announcement(),
            "compiling 3 crates with 2 cores: about 5 min if none was compiled before"
        );
        build.done("a", true);
        build.done("a", true);
        build.done("unknown", false);
        assert!(
            build.progress().ends_with("1 of 3 crates, 0 s so far, about 3 min left"),
            "{}",
            build.progress()
        );
        // Half of what had to be compiled took 200 s: the other half will.
        build.done("c", false);
        build.started = Instant::now().checked_sub(Duration::from_secs(200)).unwrap();
        assert!(
            build.progress().ends_with("2 of 3 crates, 3 min so far, about 2 min left"),
            "{}",
            build.progress()
        );
    }

    #[test]
    fn what_cargo_says_is_understood() {
        let said =
            r#"{"reason":"compiler-artifact","package_id":"x","target":{"kind":["lib"]},"fresh":true}"#;
        assert!(matches!(serde_json::from_str(said), Ok(Message::CompilerArtifact { fresh: true, .. })));
        let other = r#"{"reason":"build-script-executed","package_id":"x"}"#;
        assert!(matches!(serde_json::from_str(other), Ok(Message::Other)));
    }

    #[test]
    fn times_are_short() {
        assert_eq!(duration(Duration::from_secs(59)), "59 s");
        assert_eq!(duration(Duration::from_secs(31 * 60 + 10)), "31 min");
    }
}
